"""Is every recorded request whose answer changes counted, once, with examples?"""

import pytest

from flyball.authority.policy import compare as compare_module
from flyball.authority.policy.cedar import CedarAuthority
from flyball.authority.policy.compare import Asked, compare
from support.policies import PERMIT, circumstances, place, policy_set, subject

OPEN = CedarAuthority((policy_set(PERMIT),))
HOME = CedarAuthority(
    (policy_set(PERMIT + '@id("home") forbid(principal, action, resource in Jurisdiction::"US");'),)
)
US, FR = place(pool="us", jurisdiction="US"), place(pool="fr")


def asked(number: int, *places: object, **who: object) -> Asked:
    return Asked(f"req-{number}", subject(**who), circumstances(), places)  # type: ignore[arg-type]


def test_newly_denied_with_examples() -> None:
    told = compare(OPEN, HOME, [asked(i, US if i % 2 else FR) for i in range(10)])
    assert (told.asked, told.newly_denied, told.newly_allowed) == (10, 5, 0)
    (change,) = told.changes
    assert (change.direction, change.place, change.policies) == ("newly denied", "us", ("home",))
    assert (change.count, change.examples) == (5, ["req-1", "req-3", "req-5"])


def test_newly_allowed_at_the_first_place_that_allows_it() -> None:
    shut = CedarAuthority((policy_set(PERMIT + '@id("no") forbid(principal, action, resource);'),))
    told = compare(shut, HOME, [asked(1, US, FR)])
    assert (told.newly_denied, told.newly_allowed) == (0, 1)
    assert told.changes[0].place == "fr" and told.changes[0].policies == ("base",)


def test_nothing_changes() -> None:
    told = compare(HOME, HOME, [asked(1, US), asked(2, FR)])
    assert (told.asked, told.changes) == (2, [])


def test_alike_are_grouped_and_groups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_module, "CHANGES_MAX", 2)
    all_ = [asked(i, US, class_name=f"c{i % 3}") for i in (0, 1, 1, 2, 0, 1)]
    told = compare(OPEN, HOME, all_)
    assert [(one.class_name, one.count) for one in told.changes] == [("c1", 3), ("c0", 2)]
    assert (told.unlisted, told.newly_denied) == (1, 6)
