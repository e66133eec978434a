"""How much of an outcome's variance has the backend, its load, and a change of backend?

A mixed model with crossed random effects: logit P(y = 1) = mu + effects, or a normal outcome.
Penalised quasi-likelihood (Breslow and Clayton, JASA 1993) with Schall's updates of the variances
(Biometrika 1991). The factor of most levels (prompts) is eliminated as a diagonal block, and rows
are counted, not multiplied: a round costs O(rows f^2 + levels k^2) for the f other factors and
their k levels. It stays on one core, for a fleet's host has other work.

Quasi-likelihood is biased towards zero for factors with few calls per level (prompts), little for
those with many (backends): estimates are corrected by a parametric bootstrap, in rounds, as a world
drawn from a biased fit is biased less than the real one (iterated bootstrap: Hall and Martin,
Biometrika 1988). Intervals come from draws of the ratio
(s^2 + e) / (sigma^2 + e), with e the sampling variance of one level's effect: nearly pivotal, and
finite where the estimate is zero.
"""

from collections.abc import Mapping
from math import pi

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flyball.diagnosis.drift.edetector import Array

Codes = NDArray[np.intp]

LOGISTIC_VARIANCE = pi**2 / 3.0
"""Of the latent outcome of a logit model, the residual that shares are taken of."""
ROUNDS_MAX = 25
SETTLED = 0.01
LEAST = 1e-8
FLAT = 1e3
"""Variance of an effect of which nothing is known beforehand."""
CORRECTIONS, CORRECTED_BY = 3, 15
"""Rounds in which the world that outcomes are drawn anew from is corrected, and draws of each."""
FLOOR = 2.0
"""Least variance of that world, in sampling variances of a level: an estimate of zero excludes no
more than this."""
LOGIT_MAX, VARIANCE_MAX = 8.0, 50.0
"""Bounds of that world: beyond them outcomes are all alike."""
ONE_CORE = 200_000
"""Multiplications in a product of matrices up to which OpenBLAS starts no further threads (its own
limit is 2^18): for matrices of this size they cost more than they bring, twenty times on a host
whose cores are busy."""


class Component(Struct, frozen=True, kw_only=True):
    """Variance of one factor (logit squared, or the outcome's unit squared), its 95 % interval, and
    its share of the whole variance."""

    factor: str
    levels: int
    variance: float
    low: float
    high: float
    share: float


class Components(Struct, frozen=True, kw_only=True):
    """All factors in the order given; `residual` = variance that no factor has."""

    factors: tuple[Component, ...]
    residual: float
    mean: float


