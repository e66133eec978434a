"""How would the coupled loops of a fleet move from here, if a gain, the load or a law were other?

A fluid twin, seconds by seconds and without chance, of two pools behind one router, with retries
and four known control laws: cost (context kept), router (share to the fast pool), autoscaler
(replicas of the fast pool) and power cap. It is small enough to run thousands of copies at once:
`states[N, copies]`, `theta[K, copies]`, a column per what-if.

Laws: continuous batching, throughput = mu Q/(c + Q) and so latency (c + Q)/mu with Q in flight; an
attempt fails by quality, base + span * sigmoid((mid - kept)/width), or by its client's patience,
sigmoid((latency - patience)/width); of the failed, a share comes back after a back-off.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from flyball.diagnosis.margins.whatif import Twin

Array = np.ndarray[Any, Any]

# The knobs: rows of theta. Work is counted in attempts of full context.
NOMINAL: dict[str, float] = {
    "load": 40.0,  # fresh tasks/s
    "budget": 38.0,  # work/s that the cost loop allows
    "cost_gain": 0.05,
    "router_gain": 0.01,
    "autoscaler_gain": 0.35,
    "use_target": 0.72,
    "age": 5.0,  # seconds from a latency until the router reads it
    "filter_s": 5.0,  # time constant of the filter before the router
    "fast_c": 60.0,
    "slow_c": 30.0,
    "fast_rate": 1.0,  # work/s of one replica
    "slow_rate": 15.0,  # work/s of the whole slow pool
    "fail_base": 0.03,
    "fail_span": 0.75,
    "fail_mid": 0.35,
    "fail_width": 0.07,
    "patience": 22.0,
    "patience_width": 1.5,
    "persistence": 0.8,
    "backoff_low": 3.0,
    "backoff_high": 11.0,
    "work_base": 0.5,  # work of an attempt without context; 1 - that is the context's
    "power_cap": 46.0,  # in full-speed replicas at full load
    "replicas_max": 400.0,
    "spike": 1.0,  # times the load, for the first `spike_s` seconds of a period
    "spike_s": 0.0,
    "kept_offset": 0.0,  # dither: added to the set-point where it takes effect
    "share_offset": 0.0,
    "replicas_offset": 0.0,
}
KNOBS = tuple(NOMINAL)
# Seconds: the loops fire every 5, 10, 30 and 30; their lowest common multiple is the period.
PERIOD_S = 30
ROUTER_S, POWER_S = 5, 10
_BACK, _LINE, _START = 16, 12, 3
LATENCY_SCALE_S = 5.0
KEPT_MIN, SHARE_MIN, SPEED_MIN = 0.05, 0.02, 0.5
POWER_GAIN, IDLE_SHARE = 0.1, 0.4

# Rows of the state.
QUEUES = slice(0, 2)
RETRIES = slice(2, 2 + _BACK)  # asked for 1..16 s ago
LINE = slice(2 + _BACK, 2 + _BACK + _LINE)  # filtered latency differences, newest first
_AFTER = 2 + _BACK + _LINE
FILTERED, SHARE, KEPT, SPEED = _AFTER, _AFTER + 1, _AFTER + 2, _AFTER + 3
ORDERED = slice(_AFTER + 4, _AFTER + 5 + _START)  # replicas ordered, newest first
STATES = _AFTER + 5 + _START

PARTS: dict[str, tuple[int, ...]] = {
    "retry": tuple(range(RETRIES.start, RETRIES.stop)),
    "router": (*range(LINE.start, LINE.stop), FILTERED, SHARE),
    "cost": (KEPT,),
    "autoscaler": tuple(range(ORDERED.start, ORDERED.stop)),
    "power": (SPEED,),
    "queues": (0, 1),
}
GAINS = {"cost": "cost_gain", "router": "router_gain", "autoscaler": "autoscaler_gain"}


def theta(values: Mapping[str, Any] | None = None, copies: int = 1) -> Array:
    """Knobs as [K, copies]: the nominal ones, with these in their place (numbers or [copies]).

    Raises KeyError for a knob that is not known.
    """
    made = np.repeat(np.array(list(NOMINAL.values()))[:, None], copies, axis=1)
    for name, value in (values or {}).items():
        if name not in NOMINAL:
            raise KeyError(f"no knob {name}; there are {', '.join(KNOBS)}")
        made[KNOBS.index(name)] = value
    return made


def knob(of: Array, name: str) -> Array:
    """One row of theta, [copies]."""
    return of[KNOBS.index(name)]


def sigmoid(x: Array) -> Array:
    """1/(1 + e^-x), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def fail_ratio(kept: Array, of: Array) -> Array:
    """Chance that an attempt fails for what was cut from its context, [copies]."""
    mid, width = knob(of, "fail_mid"), knob(of, "fail_width")
    return knob(of, "fail_base") + knob(of, "fail_span") * sigmoid((mid - kept) / width)


