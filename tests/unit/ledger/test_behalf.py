"""Is the chain from an act to a named human told in plain words, with what ended it?"""

from typing import Any

from flyball.ledger.behalf import acts_about, authority_section
from flyball.ledger.explain import Case, explain, text_lines
from flyball.model.decision import Intent, Warrant
from support import records
from support.records import CHAIN, DIGEST, HUMAN, T0


def placed(**changes: Any) -> Intent:
    fields: dict[str, Any] = {
        "chain": CHAIN,
        "human": HUMAN,
        "actor": "agent:search",
        "bundles": (DIGEST,),
        "policies": ("eu-only",),
        "reserved_micro_usd": 1500,
    }
    return records.intent(at=T0 + 10.0, warrant=Warrant(**(fields | changes)))


def test_each_step_from_the_human_on() -> None:
    it = placed(approvals=("a7",), obligations=("log:full",), holder="thumb")
    acts = acts_about(it, [records.revocation(), records.mandate_set(), records.bundle_set()])
    assert [act.at for act in acts] == sorted(act.at for act in acts) and len(acts) == 3
    section = authority_section(it, acts)
    text = "\n".join(section.lines)
    assert section.lines[0] == f"agent:search acted on behalf of {HUMAN}, over 3 signed steps."
    assert "site bundle d4d4d4d4d4d4d4d4…, version 3, signed by k1, k2, was put in force" in text
    assert "revoked the mandate at 2025-11-20T00:55:00.000Z, after it was placed" in text
    assert "eu-only" in text and "$0.001500" in text and "a7" in text and "thumb" in text
    assert section.table is not None
    assert section.table.rows[2][2].startswith(f"granted by {HUMAN} to agent:search")
    assert "outside of this gateway" in section.table.rows[0][2]


def test_what_ended_all_of_a_person_is_told_and_what_was_granted_later_is_not_touched() -> None:
    act = records.revocation(ids=(), subjects=(f"human:{HUMAN}",))
    it = placed(granted_at=T0)
    assert acts_about(it, [act]) == [act]
    lines = authority_section(it, [act]).lines
    assert any(f"{HUMAN} revoked all of human:{HUMAN} at" in line for line in lines)
    assert acts_about(placed(granted_at=T0 + 500.0), [act]) == []


def test_strangers_acts_are_left_out() -> None:
    others = [
        records.mandate_set(chain=("99" * 16,)),
        records.revocation(T0, "99" * 16),
        records.bundle_set(digest="sha256:00"),
        records.config(1),
    ]
    assert acts_about(placed(), others) == []
    assert acts_about(records.intent(), others) == []


def test_a_person_in_person_an_opaque_key_and_no_warrant() -> None:
    assert authority_section(placed(actor=HUMAN), []).lines[0] == f"{HUMAN} acted in person."
    assert "No human is named" in authority_section(placed(human="", chain=()), []).lines[0]
    assert "No mandate is recorded" in authority_section(records.intent(), []).lines[0]


def test_it_stands_in_the_explanation_where_there_is_one() -> None:
    it = placed()
    lines = text_lines(explain(Case(id=it.id, records=(it,))))
    assert "On whose behalf" in lines
    assert "On whose behalf" not in text_lines(explain(Case(id="x", records=(records.intent(),))))
