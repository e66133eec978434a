"""Does the table say of each demand where it is found, and of what is not there that it is not?"""

from flyball.ledger.evidence import NOT_RECORDED, Tally, ids_of, is_of
from flyball.model.decision import Warrant
from support import records
from support.records import CHAIN, HUMAN


def rows_of(*found: object) -> dict[str, str]:
    tally = Tally()
    for record in found:
        tally.add(record)  # type: ignore[arg-type]
    return {row.control: row.found for row in tally.rows()}


def test_an_empty_stretch_records_nothing() -> None:
    rows = rows_of()
    always = {"retention, under the deployer's control", "integrity"}
    assert {name for name, found in rows.items() if found != NOT_RECORDED} == always


def test_what_is_there_is_counted() -> None:
    warrant = Warrant(chain=CHAIN, human=HUMAN, policies=("p",), approvals=("a", "b"))
    it = records.intent(warrant=warrant)
    rows = rows_of(it, records.outcome(it), records.refusal(), *records.acts())
    assert rows["approvals by a second person"] == "intent.warrant.approvals (2)"
    assert "1 of 1, 1 people" in rows["unique user, who, what, when"]
    assert "slowest effect 0.20 s" in rows["overseer, stop and override with effect time"]
    assert rows["erasure"] == "erasure (1)"
    assert rows["incident id, severity, recovery times"] == NOT_RECORDED


def test_whose_record_it_is() -> None:
    it = records.intent(warrant=Warrant(chain=CHAIN, human=HUMAN, actor="agent:x"))
    end = records.outcome(it, principal="")
    assert ids_of([it, end, records.intent(5, principal="bob")], HUMAN) == {it.id}
    assert is_of(end, HUMAN, {it.id}) and not is_of(end, HUMAN, set())
    assert is_of(it, "agent:x", set()) and is_of(it, "alice", set())
    assert is_of(records.erasure(), "e5" * 16, set())
    assert is_of(records.oversight(), "ops|olav", set())
