"""Is a decision that its own prices do not bear out found, and one that they do let pass?"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.ledger.redecide import how, problems
from flyball.model.decision import Candidate, Intent
from support import records


def priced(name: str, total: float, chance: float = 0.0, **changes: Any) -> Candidate:
    terms = {"lateness_usd": 0.25 * total, "externality_usd": 0.25 * total}
    terms |= {"resource_usd": total - 0.5 * total, "total_usd": total}
    return records.candidate(name, propensity=chance, **(terms | changes))


def decided(*candidates: Candidate, **changes: Any) -> Intent:
    fields = {"endpoint": candidates[0].endpoint, "candidates_count": len(candidates)}
    return records.intent(candidates=candidates, **(fields | changes))


SOUND = decided(priced("a", 1.0, 1.0), priced("b", 2.0), priced("c", 3.0))
DRAWN = decided(priced("b", 1.01, 0.5), priced("a", 1.0, 0.5), priced("c", 3.0))
PROBE = decided(priced("c", 3.0, 0.01), priced("a", 1.0), rule="probe", candidates_count=9)
HEDGE = decided(priced("c", 3.0, 0.01), priced("a", 1.0), rule="hedge", probe_arm="explore")
FALLBACK = decided(priced("c", 3.0, 1.0), priced("a", 1.0), rule="fallback-stale-view")


@pytest.mark.parametrize("intent", [SOUND, DRAWN, PROBE, HEDGE, FALLBACK])
def test_what_the_rule_gives_is_let_pass(intent: Intent) -> None:
    assert list(problems(intent)) == []


def test_how_far_the_record_determines_the_choice() -> None:
    assert [how(one) for one in (SOUND, DRAWN, PROBE, HEDGE, FALLBACK)] == [
        "computed", "drawn", "drawn", "drawn", "fallback",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("intent", "cause"),
    [
        (decided(priced("a", 1.0, 1.0), endpoint="b"), "the rule chose a, it went to b"),
        (decided(priced("b", 2.0, 1.0), priced("a", 1.0)), "was cheaper than one that could"),
        (decided(priced("a", 1.0, 1.0, total_usd=0.9)), "not the sum of its terms"),
        (decided(priced("a", 1.0, 0.7), priced("b", 1.0, 0.3)), "equal parts"),
        (decided(priced("a", 1.0, 0.9), priced("b", 1.0, 0.9)), "equal parts"),
        (decided(priced("a", 1.0), priced("b", 2.0, 1.0)), "does not stand first"),
        (decided(priced("a", 1.0, 1.0), priced("c", 3.0), priced("b", 2.0)), "order of their"),
        (decided(priced("a", 1.0, 1.0), priced("a", 2.0)), "priced twice"),
        (decided(priced("a", 1.0, 1.0), priced("b", 2.0), candidates_count=1), "kept of 1"),
        (decided(priced("a", 1.0, 1.0), priced("b", 2.0), rule="single"), "the only one of 2"),
        (decided(priced("a", 1.0, 0.5), rule="probe", candidates_count=9), "has not the chance"),
        (decided(priced("a", 1.0, 0.1), priced("b", 1.0, 0.1), rule="probe"), "one alone"),
        (decided(priced("a", 1.0, 0.9), rule="fallback-mispredicted"), "draws nothing"),
        (records.intent(candidates=()), "no candidates"),
    ],
)
def test_what_does_not_follow_is_told(intent: Intent, cause: str) -> None:
    assert any(cause in text for text in problems(intent)), list(problems(intent))


def test_while_observing_the_work_may_go_elsewhere() -> None:
    assert list(problems(decided(priced("a", 1.0, 1.0), endpoint="z", mode="observe"))) == []


@given(st.lists(st.floats(1e-9, 1e3), min_size=2, max_size=4), st.data())
def test_any_other_choice_than_the_least_is_told(totals: list[float], data: st.DataObject) -> None:
    ranked = sorted(totals)
    taken = data.draw(st.integers(0, len(ranked) - 1))
    order = [ranked[taken], *ranked[:taken], *ranked[taken + 1 :]]
    found = [priced(f"e{i}", total, float(i == 0)) for i, total in enumerate(order)]
    assert bool(list(problems(decided(*found)))) == (order[0] > ranked[0])
