"""Is a replica worth the integral of its price, and does the count rest where no move pays?"""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flyball.governor.loops.worth import ReplicaCost, Work, best_count, price, relief, undone

works = st.builds(
    Work,
    st.floats(0.0, 50.0),
    st.floats(0.0, 10.0),
    st.floats(0.0, 1.0),
)


def test_without_uncertainty_what_exceeds_the_capacity_is_undone() -> None:
    work = Work(3.5, 0.0, 2.0)
    assert [undone(work, count) for count in (3, 4)] == [0.5, 0.0]
    assert relief(work, 4) == pytest.approx(1.0)
    assert [price(work, count) for count in (3, 4)] == [2.0, 0.0]


def test_at_the_mean_half_a_deviation_over_root_pi_is_undone() -> None:
    assert undone(Work(5.0, 1.0, 1.0), 5.0) == pytest.approx(0.3989422804014327)


@given(works, st.integers(1, 60))
def test_a_replica_is_worth_the_price_integral_over_what_it_adds(work: Work, count: int) -> None:
    assume(work.deviation > 0.1)
    steps = 2000
    integral = sum(price(work, count - 1 + (i + 0.5) / steps) for i in range(steps)) / steps
    assert relief(work, count) == pytest.approx(integral, rel=1e-4, abs=1e-7)


@given(works, st.integers(1, 60))
def test_one_more_is_never_worth_more_than_the_last(work: Work, count: int) -> None:
    assert relief(work, count + 1) <= relief(work, count) + 1e-12


@given(works, st.integers(0, 20), st.floats(0.0, 0.5), st.floats(0.0, 50.0), st.floats(0.0, 50.0))
def test_where_it_rests_no_single_move_pays(
    work: Work, present: int, usd: float, start: float, stop: float
) -> None:
    cost, horizon_s = ReplicaCost(usd, start, stop), 600.0
    count = best_count(work, present, 0, 20, cost, horizon_s)
    assert 0 <= count <= 20
    if count < 20 and count >= present:
        assert relief(work, count + 1) <= usd + start / horizon_s + 1e-12
    if 0 < count <= present:
        assert relief(work, count) >= usd - stop / horizon_s - 1e-12
    assert best_count(work, count, 0, 20, cost, horizon_s) == count, "it would move again"


def test_a_move_has_its_price_so_small_changes_move_nothing() -> None:
    dear = ReplicaCost(0.1, start_usd=30.0, stop_usd=30.0)
    free = ReplicaCost(0.1)
    work = Work(4.4, 0.3, 0.3)
    assert best_count(work, 4, 0, 9, dear, 300.0) == 4
    assert best_count(work, 4, 0, 9, free, 300.0) == 5
    assert best_count(work, 6, 0, 9, dear, 300.0) == 6


def test_nothing_asked_for_goes_to_the_lowest_count_allowed() -> None:
    none = Work(0.0, 0.0, 0.0)
    assert best_count(none, 3, 0, 9, ReplicaCost(0.1), 600.0) == 0
    assert best_count(none, 3, 1, 9, ReplicaCost(0.1), 600.0) == 1
