"""Does a scenario become the fleet it describes, and is everything wrong in it told at once?"""

import pytest

from flyball.sim.build import ScenarioFaults, build, replicas_of
from support.worlds import scenario


def faults(**changes: object) -> list[tuple[str, str]]:
    with pytest.raises(ScenarioFaults) as found:
        build(scenario(**changes))
    assert all(one.next_step for one in found.value.faults)
    return [(".".join(map(str, one.path)), one.message) for one in found.value.faults]


def test_the_fleet_is_the_one_described() -> None:
    fleet, policy = build(scenario(fleet__pools__h100__replicas=2))
    assert [one.name for one in fleet.endpoints] == ["h100-0", "h100-1", "l40s-0"]
    assert [site.rtt_s for site in fleet.sites] == [0.004, 0.04]
    assert policy.classes[0].promise.ttft_s == 1.0
    assert (policy.mode, policy.principals) == ("enforce", ())
    assert build(scenario(core="observe"))[1].mode == "observe"


def test_an_autoscaled_pool_has_room_for_all_it_may_start() -> None:
    one = scenario(autoscalers={"h100": {"rule": "hpa", "replicas_max": 5}})
    assert replicas_of(one, "h100") == (1, 5)
    assert len(build(one)[0].endpoints) == 6


def test_a_pool_s_engines_share_the_work_as_described() -> None:
    shape = {"prefill_replicas": 1, "decode_replicas": 2, "kv_link_gbps": 400, "kv_link_ms": 2}
    fleet, _ = build(scenario(fleet__pools__h100__disaggregation=shape))
    pool, split = fleet.pools[0], fleet.pools[0].split
    assert split is not None
    assert (split.prefill, split.decode, split.link_bytes_s, split.link_latency_s, split.parts) == (
        1, 2, 5e10, 0.002, 1,
    )  # fmt: skip
    # Llama-3.1-8B: 32 layers, 8 heads of 128, key and value, 2 bytes each.
    assert split.kv_token_bytes == 131_072
    assert pool.profile == split.as_one()
    assert fleet.pools[1].split is None


def test_kv_of_an_unknown_model_must_be_told() -> None:
    shape: dict[str, object] = {"prefill_replicas": 1, "decode_replicas": 1, "kv_link_gbps": 100}
    path = {"fleet__pools__h100__profile": "cpu/onnx-small"}
    assert faults(**path, fleet__pools__h100__disaggregation=shape)[0] == (
        "fleet.pools.h100.disaggregation.kv_token_bytes",
        "the shape of model 'onnx-small' is not known",
    )
    told = shape | {"kv_token_bytes": 1000}
    split = build(scenario(**path, fleet__pools__h100__disaggregation=told))[0].pools[0].split
    assert split is not None and split.kv_token_bytes == 1000


def test_numbers_of_the_policy_are_the_operator_s() -> None:
    _, policy = build(
        scenario(
            policy={"pricing": {"smoothing": 0.5}, "resilience": {"attempts_max": 2}, "tick_s": 0.5}
        )
    )
    assert (policy.pricing.smoothing, policy.resilience.attempts_max, policy.tick_s) == (
        0.5,
        2,
        0.5,
    )
    assert isinstance(policy.resilience.attempts_max, int)
    assert faults(policy={"pricing": {"smothing": 0.5}}) == [
        ("policy.pricing.smothing", "unknown key 'smothing'")
    ]


def test_all_names_that_point_nowhere_are_told_at_once() -> None:
    found = faults(
        fleet__pools__h100__profile="h100/lama",
        fleet__pools__l40s__site="nowhere",
        core="magic",
        workload__generate__mix={"chatt": 1.0},
        autoscalers={"h200": {"rule": "hpaa", "replicas_max": 2}},
        loops={"retry": "eager"},
    )
    assert {path for path, _ in found} >= {
        "fleet.pools.h100.profile",
        "fleet.pools.l40s.site",
        "core",
        "workload.generate.mix.chatt",
        "autoscalers.h200.rule",
        "loops.retry",
    }


def test_what_no_hardware_can_keep_is_told() -> None:
    found = faults(fleet__classes__chat={"ttft_ms": 5, "tpot_ms": 2})
    assert [path for path, _ in found] == [
        "fleet.classes.chat.tpot_ms",
        "fleet.classes.chat.ttft_ms",
    ]
    found = faults(fleet__classes__chat={"jurisdictions": ["CH"]})
    assert found == [("fleet.classes.chat", "no pool stands where this class may run")]


def test_a_fleet_without_capacity_and_a_report_of_nothing_are_told() -> None:
    found = faults(fleet__pools__h100__replicas=0, fleet__pools__l40s__replicas=0)
    assert found == [("fleet.pools", "the fleet has no capacity at all")]
    assert faults(warmup_s=30) == [("warmup_s", "nothing is left to report")]


def test_a_source_of_load_is_needed_and_triggers_strike_something() -> None:
    trouble = {"kind": "slow", "at_s": 1, "for_s": 1, "target": "h100-7"}
    found = faults(workload={"load": 1.0}, triggers=[trouble])
    assert [path for path, _ in found] == ["workload", "triggers.0.target"]


def test_a_constant_that_a_rival_has_not_is_told() -> None:
    found = faults(core="least_request", tuned={"choices": 3}, loops={"tuned": {"polca": {"x": 1}}})
    assert [path for path, _ in found] == ["tuned.choices", "loops.tuned.polca.x"]
    scaled = {"h100": {"rule": "hpa", "replicas_min": 4, "replicas_max": 2, "tuned": {"x": 1}}}
    found = faults(autoscalers=scaled)
    assert {path for path, _ in found} == {
        "autoscalers.h100.replicas_min",
        "autoscalers.h100.tuned.x",
    }
    assert faults(core="governor", tuned={"choice_count": 3})[0][0] == "tuned.choice_count"


def test_a_fleet_is_given_once() -> None:
    one = scenario()
    with pytest.raises(ScenarioFaults, match="given twice"):
        build(one, build(one))


def test_sessions_need_an_agent_a_class_a_begin_and_a_pool_that_holds_them() -> None:
    found = faults(
        workload={
            "programs": {
                "chat": {"agent": "claude-cod", "rate": 1},
                "coder": {"agent": "mini-swe-agent"},
            }
        }
    )
    assert found == [
        ("workload.programs.chat.agent", "no agent is named 'claude-cod'"),
        ("workload.programs.coder", "no class 'coder'"),
        ("workload.programs.coder", "no session would ever begin"),
    ]
    (long,) = faults(workload={"programs": {"chat": {"agent": "claude-code", "rate": 1}}})
    assert long[0] == "workload.programs.chat.input_tokens_max"
    assert "no pool holds its longest prompt" in long[1]
    short = {"agent": "claude-code", "rate": 1, "input_tokens_max": 30_000}
    build(scenario(workload={"programs": {"chat": short}}))


def test_more_classes_of_sessions_than_can_be_told_apart_are_refused() -> None:
    names = [f"c{i}" for i in range(17)]
    found = faults(
        fleet__classes={name: {} for name in names},
        workload={"programs": {name: {"agent": "mini-swe-agent", "rate": 1} for name in names}},
    )
    assert found == [("workload.programs", "17 classes of sessions, at most 16 are told apart")]
