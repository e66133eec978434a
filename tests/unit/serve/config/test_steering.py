"""Does the fleet file say which loops run, what drives them and who may hold them?"""

from hashlib import sha256

import msgspec

from flyball.model.loop import ForeignLoop, LoopPolicy
from flyball.serve.config.steering import ForeignLoopSection, LoopSection
from support.configs import ENV, config, faults

END = "principals:"
LOOPS = """\
loops:
  - {name: autoscaling, mode: enforce, scopes: [small], limit_high: 4, start_s: 30}
  - {name: power}
foreign_loops:
  - {name: hpa, law: hpa, actuator: pool.replicas, scope: big, delay_s: 60}
actuators:
  - {actuator: pool.replicas, scope: small, kind: kubernetes, url: "https://k8s:6443",
     workload: prod/deployments/small, token_file: token, ca: ca.pem}
  - {actuator: pool.clock, scope: big, kind: webhook, url: "http://h/x", secret_env: HOOK}
"""


def with_loops(text: str = LOOPS) -> tuple[str, str]:
    return (END, f"{text}{END}")


def test_the_sections_are_the_models_own_fields() -> None:
    assert LoopSection.__struct_fields__ == LoopPolicy.__struct_fields__
    assert ForeignLoopSection.__struct_fields__ == ForeignLoop.__struct_fields__
    for section, model in ((LoopSection, LoopPolicy), (ForeignLoopSection, ForeignLoop)):
        defaults = {f.name: f.default for f in msgspec.structs.fields(section) if not f.required}
        assert (
            defaults.items() <= {f.name: f.default for f in msgspec.structs.fields(model)}.items()
        )


def test_loops_and_drivers_come_into_the_configuration() -> None:
    made = config(with_loops(), env={**ENV, "HOOK": "h00k"})
    first, second = made.policy.loops
    assert (first.name, first.mode, first.scopes, first.start_s) == (
        "autoscaling",
        "enforce",
        ("small",),
        30.0,
    )
    assert second.mode == "advise", "nothing acts unless it is told to"
    assert made.policy.foreign_loops[0].delay_s == 60.0
    assert made.actuators[0].token_file == "/nowhere/token"
    assert dict(made.actuator_secrets) == {"pool.clock big": "h00k"}
    assert "h00k" not in repr(made)


def test_what_points_nowhere_is_told_with_what_there_is() -> None:
    text = "loops: [{name: autoscale, scopes: [smal]}]\n"
    told = "\n".join(faults(with_loops(text)))
    assert "there is no loop named 'autoscale'" in told and "autoscaling" in told
    assert "no pool, site or class named 'smal'" in told and "small" in told


def test_an_actuator_that_lacks_something_is_told() -> None:
    text = """\
actuators:
  - {actuator: a, scope: small, kind: kubernetes, url: "k8s", workload: vllm}
  - {actuator: a, scope: small, kind: command}
"""
    told = "\n".join(faults(with_loops(text)))
    for part in ("a URL is needed", "names no workload", "has a driver already", "no program"):
        assert part in told


def test_limits_the_wrong_way_round_are_told() -> None:
    told = faults(with_loops("loops: [{name: power, limit_low: 2, limit_high: 1}]\n"))
    assert any("above limit_high" in one for one in told)


def test_operators_need_the_key_that_is_named() -> None:
    named = ("\nclasses:", "\nadmin: {key_env: OPS}\nclasses:")
    made = config(named, env={**ENV, "OPS": "ops"})
    assert made.admin_sha256 == sha256(b"ops").hexdigest()
    assert any("OPS is not set" in one for one in faults(named))


def test_without_a_key_only_an_open_gateway_of_this_machine_lets_anyone_hold() -> None:
    assert config().admin_sha256 is None, "principals are named"
    alone = ("principals:\n  ann: {key_env: ANN_KEY, classes: [talk]}\n", "")
    assert config(alone).admin_sha256 == ""
    wide = ("\nclasses:", "\nlisten: {host: 0.0.0.0}\nclasses:")
    assert config(alone, wide).admin_sha256 is None
