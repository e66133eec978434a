"""Is every fault of a scenario file told with its place, and does a sound one become a plan?"""

from pathlib import Path

import pytest
from msgspec.structs import replace

from flyball.cli import sim_input
from flyball.sim.run import generated

SOUND = """\
version: v1
duration_s: 20
fleet:
  sites:
    here: { jurisdiction: EU }
  pools:
    l4: { site: here, profile: l4/llama-3.1-8b, replicas: 2 }
workload:
  generate: { rate: 2 }
"""
TRACE = "arrival_s,input_tokens,output_tokens\n" + "".join(f"{i},100,10\n" for i in range(11))


def write(folder: Path, text: str) -> str:
    file = folder / "world.yaml"
    file.write_text(text)
    return str(file)


def faults(folder: Path, text: str, *changes: str) -> str:
    with pytest.raises(sim_input.CannotSimulate) as found:
        sim_input.load(write(folder, text), changes)
    assert found.value.exit_code == 2
    return found.value.message


def test_a_sound_file_is_a_plan(tmp_path: Path) -> None:
    plan = sim_input.load(write(tmp_path, SOUND), ["workload.load=2.5", "core=round_robin"])
    assert plan.name == "world"
    assert (plan.scenario.workload.load, plan.scenario.core) == (2.5, "round_robin")
    assert len(plan.fleet.endpoints) == 2
    assert list(plan.rows()) == list(generated(plan.scenario))


def test_every_fault_of_shape_is_told_with_line_and_remedy(tmp_path: Path) -> None:
    text = SOUND.replace("replicas: 2", "replicsa: 2").replace("rate: 2", "rate: -2")
    said = faults(tmp_path, text + "sede: 3\n")
    assert "world.yaml:7:" in said and "unknown key 'replicsa'" in said
    assert "Did you mean 'replicas'?" in said
    assert "world.yaml:9:" in said
    assert "world.yaml:10:1" in said and "Did you mean 'seed'?" in said