def work(kept: Array, of: Array) -> Array:
    """Work of one attempt, [copies]."""
    base = knob(of, "work_base")
    return base + (1.0 - base) * kept


def start(of: Array) -> Array:
    """A state near rest for these knobs, [N, copies]: each loop at its target, no retries yet."""
    copies = of.shape[1]
    made = np.zeros((STATES, copies))
    spare = knob(of, "budget") / knob(of, "load")
    base = knob(of, "work_base")
    kept = np.clip((spare / 1.03 - base) / (1 - base), 0.3, 1.0)
    attempts = knob(of, "load") * 1.03
    in_use = knob(of, "use_target")
    slow = knob(of, "slow_rate") / work(kept, of)
    share = np.clip(1.0 - in_use * slow / attempts, 0.1, 0.95)
    replicas = share * attempts * work(kept, of) / (in_use * knob(of, "fast_rate"))
    made[0] = knob(of, "fast_c") * in_use / (1 - in_use)
    made[1] = knob(of, "slow_c") * in_use / (1 - in_use)
    made[RETRIES] = knob(of, "load") * 0.03 * knob(of, "persistence")
    made[SHARE], made[KEPT], made[SPEED], made[ORDERED] = share, kept, 1.0, replicas
    return made


def kernel(low: Array, high: Array, slots: int = _BACK) -> Array:
    """The share of retries that come back 1..slots seconds later, [slots, copies]: even between
    `low` and `high`, ends included; where they are no whole numbers, in part."""
    second = np.arange(1, slots + 1)[:, None]
    inside = np.minimum(second + 0.5, high + 0.5) - np.maximum(second - 0.5, low - 0.5)
    weights = np.clip(inside, 0.0, 1.0)
    return weights / weights.sum(axis=0)


def taps(age: Array) -> Array:
    """By which weights of the line, newest first, a value `age` seconds old is read, [12, copies].

    The newest entry is one second old when the router reads it: the second that it averages.
    """
    return np.maximum(0.0, 1.0 - np.abs(np.arange(_LINE)[:, None] - (age - 1.0)))


