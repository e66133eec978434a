"""Are retries bounded by a share of the work in flight?"""

import pytest

from flyball.sim.rivals.budgeted import Budgeted


def test_three_at_least_else_a_fifth() -> None:
    rule = Budgeted()
    assert [rule.wait_s(1, 503, 0.0, 0.5, 2) is not None for _ in range(4)] == [True] * 3 + [False]
    assert rule.wait_s(1, 503, 0.0, 0.5, 20) is not None  # 20 % of 20 = 4
    assert rule.wait_s(1, 503, 0.0, 0.5, 20) is None
    rule.ended()
    assert rule.wait_s(1, 503, 0.0, 0.5, 20) is not None
    assert rule.running == 4


@pytest.mark.parametrize(
    ("attempt", "status", "retries_max", "wait_s"),
    [
        (1, 0, 1, 0.0125),
        (1, 500, 1, None),
        (2, 503, 1, None),
        (2, 502, 9, 0.0375),
        (6, 504, 9, 0.125),
    ],
)
def test_backoff_by_hand(attempt: int, status: int, retries_max: int, wait_s: float | None) -> None:
    rule = Budgeted({"retries_max": retries_max})
    found = rule.wait_s(attempt, status, 0.0, 0.5, 100)
    assert found == (pytest.approx(wait_s) if wait_s is not None else None)
    assert rule.running == (wait_s is not None)
