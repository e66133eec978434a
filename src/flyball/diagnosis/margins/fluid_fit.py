"""Which parameters of the fluid twin do the last signals show, and how sure are they?

Known controllers first: gains and targets are read from their columns, never estimated. The plant
is fitted: load; the slope and intercept of each pool's latency over its queue (the local slope, so
that another queue law shifts the parameters and not the loop's gain); the curve of failures from
the attempts by lot with more and with less context; what share of the failed comes back.
"""

from typing import Any

import numpy as np
from msgspec import Struct

from flyball.diagnosis.margins import fluid
from flyball.diagnosis.signals import Signals

Array = np.ndarray[Any, Any]

ARM = 0.04
_SLOPE_SPREAD_MIN = 0.03
_LOAD_SPREAD_MIN = 0.005
# What commissioning knows of the curve of failures: standard deviations of its middle and base.
_MID_SPREAD, _BASE_SPREAD = 0.025, 0.01
_AGE_SPREAD = 0.1
_STEPS = 8
NEEDED = (
    "plant.fresh_per_s",
    "plant.attempts_per_s",
    "plant.spend_per_s",
    "fast.queue",
    "fast.latency_s",
    "fast.replicas",
    "slow.queue",
    "slow.latency_s",
    *(f"loop.{loop}.setpoint" for loop in ("cost", "router", "autoscaler", "power")),
)


class Fit(Struct, frozen=True, kw_only=True):
    """`values` = the twin's knobs; `spreads` = their relative standard deviations; `state` = where
    the fleet stood on average, [N, 1], to seek its rest from."""

    values: dict[str, float]
    spreads: dict[str, float]
    state: Array

    def thetas(self, count: int, seed: int = 0) -> Array:
        """The fitted knobs, then `count` draws around them: [K, 1 + count]."""
        chance = np.random.default_rng(seed)
        made = fluid.theta(self.values, 1 + count)
        for name, spread in self.spreads.items():
            made[fluid.KNOBS.index(name), 1:] *= np.exp(spread * chance.normal(size=count))
        return made


def missing(signals: Signals) -> tuple[str, ...]:
    """Signals without which no fit is possible."""
    return tuple(name for name in NEEDED if not signals.has(name))


def fit(signals: Signals, known: dict[str, float] | None = None) -> Fit:
    """The twin of a window (30 min suit it). `known` overrides knobs: what was commissioned, such
    as the age of telemetry. Raises KeyError naming a signal that is not there."""
    mean = {name: float(np.nanmean(signals.column(name))) for name in signals.names}
    values = dict(fluid.NOMINAL) | (known or {})
    for loop, knob in fluid.GAINS.items():
        if signals.has(f"loop.{loop}.gain"):
            values[knob] = float(signals.column(f"loop.{loop}.gain")[-1])
    fresh = signals.column("plant.fresh_per_s")
    values["load"] = mean["plant.fresh_per_s"]
    kept = mean["loop.cost.setpoint"]
    each = values["work_base"] + (1 - values["work_base"]) * kept
    tokens = mean["plant.spend_per_s"] / max(mean["plant.attempts_per_s"] * each, 1e-9)
    if signals.has("loop.cost.target"):
        values["budget"] = float(signals.column("loop.cost.target")[-1]) / tokens
    spreads = {"load": max(_LOAD_SPREAD_MIN, _mean_spread(fresh)), "age": _AGE_SPREAD}
    for pool in ("fast", "slow"):
        c, rate, spread = _pool(signals, pool, values)
        values[f"{pool}_c"], values[f"{pool}_rate"] = c, rate
        spreads[f"{pool}_c"] = spread
    queue = mean["fast.queue"]
    # The autoscaler stands still on average: what it reads there is its target in the twin's law.
    values["use_target"] = float(np.clip(queue / (queue + values["fast_c"]), 0.2, 0.97))
    spreads |= _curve(signals, values, mean)
    failed = mean.get("plant.quality_failed_per_s", 0.0) + mean.get("plant.late_per_s", 0.0)
    if failed > 0 and signals.has("plant.retries_per_s"):
        values["persistence"] = float(np.clip(mean["plant.retries_per_s"] / failed, 0.0, 0.98))
    return Fit(values=values, spreads=spreads, state=_state(mean, values))


def _mean_spread(series: Array) -> float:
    """Relative standard error of a mean whose rows depend on each other: from ten blocks."""
    blocks = np.array([np.nanmean(part) for part in np.array_split(series, 10)])
    return float(np.std(blocks) / np.sqrt(len(blocks)) / max(np.mean(blocks), 1e-9))


