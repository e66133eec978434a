"""Is an intent found that no living authority stood behind, and is a lawful one let pass?"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.ledger.entitled import EFFECT_S, Entitlement, Timeline
from flyball.model.decision import Intent, Record, Warrant
from support import records
from support.records import CHAIN, DIGEST, HUMAN, T0


def placed(at: float = T0 + 10.0, **changes: Any) -> Intent:
    fields: dict[str, Any] = {"chain": CHAIN, "human": HUMAN, "actor": "agent:search"}
    return records.intent(at=at, warrant=Warrant(**(fields | changes)))


def told(intent: Intent, *acts: Record, is_cut: bool = False) -> list[str]:
    return list(Entitlement(acts, is_cut).check(intent))


ACTS = (records.bundle_set(), records.mandate_set(), records.revocation())


def test_a_lawful_intent_passes_in_each_order_of_the_acts() -> None:
    it = placed(bundles=(DIGEST,))
    assert told(it, *ACTS) == told(it, *reversed(ACTS)) == []
    assert told(records.intent()) == []


@pytest.mark.parametrize("one", CHAIN)
def test_after_a_revocation_of_any_block_of_the_chain_nothing_may_be_placed(one: str) -> None:
    act = records.revocation(T0 + 100.0, one)
    late = placed(T0 + 101.0)
    assert told(late, act) == [
        f"{late.id} was placed 1.00 s after https://id.example|mari revoked {one}, which its "
        f"mandate descends from ({act.id})."
    ]
    assert told(placed(T0 + 99.0), act) == [] == told(placed(T0 + 100.0 + EFFECT_S / 2), act)
    assert told(placed(T0 + 101.0, chain=("99" * 16,)), act) == []


@pytest.mark.parametrize("subject", [f"human:{HUMAN}", "session:https://id.example|s-7"])
def test_after_a_person_or_session_was_revoked_what_was_granted_before_is_void(
    subject: str,
) -> None:
    act = records.revocation(T0 + 100.0, subjects=(subject,), ids=(), made_at=T0 + 99.5)
    late = placed(T0 + 101.0, session="s-7", granted_at=T0 + 99.0)
    assert told(late, act) == [
        f"{late.id} was placed 1.00 s after {HUMAN} revoked all of {subject} ({act.id})."
    ]
    again = placed(T0 + 101.0, session="s-7", granted_at=T0 + 99.8)
    assert told(again, act) == [] == told(placed(T0 + 100.1, session="s-7"), act)
    assert told(placed(T0 + 101.0, human="https://id.example|olav", session="s-8"), act) == []


def test_after_its_expiry_nothing_may_be_placed() -> None:
    found = told(placed(T0 + 3601.0), records.mandate_set())
    assert len(found) == 1 and "1.00 s after its mandate" in found[0]


def test_another_human_or_another_chain_than_recorded_is_told() -> None:
    assert "names mallory" in told(placed(human="mallory"), records.mandate_set())[0]
    spliced = placed(chain=(CHAIN[0], "00" * 16, CHAIN[2]))
    assert "by another chain" in told(spliced, records.mandate_set())[0]


def test_the_bundle_in_force_must_have_been_asked_and_no_other() -> None:
    first, other = records.bundle_set(), "sha256:" + "ee" * 32
    second = records.bundle_set(T0 + 20.0, digest=other, replaced=DIGEST, version=4)
    assert told(placed(bundles=(DIGEST,)), first, second) == []
    assert told(placed(T0 + 30.0, bundles=(other,)), first, second) == []
    assert len(told(placed(T0 + 30.0, bundles=(DIGEST,)), first, second)) == 2
    assert "without asking the site bundle" in told(placed(), first)[0]
    assert told(placed(T0 + 20.1, bundles=(DIGEST,)), first, second) == []
    refused = records.bundle_set(T0 + 20.0, digest=other, in_force=False, reason="expired")
    assert told(placed(T0 + 30.0, bundles=(DIGEST,)), first, refused) == []
    unknown = placed(T0 - 200.0, bundles=(other,))
    assert len(told(unknown, first)) == 1 and told(unknown, first, is_cut=True) == []


def test_an_approval_is_used_by_one_request() -> None:
    judge = Entitlement([])
    first = placed(approvals=("a1",))
    assert list(judge.check(first)) == [] == list(judge.check(first))
    assert "used up" in next(judge.check(placed(T0 + 11.0, approvals=("a1",))))


@pytest.mark.parametrize("scope", ["all", "class:chat", "model:llama-3.1-8b", "principal:alice"])
def test_what_a_person_stopped_is_not_placed_until_it_is_let_go(scope: str) -> None:
    stop = records.oversight(T0 + 50.0, scope=scope)
    go = records.oversight(T0 + 80.0, act="resume", scope=scope)
    assert told(placed(T0 + 60.0), stop, go)[0].endswith(f"while ops|olav had stopped {scope}.")
    assert told(placed(T0 + 90.0), stop, go) == [] == told(placed(T0 + 40.0), stop, go)
    ends = records.oversight(T0 + 50.0, scope=scope, until=T0 + 55.0)
    assert told(placed(T0 + 60.0), ends) == []
    assert told(placed(T0 + 60.0), records.oversight(scope="class:other")) == []


@given(
    st.lists(st.tuples(st.integers(0, 100), st.sampled_from(["", "a", "b"]))), st.integers(0, 100)
)
def test_a_timeline_gives_the_last_turn(turns: list[tuple[int, str]], at: int) -> None:
    line, expected = Timeline(), ""
    for when, value in turns:
        line.turn(when, value)
    for when, value in sorted(turns, key=lambda turn: turn[0]):
        expected = value if when <= at else expected
    assert expected in line.during(at)
    if all(when != at for when, _ in turns):
        assert line.during(at) == {expected}
