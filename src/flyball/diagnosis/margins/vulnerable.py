"""Does a calibrated twin show turned gains, retries that feed on themselves, or short triggers?

Each is judged over the bootstrap of the twin's parameters, on its unsafe 10 % quantile, as margins
are. Interaction: RGA and Niederlinski index of every group of loops (`interaction`), and each
loop's own gain against what it was at commissioning, which neither of those shows. Retry gain:
l = r (p + lambda p'(lambda)) with queues at rest (`retrygain`). Trigger: the longest spike of 1.6
times the load that the fleet comes back from, with its loops at work.
"""

from typing import Any

import numpy as np
from msgspec import Struct

from flyball.diagnosis.codes.codes import finding
from flyball.diagnosis.finding import Evidence, Finding
from flyball.diagnosis.margins import fluid, interaction, retrygain
from flyball.diagnosis.margins.margins import QUANTILE
from flyball.diagnosis.margins.whatif import HARM_MAX, trigger
from flyball.units import Ratio, Seconds

Array = np.ndarray[Any, Any]

LOOPS = ("cost", "router", "autoscaler")
SPIKE: Ratio = 1.6
# A spike as short as this is met in a month: a client's batch, a cache that was flushed.
TRIGGER_MIN_S: Seconds = 30.0
TRIGGER_REACH_S: Seconds = 128.0
# Spikes of one round and copy; each of the two rounds divides the interval by one more than this.
_SPIKES = 7


class Trigger(Struct, frozen=True, kw_only=True):
    """The longest spike that the fleet comes back from, in seconds: by the fitted parameters, and
    the 10 and 90 % quantiles over their bootstrap. The reach of the search bounds it."""

    value: Seconds
    low: Seconds
    high: Seconds
    short: Ratio


def trigger_margin(rest: Array, theta: Array, multiple: Ratio = SPIKE) -> Trigger | None:
    """Of states of rest [N, 1 + B], the fitted one first; None = the fitted one is not healthy.

    Draws that are not healthy before the spike are left out: they are another finding's.
    """
    healthy = fluid.harm(rest, theta) < HARM_MAX
    if not healthy[0]:
        return None
    rest, theta = rest[:, healthy], theta[:, healthy]
    copies = theta.shape[1]
    low, step = np.zeros(copies), TRIGGER_REACH_S / (_SPIKES + 1)
    for _ in range(2):
        lasts = low + step * np.arange(1, _SPIKES + 1)[:, None]
        wide, knobs = np.tile(rest, (1, _SPIKES)), np.tile(theta, (1, _SPIKES))
        good = trigger(fluid.TWIN, wide, knobs, multiple, lasts.ravel()).reshape(lasts.shape)
        # The first that is not borne bounds the margin, whatever lies beyond it.
        low = low + step * np.where(good.all(axis=0), _SPIKES, good.argmin(axis=0))
        step /= _SPIKES + 1
    found = low + step * (_SPIKES + 1) / 2.0
    return Trigger(
        value=float(found[0]),
        low=float(np.quantile(found, QUANTILE)),
        high=float(np.quantile(found, 1.0 - QUANTILE)),
        short=float(np.mean(found < TRIGGER_MIN_S)),
    )


def retry_gains(rest: Array, theta: Array) -> Array:
    """l of each copy, [B]: queues at the rest that a load would bring, loops where they are."""
    laws = dict(zip(fluid.KNOBS, theta, strict=True))
    each = fluid.work(rest[fluid.KEPT], theta)
    ready = rest[fluid.ORDERED].min(axis=0) * rest[fluid.SPEED]
    rate = np.stack([ready * laws["fast_rate"], laws["slow_rate"]]) / each
    c = np.stack([laws["fast_c"], laws["slow_c"]])
    share = np.stack([rest[fluid.SHARE], 1.0 - rest[fluid.SHARE]])
    cut = fluid.fail_ratio(rest[fluid.KEPT], theta)
    load = laws["load"] + rest[fluid.RETRIES].mean(axis=0)

    def fails_at(copy: int, at: float) -> float:
        # Continuous batching at rest: latency = c / (rate (1 - use)); a full pool is late for all.
        room = np.maximum(1.0 - at * share[:, copy] / rate[:, copy], 1e-6)
        waits = c[:, copy] / rate[:, copy] / room
        width = laws["patience_width"][copy]
        late = fluid.sigmoid((waits - laws["patience"][copy]) / width)
        return float(1.0 - (1.0 - cut[copy]) * (1.0 - (share[:, copy] * late).sum()))

    return np.array(
        [
            retrygain.retry_gain(
                lambda at, copy=copy: fails_at(copy, at),
                float(load[copy]),
                float(laws["persistence"][copy]),
            ).gain
            for copy in range(theta.shape[1])
        ]
    )