def _pool(signals: Signals, pool: str, values: dict[str, float]) -> tuple[float, float, float]:
    """c, rate and c's relative spread, from latency * capacity = (c + Q)/rate by least squares."""
    queue, waits = signals.column(f"{pool}.queue"), signals.column(f"{pool}.latency_s")
    kept = signals.column("loop.cost.setpoint")
    each = values["work_base"] + (1 - values["work_base"]) * kept
    size = np.ones_like(queue)
    if pool == "fast":
        size = signals.column("fast.replicas") * signals.column("loop.power.setpoint")
    y = waits * size / each
    use = np.isfinite(y) & np.isfinite(queue)
    x = queue[use] - queue[use].mean()
    level = float(y[use].mean())
    within = float((x**2).sum())
    slope = float((x * y[use]).sum()) / max(within, 1e-9)
    rest = y[use] - level - slope * x
    error = float(np.sqrt((rest**2).mean() / max(within, 1e-9)))
    middle = float(queue[use].mean())
    # A slope beyond proportional means c < 0, which the twin's law has not; one at or below zero
    # that latency does not answer to load at all.
    steepest, flattest = level / (middle * 1.02), level / (middle * 20.0)
    slope = float(np.clip(slope, flattest, steepest))
    c = level / slope - middle
    spread = min(max(_SLOPE_SPREAD_MIN, error / slope * (c + middle) / max(c, 1e-9)), 0.5)
    return c, 1.0 / slope, spread


def _curve(signals: Signals, values: dict[str, float], mean: dict[str, float]) -> dict[str, float]:
    """Fits base and middle of the curve of failures in `values`; returns their spreads.

    Maximum a posteriori by Gauss-Newton on binomial counts of both arms; with no arms, of all.
    """
    kept, rows, step = mean["loop.cost.setpoint"], len(signals.values), signals.step_s
    tried, failed, at = [], [], []
    for arm, offset in (("low", -ARM), ("high", ARM)):
        if signals.has(f"arm.{arm}.tried", f"arm.{arm}.failed"):
            tried.append(mean[f"arm.{arm}.tried"] * rows * step)
            failed.append(mean[f"arm.{arm}.failed"] * rows * step)
            at.append(kept + offset)
    if not tried and signals.has("plant.quality_failed_per_s"):
        tried.append(mean["plant.attempts_per_s"] * rows * step)
        failed.append(mean["plant.quality_failed_per_s"] * rows * step)
        at.append(kept)
    prior = np.array([values["fail_base"], values["fail_mid"]])
    trust = np.diag([_BASE_SPREAD**-2.0, _MID_SPREAD**-2.0])
    guess, precision = prior.copy(), trust
    counts, bad, places = np.array(tried), np.array(failed), np.array(at)
    for _ in range(_STEPS if len(counts) else 0):
        bent = fluid.sigmoid((guess[1] - places) / values["fail_width"])
        chance = np.clip(guess[0] + values["fail_span"] * bent, 1e-4, 0.999)
        by_mid = values["fail_span"] * bent * (1 - bent) / values["fail_width"]
        jacobian = np.stack([np.ones_like(chance), by_mid], axis=1)
        weight = counts / (chance * (1 - chance))
        precision = trust + jacobian.T @ (weight[:, None] * jacobian)
        pull = trust @ (prior - guess) + jacobian.T @ (weight * (bad / counts - chance))
        guess = guess + np.clip(np.linalg.solve(precision, pull), -0.03, 0.03)
        guess[0] = max(guess[0], 1e-4)
    values["fail_base"], values["fail_mid"] = float(guess[0]), float(guess[1])
    spread = np.sqrt(np.diag(np.linalg.inv(precision)))
    return {"fail_mid": float(spread[1] / guess[1])}


def _state(mean: dict[str, float], values: dict[str, float]) -> Array:
    state = fluid.start(fluid.theta(values))
    state[0], state[1] = mean["fast.queue"], mean["slow.queue"]
    state[fluid.SHARE] = mean["loop.router.setpoint"]
    state[fluid.KEPT] = mean["loop.cost.setpoint"]
    state[fluid.SPEED] = mean["loop.power.setpoint"]
    state[fluid.ORDERED] = mean["fast.replicas"]
    state[fluid.RETRIES] = max(mean["plant.attempts_per_s"] - values["load"], 0.0)
    return state
