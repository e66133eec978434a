"""When is a second copy asked for, and when is it worth its price?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.loops.hedge import due_after_s, is_worth, p_miss

TIMES = st.floats(0.001, 100.0)


@given(TIMES, TIMES, TIMES)
def test_it_is_asked_in_time_for_the_copy(predicted: float, other: float, promised: float) -> None:
    due = due_after_s(predicted, other, promised)
    if other >= promised:
        assert due < 0.0
    else:
        assert 0.0 < due <= promised - other


def test_most_requests_are_never_copied() -> None:
    assert due_after_s(0.2, 0.2, 1.0) == pytest.approx(0.7)
    assert due_after_s(0.2, 0.2, 0.5) == pytest.approx(0.25)
    assert due_after_s(0.4, 0.2, 0.5) == pytest.approx(0.3)


@given(TIMES, TIMES, TIMES)
def test_a_miss_is_likelier_the_longer_it_takes(one: float, two: float, promised: float) -> None:
    early, late = sorted((one, two))
    assert 0.0 <= p_miss(early, promised, 0.075) <= p_miss(late, promised, 0.075) <= 1.0


def test_worth_is_the_miss_averted() -> None:
    assert p_miss(1.0, 1.0, 0.075) == pytest.approx(0.5)
    assert is_worth(0.01, 0.9, 0.1, 0.008)
    assert not is_worth(0.01, 0.9, 0.9, 0.001)
    assert not is_worth(0.01, 0.01, 0.0, 0.0002)