def findings(
    rest: Array, theta: Array, commissioned: Array, at: Seconds = 0.0
) -> tuple[Finding, ...]:
    """FB-506, FB-507 and FB-510 of states of rest [N, 1 + B] under theta [K, 1 + B], the fitted one
    first; `commissioned` = static gains [3, 3] as they were when the loops were set to work."""
    gains = interaction.gains_of_each(theta, rest)
    found = (
        _turned(gains, commissioned, at),
        _triggered(trigger_margin(rest, theta), at),
        _retried(retry_gains(rest, theta), at),
    )
    return tuple(one for one in found if one is not None)


def _turned(gains: Array, commissioned: Array, at: Seconds) -> Finding | None:
    """The group of loops with the least index where it is below 0; else the loop whose own gain
    has faded most, where it has."""
    judged = [interaction.controllable(one) for one in gains]
    bad = float(np.mean([not one.holds for one in judged]))
    shares = np.diagonal(gains, axis1=1, axis2=2) / np.diag(commissioned)
    faded = (shares < interaction.FADED).mean(axis=0)
    loop = int(faded.argmax())
    if bad > QUANTILE:
        first = min(judged, key=lambda one: one.figure)
        loops = [LOOPS[place] for place in first.worst]
        figures = [one.figure for one in judged]
        what, limit, share = "least RGA entry or Niederlinski index", 0.0, bad
        summary = f"{', '.join(loops)}: together they turn a gain's sign"
    elif faded[loop] > QUANTILE:
        loops, figures = [LOOPS[loop]], shares[:, loop].tolist()
        what, limit, share = "own gain over that at commissioning", interaction.FADED, faded[loop]
        summary = f"{LOOPS[loop]}: of what its moves did at commissioning, less than half is left"
    else:
        return None
    low, high = np.quantile(figures, (QUANTILE, 1.0 - QUANTILE))
    number = Evidence(
        what=what, value=float(figures[0]), low=float(low), high=float(high), limit=limit
    )
    return finding(
        "FB-506",
        at=at,
        loops=loops,
        actuators=[f"loop.{name}.setpoint" for name in loops],
        evidence=[number],
        confidence=max(float(share), 0.5),
        summary=summary,
    )


def _triggered(margin: Trigger | None, at: Seconds) -> Finding | None:
    if margin is None or margin.short <= QUANTILE:
        return None
    number = Evidence(
        what=f"longest spike of {SPIKE:g} times the load, 10-90 %",
        value=margin.value,
        unit="s",
        low=margin.low,
        high=margin.high,
        limit=TRIGGER_MIN_S,
    )
    return finding(
        "FB-507",
        at=at,
        loops=["retry", "cost"],
        actuators=[],
        evidence=[number],
        confidence=max(margin.short, 0.5),
        summary=f"a spike of {margin.low:.0f} s may leave the fleet in a bad state that lasts",
    )


def _retried(gains: Array, at: Seconds) -> Finding | None:
    high = float(np.quantile(gains, 1.0 - QUANTILE))
    if high <= retrygain.GAIN_MAX:
        return None
    number = Evidence(
        what="retries that one more attempt brings, in the twin, 10-90 %",
        value=float(gains[0]),
        low=float(np.quantile(gains, QUANTILE)),
        high=high,
        limit=retrygain.GAIN_MAX,
    )
    return finding(
        "FB-510",
        at=at,
        loops=["retry"],
        actuators=[],
        evidence=[number],
        confidence=max(float(np.mean(gains > retrygain.GAIN_MAX)), 0.5),
        summary=f"retry: one more attempt brings {gains[0]:.2f} of one again",
    )
