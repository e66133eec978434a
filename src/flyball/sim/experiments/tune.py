"""Which constants carry the most load? (A race of random and local samples, the same for all.)

The best so far stands at a step of the grid that it passes on every tuning seed. A sample is a
contestant drawn: every second one at random from the whole space, every other one near the best.
It is tried at the step above the best's; if it passes there on all seeds it is the new best, and
climbs as far as it passes. A sample that fails costs one or two runs, so many can be afforded; what
was found is a lower bound of what more samples would find.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from flyball.sim.experiments.contestants import Contestant, Range

# A local sample moves each constant with this chance, by this deviation (in shares of its range).
_MOVES = 0.5
_DEVIATION = 0.15

Spaces = Mapping[str, Mapping[str, Range]]
Passes = Callable[[Contestant, int], bool]


class Best(Struct, frozen=True, kw_only=True):
    """The best contestant so far, the step it passes on all tuning seeds, and the samples spent."""

    contestant: Contestant
    step: int
    samples: int


class Point(Struct, frozen=True):
    """A sample: a core, and where in its range each constant lies, in [0, 1]."""

    core: str
    shares: dict[str, float]
    retry: str = ""

    def contestant(self, spaces: Spaces) -> Contestant:
        """The contestant that it stands for."""
        values = {name: spaces[self.core][name].at(at) for name, at in self.shares.items()}
        if self.core == "governor":
            held = values.pop("hold_ratio", 0.0)
            return Contestant(core=self.core, pricing=values, hold_ratio=held)
        return Contestant(core=self.core, tuned=values, retry=self.retry)


def drawn(rng: np.random.Generator, spaces: Spaces, retries: Sequence[str]) -> Point:
    """A point of the whole space, each core as likely."""
    core = list(spaces)[int(rng.integers(len(spaces)))]
    shares = {name: float(rng.random()) for name in spaces[core]}
    return Point(core, shares, retries[int(rng.integers(len(retries)))])


def near(rng: np.random.Generator, point: Point) -> Point:
    """A point near another one; at least one constant moves."""
    names = list(point.shares)
    moved = {name for name in names if rng.random() < _MOVES}
    moved = moved or {names[int(rng.integers(len(names)))]}
    shares = {
        name: min(1.0, max(0.0, at + _DEVIATION * float(rng.normal()))) if name in moved else at
        for name, at in point.shares.items()
    }
    return Point(point.core, shares, point.retry)


def search(
    spaces: Spaces,
    retries: Sequence[str],
    begin: Best,
    samples: int,
    passes: Passes,
    seed: int,
    told: Callable[[Best], None],
) -> Best:
    """The best after `samples` samples, from `begin` (a contestant at its defaults and its step).

    Equal arguments draw equal samples, so that a search broken off goes on from kept results.
    `told` hears of each sample's end.
    """
    rng, best = np.random.default_rng(seed), begin
    point: Point | None = None
    for number in range(samples):
        local = number % 2 == 1 and point is not None
        sample = near(rng, point) if local and point else drawn(rng, spaces, retries)
        contestant, step = sample.contestant(spaces), best.step
        while passes(contestant, step + 1):
            step += 1
        if step > best.step:
            best, point = Best(contestant=contestant, step=step, samples=number + 1), sample
        else:
            best = Best(contestant=best.contestant, step=best.step, samples=number + 1)
        told(best)
    return best
