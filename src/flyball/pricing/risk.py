"""How surely does a plan's capacity suffice, and how much do its classes' peaks cancel out?

Demand of class c has mean d and standard deviation s. A pool that serves the share x / d of it has
the GPU time sum_a g x of it in the mean, with contributions q_c = g x s / d to its deviation. With
the correlation rho between any two classes

    sd^2 = rho (sum_c q_c)^2 + (1 - rho) sum_c q_c^2        (variance of a sum, equal correlations)

and `pooling` = sd / sum_c q_c lies between sqrt(rho) (many small classes) and 1 (one class, or all
in step): the square-root law of risk pooling (Eppen 1979, Management Science 25) for rho = 0.
The next problem's reserve uses it, so the reserve is exact for the plan it was taken from.
"""

from statistics import NormalDist

import numpy as np

from flyball.pricing.arrays import Floats, Ints, read_uses
from flyball.pricing.problem import Problem, Solution
from flyball.units import Ratio

CORRELATION: Ratio = 0.2
"""Between any two classes' deviations; set, not fitted: part of what moves demand moves all."""


def z_of(risk: Ratio) -> float:
    """Standard deviations above the mean exceeded with probability `risk` in (0, 0.5]; ValueError
    for another."""
    if not 0.0 < risk <= 0.5:
        raise ValueError(f"a risk must lie in (0, 0.5], got {risk!r}")
    return NormalDist().inv_cdf(1.0 - risk)


def _deviations(problem: Problem, solution: Solution) -> tuple[Floats, Floats, Floats]:
    """By pool (P,): GPU time in the mean, the sum of its classes' deviations, and of their
    squares."""
    uses, rates = read_uses(problem.activities), np.array(solution.rates, float)
    classes, pools = len(problem.class_names), len(problem.pools)
    some = np.flatnonzero(rates)
    work = uses.gpu_s[some] * rates[some]
    pool, klass = uses.pool_index[some], uses.class_index[some]
    mean = np.array(problem.demand_per_s, float)
    sd = np.array(problem.demand_sd_per_s or np.zeros(classes), float)
    variation = np.divide(sd, mean, out=np.zeros(classes), where=mean > 0)
    # Modes of one class at one pool rise and fall together: summed before they are squared.
    pair, place = np.unique(pool * max(1, classes) + klass, return_inverse=True)
    each = _sums(place, work * variation[klass], len(pair))
    owner = pair // max(1, classes)
    return (
        _sums(pool, work, pools),
        _sums(owner, each, pools),
        _sums(owner, each * each, pools),
    )


def _sums(index: Ints, amount: Floats, size: int) -> Floats:
    return np.bincount(index, amount, size).astype(np.float64, copy=False)


def pooling(
    problem: Problem, solution: Solution, correlation: Ratio = CORRELATION
) -> tuple[Ratio, ...]:
    """Of each pool under the plan (P,); 1 where nothing uncertain is served."""
    _, total, squares = _deviations(problem, solution)
    apart = np.divide(squares, total * total, out=np.ones_like(total), where=total > 0)
    found = np.sqrt(correlation + (1.0 - correlation) * np.minimum(apart, 1.0))
    return tuple(np.where(total > 0, found, 1.0).tolist())


def covered_z(
    problem: Problem, solution: Solution, correlation: Ratio = CORRELATION
) -> tuple[float, ...]:
    """Deviations of each pool's load (P,) that fit above its mean under the plan; infinite where
    nothing uncertain is served. The true figure, whatever `pooling` the problem assumed."""
    mean, total, squares = _deviations(problem, solution)
    sd = np.sqrt(correlation * total * total + (1.0 - correlation) * squares)
    size = np.array([pool.gpu_s_max for pool in problem.pools], float)
    for supply, count in zip(problem.supplies, solution.replicas, strict=True):
        size[supply.pool_index] += supply.gpu_s * count
    room = np.maximum(size - mean, 0.0)
    return tuple(np.divide(room, sd, out=np.full_like(sd, np.inf), where=sd > 0).tolist())