def period(states: Array, of: Array) -> Array:
    """The states one hyperperiod (30 s) later, [N, copies]. The map whose derivative is lifted."""
    queues = states[QUEUES].copy()
    back, line = states[RETRIES].copy(), states[LINE].copy()
    filtered, share, kept = states[FILTERED], states[SHARE], states[KEPT]
    speed, ordered = states[SPEED], states[ORDERED]
    laws = dict(zip(KNOBS, of, strict=True))
    ready = np.maximum(ordered.min(axis=0) + laws["replicas_offset"], 0.5)
    applied = kept + laws["kept_offset"]
    returns = kernel(laws["backoff_low"], laws["backoff_high"])
    doubled = np.concatenate([returns, returns])
    read = taps(laws["age"])
    each = work(applied, of)
    smoothing = 1.0 - np.exp(-1.0 / laws["filter_s"])
    quality = 1.0 - fail_ratio(applied, of)
    shift = laws["share_offset"]
    c = np.stack([laws["fast_c"], laws["slow_c"]])
    rate = np.stack([ready * speed * laws["fast_rate"], laws["slow_rate"]]) / each
    load, extra = laws["load"], laws["spike"] - 1.0
    spent = np.zeros_like(kept)
    busy = np.zeros_like(kept)
    for second in range(PERIOD_S):
        newest = -second % _BACK
        inverse = queues + c
        latency = inverse / rate
        busy += queues[0] / inverse[0]
        served = queues / latency
        patient = 0.5 - 0.5 * np.tanh((latency - laws["patience"]) * (0.5 / laws["patience_width"]))
        failed = (served * (1.0 - quality * patient)).sum(axis=0)
        now = load * (1.0 + extra * np.clip(laws["spike_s"] - second, 0.0, 1.0))
        arrived = now + (doubled[_BACK - newest : 2 * _BACK - newest] * back).sum(axis=0)
        back[(newest - 1) % _BACK] = laws["persistence"] * failed
        queues[0] += arrived * (share + shift) - served[0]
        queues[1] += arrived * (1.0 - share - shift) - served[1]
        np.maximum(queues, 0.0, out=queues)
        spent += arrived
        filtered = filtered + (latency[1] - latency[0] - filtered) * smoothing
        line[(-1 - second) % _LINE] = filtered
        if (second + 1) % ROUTER_S == 0:
            at = (-1 - second) % _LINE
            seen = (read * np.roll(line, -at, axis=0)).sum(axis=0)
            share = share + laws["router_gain"] * seen / LATENCY_SCALE_S
            share = np.clip(share, SHARE_MIN, 1.0 - SHARE_MIN)
        if (second + 1) % POWER_S == 0:
            drawn = ready * speed * (IDLE_SHARE + (1 - IDLE_SHARE) * queues[0] / (c[0] + queues[0]))
            speed = speed + POWER_GAIN * (1.0 - drawn / laws["power_cap"])
            speed = np.clip(speed, SPEED_MIN, 1.0)
            rate[0] = ready * speed * laws["fast_rate"] / each
    made = np.empty_like(states)
    made[QUEUES] = queues
    made[RETRIES] = np.roll(back, PERIOD_S % _BACK, axis=0)
    made[LINE] = np.roll(line, PERIOD_S % _LINE, axis=0)
    made[FILTERED], made[SHARE], made[SPEED] = filtered, share, speed
    over = spent * each / PERIOD_S / laws["budget"] - 1.0
    made[KEPT] = np.clip(kept - laws["cost_gain"] * over, KEPT_MIN, 1.0)
    wish = (
        ordered[0]
        * np.maximum(busy / PERIOD_S / laws["use_target"], 1e-3) ** laws["autoscaler_gain"]
    )
    made[ORDERED] = np.concatenate([np.clip(wish, 1.0, laws["replicas_max"])[None], ordered[:-1]])
    return made


def harm(states: Array, of: Array) -> Array:
    """The share of attempts that fail in these states, by quality or patience, [copies]."""
    laws = dict(zip(KNOBS, of, strict=True))
    kept, queues = states[KEPT], states[QUEUES]
    ready = states[ORDERED].min(axis=0) * states[SPEED]
    rate = np.stack([ready * laws["fast_rate"], laws["slow_rate"]]) / work(kept, of)
    latency = (queues + np.stack([laws["fast_c"], laws["slow_c"]])) / rate
    late = sigmoid((latency - laws["patience"]) / laws["patience_width"])
    share = np.stack([states[SHARE], 1.0 - states[SHARE]])
    return 1.0 - (1.0 - fail_ratio(kept, of)) * (1.0 - (share * late).sum(axis=0))


def outputs(states: Array, of: Array) -> Array:
    """What the loops regulate, [3, copies]: spend over budget, slow minus fast latency (s), and
    utilisation of the fast pool."""
    laws = dict(zip(KNOBS, of, strict=True))
    each = work(states[KEPT] + laws["kept_offset"], of)
    ready = states[ORDERED].min(axis=0) + laws["replicas_offset"]
    spent = (laws["load"] + states[RETRIES].mean(axis=0)) * each / laws["budget"]
    rate = np.stack([ready * states[SPEED] * laws["fast_rate"], laws["slow_rate"]]) / each
    held = states[QUEUES] + np.stack([laws["fast_c"], laws["slow_c"]])
    latency = held / rate
    return np.stack([spent, latency[1] - latency[0], states[0] / held[0]])


TWIN = Twin(
    knobs=KNOBS,
    gains=GAINS,
    parts=PARTS,
    period_s=float(PERIOD_S),
    start=start,
    period=period,
    harm=harm,
    kicked=(0, 1),
    tied=(
        (0,),
        (1,),
        PARTS["retry"],
        (FILTERED, *PARTS["router"][:_LINE]),
        (SHARE,),
        (KEPT,),
        (SPEED,),
        PARTS["autoscaler"],
    ),
)
