"""Is an answer of policy that does not follow from its recorded question found?"""

from typing import Any

import msgspec
import pytest

from flyball.ledger.reask import Reask
from flyball.ledger.record import decode, encode
from flyball.model.decision import Intent, Warrant
from flyball.model.verdict import Circumstances, Question
from support import policies, records
from support.authority import Rules, Shelf

DIGEST = "sha256:aa"
THERE = Shelf(Rules((DIGEST,)))


def placed(**changes: Any) -> Intent:
    place = policies.place(pool="h100-paris")
    subject = policies.subject(
        principal="alice", class_name="chat", model="llama-3.1-8b", human="i|mari"
    )
    about = Circumstances(at=records.T0, cost_micro_usd=7)
    fields: dict[str, Any] = {
        "human": "i|mari", "policies": ("permit-all",), "bundles": (DIGEST,),
        "asked": Question(subject=subject, circumstances=about, place=place),
    }  # fmt: skip
    made = records.intent(warrant=Warrant(**(fields | changes)))
    found = decode(encode(made))
    assert found == made and isinstance(found, Intent)
    return found


def told(intent: Intent, shelf: Shelf = THERE) -> tuple[list[str], tuple[int, int, int]]:
    reask = Reask(shelf)
    found = list(reask.problems(intent))
    return found, (reask.same, reask.unlike, reask.absent)


def test_the_same_answer_is_sound_and_policy_that_was_not_asked_is_left_alone() -> None:
    assert told(placed()) == ([], (1, 0, 0))
    assert told(records.intent()) == ([], (0, 0, 0)) == told(placed(bundles=()))


def test_another_answer_is_found() -> None:
    no = Shelf(Rules((DIGEST,), forbids={"frozen": lambda subject, place: True}))
    found, counts = told(placed(), no)
    assert "policy says no (frozen)" in found[0] and counts == (0, 1, 0)
    assert "the policies are permit-all, on record other" in told(placed(policies=("other",)))[0][0]
    owed = told(placed(obligations=("two-person",)))[0]
    assert len(owed) == 1 and "on record two-person" in owed[0]


def test_bundles_that_are_not_at_hand_prove_nothing() -> None:
    reask = Reask(THERE)
    assert list(reask.problems(placed(bundles=("sha256:bb",)))) == []
    assert (reask.same, reask.absent, reask.missing) == (0, 1, {("sha256:bb",)})


def test_a_question_that_is_missing_or_about_another_request_proves_nothing() -> None:
    bare = records.intent(warrant=Warrant(bundles=(DIGEST,), policies=("permit-all",)))
    assert "not what they were asked" in told(bare)[0][0]
    assert told(bare)[1] == (0, 1, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [("class_name", "x"), ("principal", "x"), ("served_model", "x"), ("pool", "x")],
)
def test_each_fact_must_be_the_records(field: str, value: str) -> None:
    found, counts = told(msgspec.structs.replace(placed(), **{field: value}))
    assert len(found) == 1 and "'x'" in found[0] and counts == (0, 1, 0)


def test_the_human_and_the_approvals_are_facts_too() -> None:
    assert "the human 'i|mari'" in told(placed(human="i|olav"))[0][0]
    assert "the approvals" in told(placed(approvals=("a1",)))[0][0]