class Model:
    """Rows and their factors; each column holds level codes 0..n-1.

    Raises ValueError for no rows, no factors or columns of unlike length.
    """

    def __init__(self, factors: Mapping[str, Codes], is_binary: bool = True) -> None:
        lengths = {codes.size for codes in factors.values()}
        if len(lengths) != 1 or not min(lengths):
            raise ValueError("a model needs factors with one level per row, and rows")
        self.names = tuple(factors)
        self.levels = {name: int(codes.max()) + 1 for name, codes in factors.items()}
        self.many = max(self.names, key=lambda name: self.levels[name])
        self._is_binary = is_binary
        self._order = np.argsort(factors[self.many], kind="stable")
        self._level = factors[self.many][self._order]
        rows = self._level.size
        self._starts = np.flatnonzero(np.diff(self._level, prepend=-1))
        self._place = np.cumsum(np.diff(self._level, prepend=-1) > 0) - 1
        self._slices: dict[str, slice] = {}
        columns, at = [np.zeros(rows, dtype=np.intp)], 1
        for name in self.names:
            if name != self.many:
                columns.append(at + factors[name][self._order])
                self._slices[name] = slice(at, at + self.levels[name])
                at += self.levels[name]
        # Column 0 is the mean; each row has a one in one column of every factor.
        self._columns, self._width = np.array(columns), at
        self._pairs = (self._columns[:, None] * at + self._columns[None]).ravel()
        self._crossed = (self._place * at + self._columns).ravel()

    def fit(
        self, outcome: Array, begin: Mapping[str, float] | None = None
    ) -> tuple[dict[str, float], float, float, dict[str, float]]:
        """Variance per factor, residual variance, mean (logit), sampling variance of a level.

        `begin` = variances to begin at."""
        y = outcome[self._order]
        eta = np.full(y.size, self._begin(y))
        variances = dict.fromkeys(
            self.names, 0.2 if self._is_binary else float(y.var()) / 4.0 + LEAST
        )
        variances |= begin or {}
        residual = LOGISTIC_VARIANCE if self._is_binary else float(y.var()) / 2.0 + LEAST
        weights, beta = np.ones(y.size), np.zeros(1)
        for _ in range(ROUNDS_MAX):
            weights, working = self._working(y, eta, residual)
            beta, eta, traces, squares = self._solve(weights, working, variances)
            updated = {
                name: max(
                    LEAST,
                    squares[name] / max(self.levels[name] - traces[name] / variances[name], 1e-3),
                )
                for name in self.names
            }
            if not self._is_binary:
                used = 1.0 + sum(self.levels[n] - traces[n] / variances[n] for n in self.names)
                residual = float(np.square(y - eta).sum()) / max(y.size - used, 1.0) + LEAST
            moved = max(abs(updated[n] - variances[n]) / (variances[n] + 0.01) for n in self.names)
            variances = updated
            if moved < SETTLED:
                break
        return variances, residual, float(beta[0]), self._sampling(weights, variances)

    def draw(
        self, variances: Mapping[str, float], residual: float, mean: float, rng: np.random.Generator
    ) -> Array:
        """Outcomes of the same rows under these variances, in the rows' own order."""
        eta = np.full(self._level.size, mean)
        for name in self.names:
            effect = np.sqrt(variances[name]) * rng.normal(size=self.levels[name])
            if name == self.many:
                eta += effect[self._level]
            else:
                column = self._columns[1 + [*self._slices].index(name)]
                eta += effect[column - self._slices[name].start]
        if self._is_binary:
            drawn = (rng.random(eta.size) < 1.0 / (1.0 + np.exp(-eta))).astype(np.float64)
        else:
            drawn = eta + np.sqrt(residual) * rng.normal(size=eta.size)
        found = np.empty_like(drawn)
        found[self._order] = drawn
        return found

    def _begin(self, y: Array) -> float:
        mean = float(y.mean())
        if not self._is_binary:
            return mean
        mean = min(max(mean, 1e-3), 1.0 - 1e-3)
        return float(np.log(mean / (1.0 - mean)))

    def _working(self, y: Array, eta: Array, residual: float) -> tuple[Array, Array]:
        if not self._is_binary:
            return np.full(y.size, 1.0 / residual), y
        held = np.clip(eta, -8.0, 8.0)
        p = 1.0 / (1.0 + np.exp(-held))
        weights = p * (1.0 - p)
        return weights, held + (y - p) / weights

    def _solve(
        self, weights: Array, working: Array, variances: Mapping[str, float]
    ) -> tuple[Array, Array, dict[str, float], dict[str, float]]:
        """One solution of the mixed model's equations: all effects but the many, the predictor, and
        per factor the trace of its block of the inverse and its effects' sum of squares."""
        left, cross, diagonal = self._normal(weights, variances)
        right = np.add.reduceat(weights * working, self._starts)
        for name, part in self._slices.items():
            left[part, part] += np.eye(self.levels[name]) / variances[name]
        inverse = np.linalg.inv(left)
        spread = cross / diagonal[:, None]
        beta = inverse @ (_sums(self._columns, weights * working, self._width) - spread.T @ right)
        many = right / diagonal - spread @ beta
        eta = beta[self._columns].sum(axis=0) + many[self._place]
        traces = {n: float(np.trace(inverse[part, part])) for n, part in self._slices.items()}
        squares = {n: float(np.square(beta[part]).sum()) for n, part in self._slices.items()}
        traces[self.many] = float(
            (1.0 / diagonal).sum() + (_product(spread, spread) * inverse).sum()
        )
        squares[self.many] = float(np.square(many).sum())
        return beta, eta, traces, squares

    def _normal(self, weights: Array, variances: Mapping[str, float]) -> tuple[Array, Array, Array]:
        """The equations [k, k] with the many eliminated, before any prior; and what eliminates
        them, [levels, k] and [levels]."""
        width = self._width
        cross = _sums(self._crossed, weights, self._starts.size * width).reshape(-1, width)
        diagonal = np.add.reduceat(weights, self._starts) + 1.0 / variances[self.many]
        whole = _sums(self._pairs, weights, width**2)
        left = whole.reshape(width, width) - _product(cross / diagonal[:, None], cross)
        return left, cross, diagonal

    def _sampling(self, weights: Array, variances: Mapping[str, float]) -> dict[str, float]:
        """Variance of a level's effect about the mean of all levels if nothing were known of it
        beforehand: what its own rows, and factors that are confounded with it, leave open."""
        found = {self.many: float(np.mean(1.0 / np.add.reduceat(weights, self._starts)))}
        left = self._normal(weights, variances)[0]
        for name, part in self._slices.items():
            prior = np.zeros(len(left))
            for other, place in self._slices.items():
                prior[place] = 1.0 / (variances[other] if other != name else FLAT)
            block = np.linalg.inv(left + np.diag(prior))[part, part]
            count = self.levels[name]
            free = np.trace(block) - block.sum() / count
            found[name] = float(free) / max(count - 1, 1)
        return found


