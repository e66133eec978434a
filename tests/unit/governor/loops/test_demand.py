"""Is demand counted once, at pools that may serve it, the cheapest in time first?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.loops.demand import USABLE, demand, pool_price, running_work
from flyball.model.prices import PoolPrice, PriceBoard
from support import steering

BIG, SMALL = 0, 1


def test_nothing_asked_for_is_no_work() -> None:
    asked = demand(steering.state(), [2.0, 2.0], lambda number: True)
    assert [one.work for one in asked] == [0.0, 0.0]


def test_a_class_goes_where_it_may_run_and_nowhere_else() -> None:
    asked = demand(steering.state(rates={"eu-chat": 1.0}), [2.0, 2.0], lambda number: False)
    assert asked[BIG].work == 0.0 and asked[SMALL].work > 0.0


def test_what_stands_there_anyway_is_used_before_what_must_be_paid_for() -> None:
    state = steering.state(rates={"chat": 1.0})
    for fixed in (BIG, SMALL):
        asked = demand(state, [2.0, 2.0], lambda number, fixed=fixed: number == fixed)
        assert asked[fixed].work > 0.0 and asked[1 - fixed].work == 0.0


def test_what_no_pool_has_room_for_shows_as_work_above_capacity() -> None:
    asked = demand(steering.state(rates={"chat": 1000.0}), [2.0, 2.0], lambda number: True)
    assert max(one.work for one in asked) > 4.0
    assert min(one.work for one in asked) == pytest.approx(2.0)


@given(st.floats(0.0, 200.0), st.floats(0.0, 200.0))
def test_more_demand_is_never_less_work(low: float, more: float) -> None:
    one = demand(steering.state(rates={"chat": low}), [2.0, 2.0], lambda number: True)
    two = demand(steering.state(rates={"chat": low + more}), [2.0, 2.0], lambda number: True)
    assert sum(d.work for d in two) >= sum(d.work for d in one) - 1e-9


def test_a_gpu_second_is_worth_what_its_requests_are() -> None:
    state = steering.state(rates={"chat": 4.0})
    asked = demand(state, [2.0, 0.0], lambda number: True)[BIG]
    assert asked.usd_per_gpu_s * asked.work == pytest.approx(4.0 * 0.01)
    gpu_s = asked.work * USABLE / 4.0
    assert asked.burst == pytest.approx((4.0 * gpu_s**2 / 2.0) ** 0.5 / USABLE)


def test_what_runs_is_counted_against_the_batch_that_keeps_the_promise() -> None:
    state = steering.state(rates={"chat": 1.0})
    assert running_work(state, BIG) == 0.0
    state.view.endpoints[0].running = 60
    before = running_work(state, BIG)
    state.view.endpoints[1].pending = 60
    assert running_work(state, BIG) == pytest.approx(2.0 * before)


def test_prices_are_zero_while_there_are_none() -> None:
    state = steering.state()
    assert pool_price(state, "big").usd_per_gpu_second == 0.0
    board = PriceBoard(
        version=1,
        made_at=0.0,
        valid_until=9.0,
        pools=(PoolPrice(pool="big", usd_per_gpu_second=0.5),),
    )
    state.view.take_board(board)
    assert pool_price(state, "big").usd_per_gpu_second == 0.5
    assert pool_price(state, "small").usd_per_gpu_second == 0.0
