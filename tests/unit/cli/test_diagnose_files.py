"""Are loops files, changes and suppressions read, and are all faults told with their place?"""

from pathlib import Path

import pytest

from flyball.cli.diagnose_files import load_change, load_loops, load_suppressions
from flyball.cli.file_shape import CannotUse
from flyball.diagnosis.topology.graph import Effect, Reading

LOOPS = """\
version: v1
loops:
  hpa:
    actuator: pool.replicas
    scope: chat
    period_s: 15
    delay_s: 60
    limit_high: 40
    spends: gpus
    claim: 40
    reads:
      - {signal: utilization, when_high: raise, gain: 1, target: 0.7, stands_for: demand}
      - {signal: cost, wants: down}
effects:
  - {actuator: pool.replicas, signal: utilization, gain: -1, delay_s: 5}
  - {actuator: pool.replicas, signal: cost, moves: up}
quotas:
  gpus: {limit: 64, unit: GPUs}
"""


def write(folder: Path, text: str) -> str:
    path = folder / "file.yaml"
    path.write_text(text)
    return str(path)


def faults(folder: Path, *pairs: tuple[str, str]) -> str:
    text = LOOPS
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(CannotUse) as caught:
        load_loops(write(folder, text))
    return caught.value.message


def test_a_loops_file_is_a_graph_that_knows_its_lines(tmp_path: Path) -> None:
    graph = load_loops(write(tmp_path, LOOPS))
    (member,) = graph.members
    assert member.reads == (
        Reading(signal="utilization", sign=1, gain=1.0, target=0.7, stands_for="demand"),
        Reading(signal="cost", wants=-1),
    )
    assert (member.actuator, member.period_s, member.claim) == ("pool.replicas", 15.0, 40.0)
    assert member.seen == (f"{tmp_path}/file.yaml:3:3",)
    first, second = graph.effects
    assert (first.gain, first.delay_s, second.way) == (-1.0, 5.0, 1)
    assert graph.quotas[0].limit == 64.0


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("delay_s: 60", "dellay_s: 60", "7:5", "Did you mean 'delay_s'?"),
        ("when_high: raise", "when_high: rise", "12:42", "Did you mean 'raise'?"),
        ("spends: gpus", "spends: gpu", "9:13", "Did you mean 'gpus'?"),
        ("limit_high: 40", "limit_high: 40\n    limit_low: 50", "9:16", "Swap the two"),
        ("when_high: raise, ", "", "12:37", "direction"),
        (", moves: up", "", "16:5", "neither `gain` nor `moves`"),
        ("gain: -1, delay_s", "gain: -1, moves: up, delay_s", "15:69", "contradicts"),
        ("period_s: 15", "period_s: -1", "6:15", "minimum"),
        ("    spends: gpus\n", "", "9:12", "a claim on no quota"),
    ],
)
def test_a_fault_is_told_with_its_place(
    tmp_path: Path, old: str, new: str, place: str, words: str
) -> None:
    said = faults(tmp_path, (old, new))
    assert f"file.yaml:{place}: error" in said and words in said


def test_all_faults_at_once(tmp_path: Path) -> None:
    said = faults(tmp_path, ("delay_s: 60", "dellay_s: 60"), ("limit: 64", "limmit: 64"))
    assert "dellay_s" in said and "limmit" in said


@pytest.mark.parametrize(
    "text", ["", "- a\n", "version: v1\n", "version: v2\nloops: {}\n", "a: [\n"]
)
def test_what_is_no_loops_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(CannotUse):
        load_loops(write(tmp_path, text))


def test_a_change_sets_fields_and_keeps_the_rest(tmp_path: Path) -> None:
    graph = load_loops(write(tmp_path, LOOPS))
    text = """\
version: v1
loops:
  hpa: {period_s: 5, gain: 2, target: 0.6}
add:
  keda: {actuator: pool.replicas}
effects:
  - {actuator: pool.replicas, signal: utilization, gain: -0.5}
quotas:
  gpus: {limit: 10}
"""
    change = load_change(write(tmp_path, text), graph)
    fields = change.loops["hpa"]
    assert fields["period_s"] == 5.0 and set(fields) == {"period_s", "reads"}
    first, second = fields["reads"]
    assert (first.gain, first.target, first.stands_for) == (2.0, 0.6, "demand")
    assert second == graph.members[0].reads[1]
    assert [one.name for one in change.add] == ["keda"]
    assert change.quotas == {"gpus": {"limit": 10.0}}
    assert isinstance(change.effects[0], Effect)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("loops: {hpaa: {period_s: 5}}", "Did you mean 'hpa'?"),
        ("remove: [keda]", "no loop 'keda'"),
        ("quotas: {gpu: {limit: 1}}", "Did you mean 'gpus'?"),
        ("add: {hpa: {actuator: u}}", "there already"),
        ("loops: {hpa: {periods: 5}}", "unknown key 'periods'"),
    ],
)
def test_a_change_that_does_not_fit(tmp_path: Path, text: str, words: str) -> None:
    graph = load_loops(write(tmp_path, LOOPS))
    with pytest.raises(CannotUse) as caught:
        load_change(write(tmp_path, f"version: v1\n{text}\n"), graph)
    assert words in caught.value.message and "file.yaml:2:" in caught.value.message


def suppression(**fields: str) -> str:
    given = {"code": "FB-101", "until": "2026-12-31", "reason": "the migration ends then"} | fields
    inner = ", ".join(f"{key}: {value}" for key, value in given.items())
    return f"version: v1\nsuppress:\n  - {{{inner}}}\n"


def test_a_suppression_holds_to_the_end_of_its_day(tmp_path: Path) -> None:
    (rule,) = load_suppressions(write(tmp_path, suppression(loops="[a, b]", scope="chat")))
    assert rule.until == 1798761600.0, "2027-01-01T00:00Z"
    assert (rule.code, rule.loops, rule.scope) == ("FB-101", ("a", "b"), "chat")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"code": "FB-999"}, "no finding FB-999"),
        ({"code": "FB-1"}, "does not match"),
        ({"until": "2026-02-31"}, "is no day"),
        ({"until": "soon"}, "does not match"),
        ({"reason": "x"}, "too short"),
    ],
)
def test_a_suppression_without_code_day_or_reason(
    tmp_path: Path, fields: dict[str, str], words: str
) -> None:
    with pytest.raises(CannotUse) as caught:
        load_suppressions(write(tmp_path, suppression(**fields)))
    assert words in caught.value.message and "file.yaml:3:" in caught.value.message