def _again(
    model: Model,
    world: Mapping[str, float],
    residual: float,
    mean: float,
    sampling: Mapping[str, float],
    draws: int,
    rng: np.random.Generator,
) -> tuple[dict[str, list[float]], list[float]]:
    """Of outcomes drawn anew: per factor (estimate + e) / (the world's variance + e); and means."""
    ratios: dict[str, list[float]] = {name: [] for name in model.names}
    means = []
    for _ in range(draws):
        again, _, centre, _ = model.fit(model.draw(world, residual, mean, rng), world)
        means.append(centre)
        for name, extra in sampling.items():
            ratios[name].append((again[name] + extra) / (world[name] + extra))
    return ratios, means


def _sums(places: Codes, values: Array, width: int) -> Array:
    """Sums of `values` [rows] by place, [width]; `places` holds the rows several times over."""
    found = np.bincount(places.ravel(), np.tile(values, places.size // values.size), width)
    return found.astype(np.float64)


def _product(first: Array, second: Array) -> Array:
    """first.T @ second, [n, k] each, in parts that stay on one core."""
    size = max(32, ONE_CORE // (first.shape[1] * second.shape[1]))
    parts = range(0, len(first), size)
    return np.asarray(sum(first[at : at + size].T @ second[at : at + size] for at in parts))


def components(
    factors: Mapping[str, Codes],
    outcome: Array,
    rng: np.random.Generator,
    *,
    is_binary: bool = True,
    draws: int = 100,
) -> Components:
    """The variance of each factor with its interval. Raises ValueError as `Model` does."""
    model = Model(factors, is_binary)
    variances, residual, mean, sampling = model.fit(outcome)
    world = {name: max(variances[name], FLOOR * extra) for name, extra in sampling.items()}
    centre = mean
    for _ in range(CORRECTIONS if is_binary else 0):
        # A world as flat as the first fit would be too easy: its noise, and bias, are too small.
        ratios, means = _again(model, world, residual, centre, sampling, CORRECTED_BY, rng)
        centre = float(np.clip(centre + mean - np.median(means), -LOGIT_MAX, LOGIT_MAX))
        for name, extra in sampling.items():
            middle = (variances[name] + extra) / max(float(np.median(ratios[name])), LEAST)
            world[name] = float(np.clip(middle - extra, FLOOR * extra, VARIANCE_MAX))
    ratios, _ = _again(model, world, residual, centre, sampling, draws, rng)
    found = {}
    for name, extra in sampling.items():
        quantiles = np.maximum(np.quantile(ratios[name], (0.975, 0.5, 0.025)), LEAST)
        found[name] = np.maximum((variances[name] + extra) / quantiles - extra, 0.0).tolist()
        if found[name][0] > 0.0:
            # Far from its own world the ratio is not pivotal: that there is an effect at all must
            # be rarer in a world without it.
            without = [
                model.fit(model.draw(world | {name: LEAST}, residual, centre, rng), world)[0][name]
                for _ in range(draws)
            ]
            found[name][0] *= variances[name] > np.quantile(without, 0.975)
    whole = sum(middle for _, middle, _ in found.values()) + residual
    return Components(
        factors=tuple(
            Component(
                factor=name,
                levels=model.levels[name],
                variance=middle,
                low=low,
                high=high,
                share=middle / whole,
            )
            for name, (low, middle, high) in found.items()
        ),
        residual=residual,
        mean=centre,
    )
