"""Is the problem posed from what is known, and does the board tell all of the answer?"""

import math

import msgspec
import pytest

from flyball.governor.commands import Publish, Record, Solve
from flyball.governor.events import Solved, Tick
from flyball.governor.governor import Governor
from flyball.governor.period.price import build_problem, forecast
from flyball.governor.policy import Budget, Pricing
from flyball.governor.tally import RATE_MEMORY_S
from flyball.model.fleet import Fleet
from flyball.model.loop import LoopPolicy
from flyball.model.prices import PriceBoard
from flyball.pricing.highs import Solver
from flyball.pricing.risk import z_of
from support import fleets


def core(fleet: Fleet | None = None, rate: float = 5.0, **policy: object) -> Governor:
    made = Governor(fleet or fleets.fleet(), fleets.policy(**policy))
    for tally in made.state.tallies.values():
        tally.rate_per_s, tally.updated_at = rate, 1.0
    return made


def board_of(made: Governor, at: float = 1.0) -> PriceBoard:
    """Tick, solve, publish."""
    asked = [c for c in made.handle(Tick(at=at)) if isinstance(c, Solve)]
    out = made.handle(Solved(at=at + 0.01, solution=Solver().solve(asked[0].problem)))
    refused = [c.record for c in out if isinstance(c, Record)]
    assert any(isinstance(c, Publish) for c in out), refused
    return made.board


def test_a_steady_rate_is_forecast_as_it_is_with_the_noise_of_its_own_estimate() -> None:
    state = core(rate=6.0).state
    for _ in range(20):
        mean, sd = forecast(state)["chat"]
    assert mean == pytest.approx(6.0)
    assert sd == pytest.approx(math.sqrt(6.0 / (2.0 * RATE_MEMORY_S)))


def test_a_rising_rate_is_expected_to_go_on_and_an_unsteady_one_is_less_sure() -> None:
    rising, unsteady = core().state, core().state
    for step in range(30):
        for tally in rising.tallies.values():
            tally.rate_per_s = 5.0 + 0.5 * step
        for tally in unsteady.tallies.values():
            tally.rate_per_s = 5.0 + 3.0 * (-1.0) ** step
        ahead, wide = forecast(rising)["chat"], forecast(unsteady)["chat"]
    assert ahead[0] > 5.0 + 0.5 * 28
    assert wide[1] > 3.0


def test_the_problem_carries_the_risk_that_policy_takes() -> None:
    state = core(pricing=Pricing(demand_risk=0.01)).state
    problem = build_problem(state, 1.0, forecast(state))
    assert problem.risk_z == z_of(0.01)
    assert problem.demand_sd_per_s == tuple(sd for _, sd in forecast(state).values())
    state = core(pricing=Pricing(demand_risk=0.0)).state
    assert build_problem(state, 1.0, forecast(state)).risk_z == 0.0


def test_classes_without_demand_are_left_out() -> None:
    made = core()
    made.state.tallies["batch"].rate_per_s = 0.0
    problem = build_problem(made.state, 1.0, forecast(made.state))
    assert "batch" not in problem.class_names and "chat" in problem.class_names


def paid(**site: float) -> Fleet:
    """The EU pool is bought per token; its site may be far by its link."""
    fleet = fleets.fleet()
    pools = (
        fleet.pools[0],
        msgspec.structs.replace(fleet.pools[1], usd_per_million_output_tokens=10.0),
    )
    sites = (fleet.sites[0], msgspec.structs.replace(fleet.sites[1], **site))
    return Fleet(sites=sites, pools=pools, endpoints=fleet.endpoints)


def test_a_budget_too_small_has_a_price_on_the_board() -> None:
    budgets = (Budget(name="team", usd_per_hour=1.0, classes=("eu-chat",)),)
    board = board_of(core(paid(), budgets=budgets))
    assert board.budgets[0][0] == "team" and board.budgets[0][1] > 0.1
    rich = (Budget(name="team", usd_per_hour=1000.0, classes=("eu-chat",)),)
    assert board_of(core(paid(), budgets=rich)).budgets == (("team", 0.0),)


def test_a_link_too_narrow_has_a_price_and_an_endless_one_is_not_posed() -> None:
    board = board_of(core(paid(link_bytes_per_s_max=100_000.0)))
    assert board.links[0][0] == "eu-edge" and board.links[0][1] > 0.0
    assert board_of(core(paid())).links == ()


def test_shared_replicas_have_a_price_and_the_plan_says_how_many() -> None:
    fleet = fleets.fleet(h100=2, l40s=2)
    loops = (LoopPolicy(name="residency", limit_high=2.0),)
    board = board_of(core(fleet, rate=40.0, loops=loops))
    assert len(board.groups) == 1 and board.groups[0][1] > 0.0
    asked = dict(board.replicas)
    assert 0 < sum(asked.values()) <= 2


def test_replicas_that_nobody_needs_are_not_asked_for() -> None:
    loops = (LoopPolicy(name="autoscaling", limit_low=1.0),)
    board = board_of(core(fleets.fleet(h100=6, l40s=6), rate=0.05, loops=loops))
    assert dict(board.replicas) == {"big": 1, "small": 1}
    assert board_of(core()).replicas == ()


def test_a_pool_under_a_power_limit_is_one_pool_on_the_board() -> None:
    fleet = fleets.fleet(h100=4, l40s=4)
    sites = tuple(msgspec.structs.replace(site, power_watts_max=1500.0) for site in fleet.sites)
    limited = Fleet(sites=sites, pools=fleet.pools, endpoints=fleet.endpoints)
    made = core(limited, rate=60.0, loops=(LoopPolicy(name="power"),))
    board = board_of(made)
    assert [price.pool for price in board.pools] == ["big", "small"]
    assert board.pools[0].usd_per_gpu_second > 0.0
    assert max(price.usd_per_joule for price in board.pools) > 0.0


def test_the_reserve_learns_how_far_peaks_cancel_out() -> None:
    made = core()
    board_of(made)
    first = dict(made.state.pooling)
    assert set(first) == {"big", "small"} and min(first.values()) < 1.0
    for at in (7.0, 13.0, 19.0):
        for tally in made.state.tallies.values():
            tally.rate_per_s, tally.updated_at = 5.0, at
        board_of(made, at)
    problem = made.state.problem
    assert problem is not None
    assert problem.pools[0].pooling == pytest.approx(made.state.pooling["big"], abs=0.1)
