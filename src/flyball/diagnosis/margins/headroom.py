"""By which factor may demand grow before the pools there are can no longer serve all of it?

s* = max { s : sum of x over the ways of class c = s d_c, uses of each resource <= what there is,
x >= 0 }: maximum concurrent flow. By linear duality 1/s* is the value of a game: prices on the
resources (a point of the simplex) against each class's cheapest way. Regret matching+ on the prices
with linearly weighted means (Tammelin, "Solving large imperfect information games using CFR+",
arXiv 1407.5042) gives both sides at once: the mean of the placements works (s* is at least 1 / its
fullest resource), the best prices seen prove that none does better. So the answer is an interval,
and its width says how exact it is.
"""

from math import inf
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

# Entries of the table that are looked at in all: some 30 ms at 300 classes x 100 pools.
EFFORT = 4_000_000
ROUNDS_MIN, ROUNDS_MAX = 60, 600
# Rounds after which the interval is looked at, and the width that is good enough.
_EVERY, _GAP = 20, 0.02


class Headroom(Struct, frozen=True, kw_only=True):
    """`low` <= s* <= `high`; 1 = exactly today's demand, inf = there is none. `resource` = the one
    whose price is highest, -1 = none. `costs` (C,) = what one request per second of each class
    takes at those prices, as a share of all there is: demand times them is 1 / `high`."""

    low: float
    high: float
    resource: int
    costs: Floats


class Ways(Struct, frozen=True, kw_only=True):
    """n ways to serve a class, sorted by class: `class_index` (n,), and of each the share of two
    resources that one request per second of its takes: `first` and `second` (n,), `share_first`
    and `share_second` (n,). A share of inf = there is none of that resource."""

    class_index: Ints
    first: Ints
    second: Ints
    share_first: Floats
    share_second: Floats
    resources: int


def headroom(ways: Ways, demand_per_s: Floats) -> Headroom:
    """The interval of s*; [0, 0] where a class with demand has no way at all."""
    wanted = demand_per_s > 0.0
    nothing = np.zeros(len(demand_per_s))
    if not wanted.any():
        return Headroom(low=inf, high=inf, resource=-1, costs=nothing)
    use = np.flatnonzero(
        wanted[ways.class_index] & np.isfinite(ways.share_first) & np.isfinite(ways.share_second)
    )
    classes = ways.class_index[use]
    begins = np.flatnonzero(np.diff(classes, prepend=-1))
    if len(begins) < int(wanted.sum()):
        return Headroom(low=0.0, high=0.0, resource=-1, costs=nothing)
    game = _Game(ways, use, begins, demand_per_s[classes])
    low, high, prices = _play(game, ways.resources)
    costs = nothing
    costs[classes[begins]] = game.costs(prices) / demand_per_s[classes[begins]]
    return Headroom(low=low, high=max(low, high), resource=int(prices.argmax()), costs=costs)


class _Game:
    """The ways in use, and what each round needs of them."""

    def __init__(self, ways: Ways, use: Ints, begins: Ints, demand: Floats) -> None:
        self.first, self.second = ways.first[use], ways.second[use]
        # All of a class's demand by this way, as shares of the resources.
        self.load_first = ways.share_first[use] * demand
        self.load_second = ways.share_second[use] * demand
        self.begins = begins
        self.group = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(use)))

    def _cost(self, prices: Floats) -> Floats:
        return prices[self.first] * self.load_first + prices[self.second] * self.load_second

    def costs(self, prices: Floats) -> Floats:
        """Of each class with demand, at its cheapest way."""
        return np.minimum.reduceat(self._cost(prices), self.begins)

    def answer(self, prices: Floats) -> tuple[float, Floats]:
        """(value, loads): each class goes where it is cheapest at these prices."""
        cost = self._cost(prices)
        least = np.minimum.reduceat(cost, self.begins)
        places = np.arange(len(cost))
        hit = np.where(cost <= least[self.group], places, len(cost))
        chosen = np.minimum.reduceat(hit, self.begins)
        loads: Any = np.bincount(self.first[chosen], self.load_first[chosen], len(prices))
        loads += np.bincount(self.second[chosen], self.load_second[chosen], len(prices))
        return float(least.sum()), loads


def _play(game: _Game, resources: int) -> tuple[float, float, Floats]:
    """(low, high, the prices that prove `high`)."""
    rounds = int(min(ROUNDS_MAX, max(ROUNDS_MIN, EFFORT // max(1, len(game.first)))))
    total, mean = np.zeros(resources), np.zeros(resources)
    regret = np.zeros(resources)
    prices = shown = np.full(resources, 1.0 / resources)
    best, low, high = 0.0, 0.0, inf
    for number in range(1, rounds + 1):
        value, loads = game.answer(prices)
        total += number * loads
        mean += number * prices
        if number % _EVERY == 0 or number == rounds:
            for some in (prices, mean / mean.sum()):
                proven, _ = game.answer(some)
                if proven > best:
                    best, shown = proven, some
            low, high = number * (number + 1) / 2.0 / float(total.max()), 1.0 / best
            if high - low <= _GAP * low:
                break
        regret = np.maximum(0.0, regret + loads - value)
        whole = float(regret.sum())
        prices = regret / whole if whole > 0.0 else prices
    return low, high, shown
