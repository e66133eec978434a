"""May each role do what it should, and does a second person have to be a second one?"""

import pytest

from flyball.authority.revocation.roles import (
    MAY,
    WAITING_MAX,
    OrderError,
    TwoPersons,
    may,
    needs_second,
)


def test_each_role_may_what_it_says() -> None:
    assert {role for role in MAY if may(role, "stop")} == {"operator", "approver", "admin"}
    assert {role for role in MAY if may(role, "resume")} == {"operator", "admin"}
    assert {role for role in MAY if may(role, "revoke")} == {"approver", "admin"}
    assert not may("", "read") and not may("site", "read")


def test_a_rule_names_an_act_or_an_act_and_its_scope() -> None:
    rules = ("resume", "stop all")
    assert needs_second(rules, "resume", "class:c") and needs_second(rules, "stop", "all")
    assert not needs_second(rules, "stop", "class:c") and not needs_second((), "stop", "all")


def proposed(waiting: TwoPersons, number: str = "1", at: float = 0.0) -> None:
    waiting.propose(number, "resume", "all", "bob", "why", b"raw", at)


def test_a_second_person_confirms_in_time() -> None:
    waiting = TwoPersons(60.0)
    proposed(waiting)
    with pytest.raises(OrderError, match="a second person") as told:
        waiting.confirm("1", "bob", "operator", 1.0)
    assert told.value.status == 403
    with pytest.raises(OrderError, match="role viewer"):
        waiting.confirm("1", "vic", "viewer", 1.0)
    assert waiting.confirm("1", "apo", "approver", 59.0).by == "bob"
    with pytest.raises(OrderError, match="no such order"):
        waiting.confirm("1", "ada", "admin", 59.0)


def test_what_nobody_confirms_lapses_and_a_repeat_does_not_prolong_it() -> None:
    waiting = TwoPersons(60.0)
    proposed(waiting)
    proposed(waiting, at=50.0)
    assert [one.ends_at for one in waiting.waiting(59.0)] == [60.0]
    assert waiting.waiting(60.0) == []


def test_only_so_many_wait() -> None:
    waiting = TwoPersons(60.0)
    for number in range(WAITING_MAX):
        proposed(waiting, str(number))
    with pytest.raises(OrderError) as told:
        proposed(waiting, "one more")
    assert told.value.status == 429
    proposed(waiting, "0")
