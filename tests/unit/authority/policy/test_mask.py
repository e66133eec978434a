"""Is each pool masked by the right rule, and is Cedar asked no more often than facts differ?"""

from typing import Any

import pytest

from flyball.authority.policy import mask as mask_module
from flyball.authority.policy.facts import Reads
from flyball.authority.policy.mask import Board, Mask, seen
from flyball.authority.policy.question import PoolEntities
from support.policies import PERMIT, example, place, policy_set, subject


def of(text: str) -> Mask:
    found = policy_set(text)
    return Mask(found, PoolEntities(found.entities))


PLACES = (
    place(pool="a"),
    place(pool="b", jurisdiction="US"),
    place(pool="c", tier="edge"),
    place(pool="d", jurisdiction="US", tier="edge"),
)


def test_the_first_rule_against_a_pool_is_named() -> None:
    found = of(
        PERMIT
        + '@id("home") forbid(principal, action, resource in Jurisdiction::"US");'
        + '@id("edge") forbid(principal, action, resource) when { resource.tier == "edge" };'
    ).against(subject(), Board(PLACES))
    assert found == ("", "home", "edge", "home")


def test_an_approval_may_still_come() -> None:
    text = PERMIT + (
        '@id("home") forbid(principal, action, resource) when { resource.tier == "edge" }'
        " unless { context.approvals > 0 };"
    )
    assert of(text).against(subject(), Board(PLACES)) == ("",) * 4


def test_what_no_approval_can_mend_is_masked_though_the_rule_reads_one() -> None:
    text = (
        '@id("few") permit(principal, action, resource)'
        ' when { context.approvals > 0 && resource.tier == "edge" };'
    )
    found = of(text).against(subject(), Board(PLACES))
    assert found == ("nothing permits it", "nothing permits it", "", "")


def test_a_policy_that_surely_errs_masks() -> None:
    text = PERMIT + '@id("big") forbid(principal, action, resource) when {context.depth * 9 > 1};'
    assert of(text).against(subject(depth=2**62), Board(PLACES)) == ("big",) * 4
    assert of(text).against(subject(), Board(PLACES)) == ("",) * 4


def test_no_pools_no_mask() -> None:
    assert of(PERMIT).against(subject(), Board(())) == ()


def test_cedar_is_asked_once_for_what_is_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    real = mask_module.outcome

    def counted(*args: Any) -> int:
        asked.append(args)
        return real(*args)

    monkeypatch.setattr(mask_module, "outcome", counted)
    found = example()
    made = Mask(found, PoolEntities(found.entities))
    places = tuple(
        place(pool=f"p{i}", jurisdiction=("DE", "US")[i % 2], network_ms_p95=i) for i in range(100)
    )
    board = Board(places)
    for number in range(50):
        who = subject(
            class_name=f"c{number}", data_class="personal", data_home="EU", latency_class_ms=number
        )
        made.against(who, board)
    # The model's family, the home of the data by jurisdiction, the action and who acts, no more.
    assert len(asked) < 20, len(asked)
    before = len(asked)
    made.against(subject(data_class="personal", data_home="NO"), board)
    assert len(asked) > before


def test_what_is_seen_of_a_place() -> None:
    one = place(tier="edge")
    assert seen(Reads(resource=frozenset({"tier"})), one) == (("edge",), "", "")
    assert seen(Reads(parents=True), one) == ((), "FR", "")
    assert seen(Reads(pool=True), one) == ((), "", "h100-paris")
    assert seen(Reads(place=True), one) == one


def test_places_are_grouped_by_what_is_seen() -> None:
    kept, like = Board(PLACES).grouped(Reads(parents=True))
    assert [one.pool for one in kept] == ["a", "b"]
    assert like.tolist() == [0, 1, 0, 1]


def test_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_module, "ANSWERS_MAX", 2)
    monkeypatch.setattr(mask_module, "ROWS_MAX", 2)
    made = of(PERMIT + '@id("h") forbid(principal, action, resource in Jurisdiction::"US")'
              " when { context.model has evalTier };")  # fmt: skip
    board = Board(PLACES)
    for _ in range(2):
        for number in range(8):
            model = f"m{number}"
            assert made.against(subject(model=model), board) == ("",) * 4
        assert made.against(subject(), board) == ("", "h", "", "h")
