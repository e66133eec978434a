"""Which synthetic fleets judge the detectors of drift and stress: their noise, their changes?"""

from collections.abc import Iterator

import numpy as np

from flyball.diagnosis.drift.attribution import Sample
from flyball.diagnosis.stress.power import prompts
from flyball.diagnosis.stress.propensity import Routes

ROUTES = 6
SHARES = (1 / np.arange(1, ROUTES + 1)) / (1 / np.arange(1, ROUTES + 1)).sum()
RATE = 120
NOISE_SD = 0.12
MEMORY = 30


def mixes(
    rng: np.random.Generator, runs: int, ticks: int, shift: float = 0.0, at: int = 0
) -> Iterator[np.ndarray]:
    """Counts [runs, routes] of each minute: AR(1) noise on the logits, then multinomial. From tick
    `at` on `shift` of all requests go from the first route to one drawn for each run. Ticks below
    0 are for learning: begin with ticks = -learning."""
    keep = np.exp(-1 / MEMORY)
    noise = NOISE_SD * rng.normal(size=(runs, ROUTES))
    to = rng.integers(1, ROUTES, size=runs)
    for tick in range(ticks):
        fresh = NOISE_SD * np.sqrt(1 - keep**2) * rng.normal(size=(runs, ROUTES))
        noise = keep * noise + fresh
        shares = np.tile(SHARES, (runs, 1))
        if shift and tick >= at:
            shares[:, 0] -= shift
            shares[np.arange(runs), to] += shift
        shares = shares * np.exp(noise)
        yield rng.multinomial(RATE, shares / shares.sum(axis=1, keepdims=True))


def layers(rng: np.random.Generator, rows: int, changed: str, size: float) -> Sample:
    """Rows of three layers and an outcome; one law is moved by `size`."""
    control = rng.random(rows) < 0.2 + size * (changed == "control")
    inference = rng.random(rows) < 0.2 + 0.4 * control + size * (changed == "inference")
    model = rng.random(rows) < 0.1 + 0.2 * inference + size * (changed == "model")
    chance = 0.05 + 0.3 * model + 0.25 * inference + 0.2 * control
    outcome = rng.random(rows) < chance + 0.3 * size * (changed == "outcome")
    return Sample(
        codes=np.column_stack([control, inference, model]).astype(np.intp),
        outcome=outcome.astype(np.float64),
    )


def pairs(
    rng: np.random.Generator, count: int, base: float, effect: float, shared: float
) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes of the same prompts at two backends, `shared` of them with the same randomness."""
    (first, weights), (second, _) = prompts(base, 2.5), prompts(base - effect, 2.5)
    which = rng.choice(first.size, size=count, p=weights)
    u = rng.random(count)
    v = np.where(rng.random(count) < shared, u, rng.random(count))
    return (u < first[which]) * 1.0, (v < second[which]) * 1.0


def routed(rng: np.random.Generator, count: int) -> tuple[Routes, float]:
    """Live routing that sends hard prompts to slow hardware under load, 5 % at random; and the
    true effect of the slow backend."""
    hard, load = rng.normal(size=count), rng.normal(size=count)
    greedy = (hard + load > 0.5).astype(float)
    chance = 0.95 * greedy + 0.05 * 0.5
    second = (rng.random(count) < chance).astype(float)
    eta = 2.2 - 0.8 * hard - 0.4 * load
    good, bad = 1 / (1 + np.exp(-eta)), 1 / (1 + np.exp(-(eta - 0.13)))
    outcome = (rng.random(count) < np.where(second > 0.5, bad, good)).astype(float)
    facts = np.column_stack([hard + 0.5 * rng.normal(size=count), load])
    routes = Routes(second=second, chance=chance, outcome=outcome, facts=facts)
    return routes, float((bad - good).mean())
