"""How many calls does it take to see a difference between backends, before one is made?

Success is binary; prompts differ in difficulty: logit p_i is normal around the base with
`prompt_sd`. Three designs: unlike prompts for each backend, the same prompts, and the same prompts
with the same random numbers, so that a share `shared` of answers differ only where the backend's
own effect decides (monotone coupling). Normal approximation: n = (z_a + z_b)^2 var / effect^2.
"""

from functools import cache
from math import exp, gamma, sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np

from flyball.units import Ratio

Design = Literal["unpaired", "paired", "common"]
NODES = 64
TERMS_MAX = 1_000


def calls_needed(
    effect: Ratio,
    design: Design,
    *,
    base: Ratio = 0.85,
    prompt_sd: float = 2.5,
    shared: Ratio = 0.8,
    power: Ratio = 0.8,
    alpha: Ratio = 0.05,
) -> int:
    """Calls per backend (= prompts, where paired) to see a loss of `effect` in the success rate.

    Raises ValueError for an effect that is no loss between two rates.
    """
    z = _z(alpha, power)
    return int(np.ceil(z**2 * variance(effect, design, base, prompt_sd, shared) / effect**2))


def power_with(
    calls: int,
    effect: Ratio,
    design: Design,
    *,
    base: Ratio = 0.85,
    prompt_sd: float = 2.5,
    shared: Ratio = 0.8,
    alpha: Ratio = 0.05,
) -> Ratio:
    """The chance to see the effect with that many calls per backend."""
    error = sqrt(variance(effect, design, base, prompt_sd, shared) / calls)
    return NormalDist().cdf(effect / error - NormalDist().inv_cdf(1.0 - alpha / 2.0))


def variance(effect: Ratio, design: Design, base: Ratio, prompt_sd: float, shared: Ratio) -> float:
    """Variance of one call's (or one pair's) difference. Raises ValueError as `calls_needed`."""
    if not 0.0 < effect < base < 1.0:
        raise ValueError(f"a loss of {effect} from a success rate of {base} cannot be")
    if design == "unpaired":
        other = base - effect
        return base * (1.0 - base) + other * (1.0 - other)
    a, weights = prompts(base, prompt_sd)
    b, _ = prompts(base - effect, prompt_sd)
    apart = float(weights @ (a * (1.0 - b) + b * (1.0 - a)))
    if design == "paired":
        return apart - effect**2
    together = float(weights @ np.abs(a - b))
    return (1.0 - shared) * apart + shared * together - effect**2


def crossed_power(
    backend_sd: float,
    backends: int,
    prompts_count: int,
    repeats: int,
    *,
    base: Ratio = 0.85,
    prompt_sd: float = 2.5,
    alpha: Ratio = 0.01,
) -> Ratio:
    """The chance that a crossed canary finds that backends differ, their effects being normal with
    `backend_sd` on the logit scale: every backend answers every prompt `repeats` times.

    Under that model the between-backends sum of squares is (1 + n s^2 / v) times chi-square.
    """
    p, weights = prompts(base, prompt_sd)
    noise = float(weights @ (p * (1.0 - p)))
    ratio = 1.0 + prompts_count * repeats * (backend_sd * noise) ** 2 / noise
    freedom = backends - 1
    return chi_square_beyond(_chi_square_limit(freedom, alpha) / ratio, freedom)


@cache
def prompts(rate: Ratio, sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Success chances of prompts (Gauss-Hermite nodes) whose mean is `rate`, and their weights."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    low, high = -40.0, 40.0
    for _ in range(80):
        middle = (low + high) / 2.0
        mean = float(weights @ (1.0 / (1.0 + np.exp(-(middle + sd * nodes)))))
        low, high = (middle, high) if mean < rate else (low, middle)
    return 1.0 / (1.0 + np.exp(-(low + sd * nodes))), weights


def chi_square_beyond(x: float, freedom: int) -> float:
    """The chance that chi-square exceeds x: 1 - the series of the incomplete gamma function
    (Abramowitz and Stegun 6.5.29)."""
    if x <= 0.0:
        return 1.0
    if x > 600.0:
        return 0.0
    a, half = freedom / 2.0, x / 2.0
    term = total = 1.0 / a
    for i in range(1, TERMS_MAX):
        term *= half / (a + i)
        total += term
        if term < total * 1e-15:
            break
    return float(max(0.0, 1.0 - total * exp(-half) * half**a / gamma(a)))


def _chi_square_limit(freedom: int, alpha: Ratio) -> float:
    low, high = 0.0, 600.0
    for _ in range(80):
        middle = (low + high) / 2.0
        low, high = (middle, high) if chi_square_beyond(middle, freedom) > alpha else (low, middle)
    return low


def _z(alpha: Ratio, power: Ratio) -> float:
    return NormalDist().inv_cdf(1.0 - alpha / 2.0) + NormalDist().inv_cdf(power)
