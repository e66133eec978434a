"""Does the price of a budget follow what is spent, without swinging, and end with the plan?"""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.commands import Command, Publish
from flyball.governor.governor import Governor
from flyball.governor.period.correct import MOVE_MIN, SPEND_MEMORY_S, spent, trim
from flyball.governor.policy import Budget
from flyball.governor.state import State
from flyball.model.prices import PriceBoard
from flyball.model.signals import Settled
from support import fleets

LIMIT = 3.6 / 3600.0  # USD per second
BUDGETS = (Budget(name="chats", usd_per_hour=3.6, classes=("chat",)),)


def planned(price: float, valid_until: float = 1e6) -> State:
    state = Governor(fleets.fleet(), fleets.policy(budgets=BUDGETS)).state
    board = PriceBoard(version=3, made_at=0.0, valid_until=valid_until, budgets=(("chats", price),))
    state.trims.plan = board
    state.view.take_board(board)
    return state


def settled(output_tokens: int, endpoint: int = 0) -> Settled:
    return Settled(
        at=1.0, class_name="chat", model="m", endpoint=endpoint, outcome="served", is_retry=False,
        prompt_bytes=0, input_tokens=0, cached_tokens=0, output_tokens=output_tokens, ttft_s=0.1,
        e2e_s=1.0, ttft_s_predicted=0.1, tpot_s_predicted=0.01, in_time=True,
    )  # fmt: skip


def followed(state: State, ticks: int, demand: float) -> list[float]:
    """The price, tick by tick, where what is spent answers to it: demand / (1 + price)."""
    prices: list[float] = []
    spends = state.trims.usd_per_s
    for tick in range(ticks):
        price = dict(state.view.board.budgets)["chats"]
        spends["chats"] = spends.get("chats", 0.0) + demand / (1.0 + price) / SPEND_MEMORY_S
        trim(state, float(tick), [])
        prices.append(price)
    return prices


def test_a_budget_that_is_overspent_gets_dearer_until_it_holds() -> None:
    state = planned(0.0)
    prices = followed(state, 600, demand=4.0 * LIMIT)
    assert prices[-1] == pytest.approx(3.0, rel=0.15), "where 4 / (1 + price) is 1"
    assert max(prices) < 3.0 * 1.25, "no great overshoot"
    late = prices[400:]
    assert max(late) - min(late) < 2.5 * MOVE_MIN * max(late), "it stands still"


def test_a_price_that_is_too_high_comes_down_but_not_below_nothing() -> None:
    state = planned(2.0)
    prices = followed(state, 400, demand=0.2 * LIMIT)
    assert all(later <= sooner + 1e-9 for sooner, later in pairwise(prices))
    assert 0.0 <= prices[-1] < 0.1


def test_each_news_is_a_board_of_its_own_with_the_plans_end() -> None:
    state, out = planned(1.0, valid_until=50.0), list[Command]()
    state.trims.usd_per_s["chats"] = 100.0 * LIMIT
    for tick in range(10):
        state.trims.usd_per_s["chats"] = 100.0 * LIMIT
        trim(state, float(tick), out)
    boards = [command.board for command in out if isinstance(command, Publish)]
    assert [board.version for board in boards] == list(range(4, 4 + len(boards)))
    assert boards and all(board.valid_until == 50.0 for board in boards)
    trim(state, 51.0, out)
    assert not state.trims.added, "what a dead plan was given does not outlive it"


def test_only_money_paid_to_others_by_classes_under_a_budget_counts() -> None:
    state = planned(0.0)
    state.view.paid[1, 0] = 2e-6
    spent(state, (settled(1000), settled(1000, endpoint=3), settled(1000, endpoint=-1)))
    assert state.trims.usd_per_s == {"chats": pytest.approx(2e-3 / SPEND_MEMORY_S)}


@given(st.floats(0.1, 30.0), st.floats(0.0, 5.0))
def test_it_settles_for_any_demand(times: float, start: float) -> None:
    prices = followed(planned(start), 900, demand=times * LIMIT)
    wanted = max(0.0, times - 1.0)
    assert prices[-1] == pytest.approx(wanted, rel=0.3, abs=0.2)
