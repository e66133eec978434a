"""How fast do prices settle after a step of demand, and what is lost when the board is?

Three questions. The step rule alone (`pricing/step.py`) against its own table, with the slope of
demand known or wrong by a factor. The production core in the twin: demand of the fleet rises at
once and stays, and the board's prices are read until they stay where they end up. And the same core
whose solver answers nothing from a moment on: its board expires, and live prices alone decide.
"""

from collections.abc import Sequence
from math import exp

import msgspec
import numpy as np
from msgspec import Struct

from flyball.governor.policy import Policy
from flyball.model.fleet import Fleet
from flyball.model.prices import PriceBoard
from flyball.pricing.problem import Problem
from flyball.pricing.step import correct
from flyball.sim.experiments.contestants import DEFAULTS
from flyball.sim.experiments.trial import Trial, scenario
from flyball.sim.run import World, generated
from flyball.sim.scenario import Scenario
from flyball.units import Ratio, Seconds

# Ticks to 1 % of the fastest monotone rule by delay in ticks: research on delayed price loops that
# `pricing/step.py` restates (its double pole d/(d+1)).
TABLE_TICKS = {0: 1, 1: 7, 2: 11, 3: 16, 5: 25, 10: 48}
LIMIT_RATIO = 2.0
BAND: Ratio = 0.01
STEP_AT_S: Seconds = 180.0
END_S: Seconds = 480.0
STEP_FACTOR = 2.0
# A price of the twin counts as settled within a tenth of where it ends, or within two standard
# deviations of what it does there: demand itself is random.
TWIN_BAND: Ratio = 0.1
SETTLED_FROM_S: Seconds = 360.0


class Settling(Struct, frozen=True, kw_only=True):
    """`ticks` until the error stays below 1 %, -1 = never; `overshoot` = the farthest beyond where
    it ends, in shares of the way; `turns` = changes of the price's direction by more than 1 %."""

    ticks: int
    overshoot: Ratio
    turns: int


def rule(delay_ticks: int, slope_error: float, is_curved: bool, ticks: int = 1000) -> Settling:
    """The step rule against a demand that answers linearly, or like exp(-price).

    Capacity is 1; demand at a price of 0 rises at once from 1 to 1.5, so that the price that clears
    it rises from 0. `slope_error` = slope believed / slope true where the price will end.
    """
    slope = 1.0
    end = 0.5 if not is_curved else float(np.log(1.5))
    prices = [0.0] * (delay_ticks + 1)
    for _ in range(ticks):
        seen = prices[-1 - delay_ticks]
        used = 1.5 * exp(-seen) if is_curved else 1.5 - slope * seen
        prices.append(correct(prices[-1], used - 1.0, slope * slope_error, delay_ticks))
    return settled(prices[delay_ticks:], 0.0, end)


def settled(prices: Sequence[float], begin: float, end: float) -> Settling:
    """How a series of prices came from one value to another."""
    way = (np.array(prices) - begin) / (end - begin)
    outside = np.flatnonzero(np.abs(way - 1.0) > BAND)
    last = int(outside[-1]) + 1 if len(outside) else 0
    return Settling(
        ticks=last if last < len(way) else -1,
        overshoot=max(0.0, float(way.max()) - 1.0),
        turns=_turns(way),
    )


def _turns(way: np.ndarray) -> int:
    """Reversals of direction after which the series went back by more than the band."""
    turns, direction, extreme = 0, 1.0, float(way[0])
    for value in way.tolist():
        if direction * (value - extreme) > 0.0:
            extreme = value
        elif direction * (extreme - value) > BAND:
            turns, direction, extreme = turns + 1, -direction, value
    return turns


