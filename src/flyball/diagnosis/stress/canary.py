"""Which prompts go to which backends, when, and what do the answers say of the difference?

Paired canaries: each prompt goes to all backends with the same seed, so that prompt and chance fall
out of the difference. Rounds are spread over the whole time, so that all loads are met; within a
round the order of backends follows a Williams square, in which each backend stands after each other
one equally often (Williams, Austral. J. Sci. Res. 1949): that is what a transition effect needs.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np
from msgspec import Struct

from flyball.diagnosis.drift.edetector import Array
from flyball.units import Ratio, Seconds, Usd


class Budget(Struct, frozen=True, kw_only=True):
    """What canaries may use: calls in all, calls per backend and hour, money, in `span_s`."""

    calls: int
    span_s: Seconds
    hourly: int = 120
    usd: Usd = float("inf")
    call_usd: Usd = 0.0


class Probe(Struct, frozen=True, kw_only=True, gc=False):
    """One canary call. `previous` = the backend that the prompt's session was at before, "" = none.
    `seed` is the same for all backends of one prompt and round."""

    at: Seconds
    prompt: str
    backend: str
    seed: int
    previous: str


class Difference(Struct, frozen=True, kw_only=True):
    """A difference of success rates (second minus first) with its interval; `chance` two-sided."""

    value: float
    low: float
    high: float
    chance: float
    pairs: int


def plan(
    prompts: Sequence[str], backends: Sequence[str], budget: Budget, seed: int, start: Seconds = 0.0
) -> tuple[Probe, ...]:
    """Whole rounds (one prompt at every backend) as many as the budget allows, evenly in time.

    Prompts are used in turn in shuffled order, so that each is used equally often. Raises
    ValueError for less than two backends, no prompts, names twice, or a budget without one round.
    """
    width = len(backends)
    if width < 2 or len(set(backends)) < width or not prompts:
        raise ValueError("a canary needs two backends of different names, and a prompt")
    affordable = budget.usd / budget.call_usd if budget.call_usd > 0.0 else float("inf")
    hourly = budget.hourly * budget.span_s / 3600.0 * width
    rounds = int(min(budget.calls, affordable, hourly)) // width
    if rounds < 1:
        raise ValueError(f"the budget has no room for one round of {width} calls")
    rng = np.random.default_rng(seed)
    square = williams(width)
    order = [prompts[int(i)] for i in rng.permutation(len(prompts))]
    gap = budget.span_s / rounds
    probes = []
    for turn in range(rounds):
        row = square[turn % len(square)]
        drawn = int(rng.integers(0, 2**31))
        for place, which in enumerate(row):
            probes.append(
                Probe(
                    at=start + gap * (turn + place / width),
                    prompt=order[turn % len(order)],
                    backend=backends[which],
                    seed=drawn,
                    previous=backends[row[place - 1]] if place else "",
                )
            )
    return tuple(probes)


def williams(width: int) -> list[tuple[int, ...]]:
    """Rows of a Williams square: each stands at each place, and after each other, equally often.

    `width` rows for an even width, twice as many for an odd one.
    """
    first = [0]
    for i in range(1, width):
        first.append((i + 1) // 2 if i % 2 else width - i // 2)
    rows = [tuple((one + shift) % width for one in first) for shift in range(width)]
    return rows if width % 2 == 0 else rows + [tuple(reversed(row)) for row in rows]


def paired(first: Array, second: Array, level: Ratio = 0.95) -> Difference:
    """The mean difference of pairs, with Wald's interval widened for few discordant pairs.

    Half a pair is added to each of the four cells (Agresti and Min, Statistics in Medicine 2005),
    which keeps the interval's coverage where all pairs agree; the estimate itself stays unbiased.
    `first` and `second` hold one outcome (0 to 1) per pair. Raises ValueError for less than two.
    """
    pairs = first.size
    if pairs < 2 or second.size != pairs:
        raise ValueError("pairs need one outcome of each side, and two pairs are the least")
    gaps = second - first
    value = float(gaps.mean())
    square = (float(np.square(gaps).sum()) + 1.0) / (pairs + 2.0)
    error = sqrt(max(square - value**2, 0.0) / pairs)
    normal = NormalDist()
    z = normal.inv_cdf(0.5 + level / 2.0)
    return Difference(
        value=value,
        low=max(-1.0, value - z * error),
        high=min(1.0, value + z * error),
        chance=2.0 * (1.0 - normal.cdf(abs(value) / error)),
        pairs=pairs,
    )
