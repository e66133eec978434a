"""Is no answer granted more than the client asked, the class allows and the price affords?"""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.loops.output import affordable, granted
from flyball.model.request import OutputRule

COUNTS = st.integers(0, 100_000)


@given(asked=COUNTS, tokens_max=COUNTS, by_price=st.booleans(), most=st.floats(-1e6, 1e6))
def test_bounds(asked: int, tokens_max: int, by_price: bool, most: float) -> None:
    rule = OutputRule(tokens_max=tokens_max, by_price=by_price, tokens_min=100)
    bound = granted(rule, asked, most)
    limits = [limit for limit in (asked, tokens_max) if limit]
    if limits:
        assert 0 < bound <= min(limits)
        assert bound >= min(100, *limits)
    else:
        assert bound == 0 or (by_price and bound >= 100)
    if not by_price:
        assert bound == min(limits, default=0)


def test_a_class_without_a_rule_is_left_alone() -> None:
    assert granted(OutputRule(), 0, 1.0) == 0
    assert granted(OutputRule(), 700, 1.0) == 700


def test_the_price_affords_what_is_left_of_the_value() -> None:
    assert affordable(0.01, 0.004, 200, 0.00001) == pytest.approx(800)
    assert affordable(0.01, 0.02, 200, 0.0001) == pytest.approx(100)
    assert affordable(0.01, 0.004, 200, 0.0) == inf