class PricedWorld(World):
    """A world that keeps each board's GPU price, `prices` = (time, USD/s), and whose solver may
    fall silent."""

    def __init__(
        self, shape: Scenario, fleet: Fleet, policy: Policy, silent_from_s: Seconds | None = None
    ) -> None:
        super().__init__(shape, fleet, policy, generated(shape))
        self.prices: list[tuple[Seconds, float]] = []
        sinks = self.driver.sinks
        solve, publish = sinks.solve, sinks.publish

        def asked(gateway: int, problem: Problem) -> None:
            if silent_from_s is None or self.clock.now < silent_from_s:
                solve(gateway, problem)

        def told(gateway: int, board: PriceBoard) -> None:
            self.prices.append((self.clock.now, _mean_usd(board)))
            publish(gateway, board)

        sinks.solve, sinks.publish = asked, told


def stepped(fleet: str, mix: str, step: int, seed: int, delay_s: Seconds) -> Scenario:
    """A run whose load rises at once and stays; the solver answers `delay_s` after it is asked."""
    trial = Trial(
        fleet=fleet, mix=mix, contestant=DEFAULTS["governor"], step=step, seed=seed, trouble="spike"
    )
    shape = scenario(trial)
    (rise,) = shape.triggers
    rise = msgspec.structs.replace(
        rise, at_s=STEP_AT_S, for_s=END_S - STEP_AT_S, factor=STEP_FACTOR
    )
    return msgspec.structs.replace(
        shape, duration_s=END_S, triggers=(rise,), solver_delay_ms=1000.0 * delay_s
    )


class TwinSettling(Struct, frozen=True, kw_only=True):
    """Of the fleet's mean GPU price: seconds and boards after the step until it stays in the band
    round where it ends; `beyond` = the highest above that end, in shares of it; `noise` = standard
    deviation there, in shares of it. Seconds are -1 where it never stays."""

    before_usd: float
    after_usd: float
    seconds: Seconds
    boards: int
    beyond: Ratio
    noise: Ratio


def mean_path(runs: Sequence[Sequence[tuple[Seconds, float]]]) -> list[tuple[Seconds, float]]:
    """The mean over runs of prices set at equal times: what demand does by chance in one run is
    averaged out. Runs differ in when they end."""
    count = min(sum(at < END_S for at, _ in one) for one in runs)
    usd = [[price for _, price in one[:count]] for one in runs]
    times = [at for at, _ in runs[0][:count]]
    return list(zip(times, np.mean(usd, axis=0).tolist(), strict=True))


def _mean_usd(board: PriceBoard) -> float:
    return sum(one.usd_per_gpu_second for one in board.pools) / len(board.pools)


def twin_settled(path: Sequence[tuple[Seconds, float]]) -> TwinSettling:
    """How the prices of a step settled."""
    at, usd = (np.array(column) for column in zip(*path, strict=True))
    rest, calm = usd[at >= SETTLED_FROM_S], usd[(at >= STEP_AT_S / 2.0) & (at < STEP_AT_S)]
    end, noise = float(rest.mean()), float(rest.std())
    moved = (at >= STEP_AT_S) & (at < SETTLED_FROM_S)
    outside = np.flatnonzero(moved & (np.abs(usd - end) > max(TWIN_BAND * end, 2.0 * noise)))
    first = float(at[outside[-1] + 1]) if len(outside) else STEP_AT_S
    return TwinSettling(
        before_usd=float(calm.mean()),
        after_usd=end,
        seconds=first - STEP_AT_S if first < SETTLED_FROM_S else -1.0,
        boards=int(((at >= STEP_AT_S) & (at <= first)).sum()),
        beyond=max(0.0, float(usd[moved].max()) / end - 1.0),
        noise=noise / end,
    )


LOST_AT_S: Seconds = 90.0


def steady(fleet: str, mix: str, step: int, seed: int) -> Scenario:
    """A run with nothing but its load, in which the solver may fall silent at `LOST_AT_S`."""
    trial = Trial(fleet=fleet, mix=mix, contestant=DEFAULTS["governor"], step=step, seed=seed)
    return scenario(trial)