def test_faults_of_meaning_have_their_line_too(tmp_path: Path) -> None:
    said = faults(tmp_path, SOUND.replace("l4/llama-3.1-8b", "l4/llama-3.1-9b"))
    assert "world.yaml:7:" in said and "Did you mean 'l4/llama-3.1-8b'?" in said
    said = faults(tmp_path, SOUND, "core=governer")
    assert "Did you mean 'governor'?" in said


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(sim_input.CannotSimulate, match="cannot read"):
        sim_input.load(str(tmp_path / "none.yaml"))
    assert "YAML syntax" in faults(tmp_path, "version: [v1")
    assert "duration_s" in faults(tmp_path, "version: v1\n")
    (tmp_path / "odd.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(sim_input.CannotSimulate, match="not UTF-8"):
        sim_input.load(str(tmp_path / "odd.yaml"))


def test_a_fleet_file_of_the_gateway_can_be_simulated(tmp_path: Path) -> None:
    fleet = Path(__file__).parents[3] / "examples" / "fleet.yaml"
    head, _, rest = SOUND.partition("fleet:")
    text = f"{head}fleet: {{ file: {fleet} }}\nworkload{rest.partition('workload')[2]}"
    plan = sim_input.load(write(tmp_path, text))
    assert plan.fleet.endpoints[0].name == "edge-l4-0"
    assert plan.policy.principals == ()
    said = faults(tmp_path, text.replace(str(fleet), "none.yaml"))
    assert "cannot read" in said


def test_a_trace_is_scaled_to_its_rate_and_load(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TRACE)
    text = SOUND.replace("generate: { rate: 2 }", "trace: { file: t.csv, rate: 2 }")
    plan = sim_input.load(write(tmp_path, text))
    assert [row.at_s for row in plan.rows()][:3] == [0.0, 0.5, 1.0]
    heavy = sim_input.load(write(tmp_path, text), ["workload.load=2"])
    assert [row.at_s for row in heavy.rows()][:3] == [0.0, 0.25, 0.5]
    few = sim_input.load(write(tmp_path, text), ["workload.trace.limit=3"])
    assert len(list(few.rows())) == 3


def test_a_changed_plan_has_its_fleet_built_anew(tmp_path: Path) -> None:
    plan = sim_input.load(write(tmp_path, SOUND))
    other = sim_input.changed(plan, lambda one: replace(one, core="observe"))
    assert (plan.policy.mode, other.policy.mode) == ("enforce", "observe")


def test_the_schema_knows_every_section() -> None:
    shape = sim_input.schema()["$defs"]["Scenario"]
    assert {"fleet", "workload", "triggers", "loops"} <= set(shape["properties"])
    assert shape["additionalProperties"] is False


def test_a_rate_for_a_trace_without_duration_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("arrival_s,input_tokens,output_tokens\n0,100,10\n")
    text = SOUND.replace("generate: { rate: 2 }", "trace: { file: t.csv, rate: 2 }")
    with pytest.raises(sim_input.CannotSimulate, match=r"workload\.trace\.rate"):
        sim_input.played(sim_input.load(write(tmp_path, text)))


ARRIVALS = "model,client,t_s,rate,cv,pat,p1,p2\n" + "".join(
    f"m,{i},0,0.5,2,Gamma,0.25,8\n" for i in range(4)
)
LENGTHS = "model,client,t_s,field,q01,q05,q10,q25,q50,q75,q90,q95,q99,max\n" + "".join(
    f"m,0,0,{field},1,2,3,4,5,6,7,8,9,10\n" for field in ("input_tokens", "output_tokens")
)
STATISTICS = "trace: { file: a.csv, lengths: l.csv, format: servegen }"


def test_client_statistics_are_a_load(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ARRIVALS)
    (tmp_path / "l.csv").write_text(LENGTHS)
    text = SOUND.replace("generate: { rate: 2 }", STATISTICS)
    plan = sim_input.load(write(tmp_path, text))
    rows = list(plan.rows())
    assert rows == list(plan.rows())
    assert 600 < len(rows) < 1800 and {row.class_name for row in rows} == {"m"}
    less = sim_input.load(write(tmp_path, text), ["workload.trace.share=0.1"])
    assert len(list(less.rows())) < len(rows) / 4
    again = sim_input.load(write(tmp_path, text), ["seed=2"])
    assert list(again.rows()) != rows
    assert plan.files() == ("a.csv", "l.csv")
    places = {"a.csv": str(tmp_path / "a.csv"), "l.csv": str(tmp_path / "l.csv")}
    assert list(replace(plan, folder="/nowhere").moved(places).rows()) == rows


def test_faults_of_statistics_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ARRIVALS)
    text = SOUND.replace("generate: { rate: 2 }", STATISTICS)
    said = faults(tmp_path, text.replace(", lengths: l.csv", ""))
    assert "two tables" in said and "Give `lengths`" in said
    said = faults(tmp_path, text.replace("format: servegen", "format: servgen"))
    assert "Did you mean 'servegen'?" in said
    said = faults(tmp_path, text.replace("format: servegen", "format: table"))
    assert "only client statistics have it" in said
    assert "share" in faults(tmp_path, text, "workload.trace.share=0")
    plan = sim_input.load(write(tmp_path, text))
    with pytest.raises(sim_input.CannotSimulate, match=r"l\.csv"):
        sim_input.played(plan)


def test_a_share_of_a_trace_keeps_whole_sessions(tmp_path: Path) -> None:
    lines = [f"{i},100,10,s{i % 20}\n" for i in range(200)]
    (tmp_path / "t.csv").write_text(
        "arrival_s,input_tokens,output_tokens,session\n" + "".join(lines)
    )
    text = SOUND.replace("generate: { rate: 2 }", "trace: { file: t.csv, share: 0.5 }")
    rows = list(sim_input.load(write(tmp_path, text)).rows())
    counts = [sum(row.session == name for row in rows) for name in {row.session for row in rows}]
    assert set(counts) == {10} and 3 <= len(counts) <= 17
