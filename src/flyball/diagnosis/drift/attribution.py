"""Which layer made the outcome drift, and which node of a call graph made its callers slow?

Layers: the mean of an outcome changes between two samples because some of P(layer | layers before)
changed. Each is swapped on its own, and each one's share is its Shapley value over all orders
(Budhathoki, Janzing, Bloebaum, Ng, "Why did the distribution change?", AISTATS 2021), with rows
drawn anew for an interval.

Graph: latency is inherited by callers. The cause is a strange node whose callees are not stranger.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import factorial

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flyball.diagnosis.drift.edetector import Array

Codes = NDArray[np.intp]

LAYERS_MAX = 6
CELLS_MAX = 200_000
BACKING = 1.0
"""Rows' worth of the pooled conditional that each conditional leans on where it has few rows."""


class Share(Struct, frozen=True, kw_only=True):
    """Part of the outcome's change that a layer made, in the outcome's unit, with a 95 % interval;
    `first_share` = how often it was the largest among the draws."""

    layer: str
    change: float
    low: float
    high: float
    first_share: float


class Sample(Struct, frozen=True, kw_only=True):
    """Rows: `codes` [N, L] = each layer's state as a small whole number, in causal order, and the
    `outcome` [N]."""

    codes: Codes
    outcome: Array


def attribute(
    layers: Sequence[str], before: Sample, after: Sample, rng: np.random.Generator, draws: int = 200
) -> tuple[Share, ...]:
    """Every layer's share and, last, that of the outcome's own law given them ("outcome").

    The shares sum to the change of the mean. Sorted by size, largest first. Raises ValueError for
    no rows, more than `LAYERS_MAX` layers, or more combinations of states than `CELLS_MAX`.
    """
    sizes = _sizes(layers, before, after)
    names = (*layers, "outcome")
    whole = _shapley(_tables(before, sizes), _tables(after, sizes))
    drawn = np.array(
        [
            _shapley(_tables(_redrawn(before, rng), sizes), _tables(_redrawn(after, rng), sizes))
            for _ in range(draws)
        ]
    )
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    firsts = np.bincount(np.abs(drawn).argmax(axis=1), minlength=len(names)) / draws
    shares = [
        Share(layer=name, change=float(c), low=float(a), high=float(b), first_share=float(f))
        for name, c, a, b, f in zip(names, whole, low, high, firsts, strict=True)
    ]
    return tuple(sorted(shares, key=lambda share: -abs(share.change)))


def quantised(before: Array, after: Array, parts: int = 4) -> tuple[Codes, Codes]:
    """Codes of a continuous layer: cut at the quantiles of `before`."""
    cuts = np.unique(np.quantile(before, np.arange(1, parts) / parts))
    return np.searchsorted(cuts, before, side="right"), np.searchsorted(cuts, after, side="right")


def _sizes(layers: Sequence[str], before: Sample, after: Sample) -> tuple[int, ...]:
    count = len(layers)
    if not 1 <= count <= LAYERS_MAX:
        raise ValueError(f"{count} layers; between 1 and {LAYERS_MAX} can be told apart")
    for name, one in (("before", before), ("after", after)):
        if one.codes.shape != (one.outcome.size, count) or not one.outcome.size:
            raise ValueError(f"the sample {name} needs rows of {count} codes and one outcome each")
    sizes = tuple(
        1 + int(max(before.codes[:, i].max(), after.codes[:, i].max())) for i in range(count)
    )
    if np.prod(sizes) > CELLS_MAX:
        raise ValueError(f"{np.prod(sizes)} combinations of states; at most {CELLS_MAX}")
    return sizes


def _redrawn(sample: Sample, rng: np.random.Generator) -> Sample:
    rows = rng.integers(0, sample.outcome.size, size=sample.outcome.size)
    return Sample(codes=sample.codes[rows], outcome=sample.outcome[rows])


def _tables(sample: Sample, sizes: tuple[int, ...]) -> tuple[Array, Array]:
    """Rows per cell, and the sum of the outcome per cell."""
    cell = np.ravel_multi_index(tuple(sample.codes.T), sizes)
    rows = np.bincount(cell, minlength=int(np.prod(sizes))).astype(np.float64)
    sums = np.bincount(cell, weights=sample.outcome, minlength=rows.size).astype(np.float64)
    return rows.reshape(sizes), sums.reshape(sizes)


def _laws(rows: Array, sums: Array, pool: tuple[Array, Array]) -> list[Array]:
    """P(layer | layers before), each broadcast over the cells, and the mean outcome per cell."""
    laws: list[Array] = []
    layers = rows.ndim
    for i in range(layers):
        later = tuple(range(i + 1, layers))
        joint, joint_pool = rows.sum(axis=later), pool[0].sum(axis=later)
        given_pool = joint_pool / np.maximum(joint_pool.sum(axis=i, keepdims=True), 1.0)
        total = joint.sum(axis=i, keepdims=True)
        law = (joint + BACKING * given_pool) / (total + BACKING)
        laws.append(law.reshape(*law.shape, *([1] * len(later))))
    overall = pool[1].sum() / pool[0].sum()
    mean_pool = (pool[1] + BACKING * overall) / (pool[0] + BACKING)
    return [*laws, (sums + BACKING * mean_pool) / (rows + BACKING)]


def _shapley(before: tuple[Array, Array], after: tuple[Array, Array]) -> Array:
    pool = (before[0] + after[0], before[1] + after[1])
    old, new = _laws(*before, pool), _laws(*after, pool)
    count = len(old)
    worth: dict[frozenset[int], float] = {}
    for size in range(count + 1):
        for chosen in combinations(range(count), size):
            product: Array = np.ones(())
            for i in range(count):
                product = product * (new[i] if i in chosen else old[i])
            worth[frozenset(chosen)] = float(product.sum())
    shares = np.zeros(count)
    for i in range(count):
        for members, value in worth.items():
            if i not in members:
                weight = factorial(len(members)) * factorial(count - len(members) - 1)
                shares[i] += weight / factorial(count) * (worth[members | {i}] - value)
    return shares


def strangeness(usual: Array, now: Array) -> float:
    """How far the mean of `now` lies above `usual`, in robust standard deviations (1.4826 MAD, or a
    hundredth of the median if that is more). Values that are no numbers are passed over; 0 without
    any."""
    usual, now = usual[np.isfinite(usual)], now[np.isfinite(now)]
    if not usual.size or not now.size:
        return 0.0
    middle = float(np.median(usual))
    spread = 1.4826 * float(np.median(np.abs(usual - middle)))
    return (float(now.mean()) - middle) / max(spread, abs(middle) / 100.0, 1e-12)


def root_order(
    scores: Mapping[str, float], calls: Mapping[str, Sequence[str]], floor: float
) -> list[str]:
    """Nodes as causes, likeliest first.

    `scores` = strangeness of each node, `calls` = whom it calls. First those above `floor` whose
    callees are all below it, by score; then the other strange ones; then the rest.
    """

    def place(node: str) -> tuple[int, float]:
        score = scores[node]
        if score < floor:
            return 2, -score
        below = [scores.get(callee, 0.0) for callee in calls.get(node, ()) if callee != node]
        return (0 if all(one < floor for one in below) else 1), -score

    return sorted(scores, key=place)
