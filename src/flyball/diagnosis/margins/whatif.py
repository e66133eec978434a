"""Would the fleet still come to rest, if a knob were other than it is?

Two steps, each over all what-ifs at once. `settle` finds the state of rest by Newton's method on
the twin's period map: none = past a fold. `judge` kicks it and looks whether the deviation dies
out: that also holds where limits and switches make the map one-sided and its eigenvalues say
nothing (an autoscaler that starts slowly and stops at once).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct

from flyball.units import Ratio, Seconds

Array = np.ndarray[Any, Any]

# An attempt that fails this often has left every healthy operating point: truncation past its
# cheapest point, or clients' patience gone.
HARM_MAX = 0.25
KICK = 0.05
PERIODS = 90
_NEWTON_MAX = 14
_NEWTON_NEAR = 1e-7
# Of a state's size: the longest step of Newton's method, so that it cannot leap over a fold.
_STRIDE = 0.25
_NUDGE = 1e-6
# A deviation that shrinks by less than this in a third of the time does not die out.
_SHRINKS = 0.95
_DEAD = 1e-7


class Twin(Struct, frozen=True, kw_only=True):
    """A vectorised model of the coupled loops: `theta[K, copies]` holds a row per knob.

    `gains` = loop -> the knob that is its gain; `parts` = loop -> rows of its states; `kicked` =
    rows that a trigger moves; `tied` = rows that are equal at rest (a delay line's), newest first,
    each row in one group. `period(states, theta)` = the states one hyperperiod later;
    `harm(states, theta)` = share of attempts that fail, [copies].
    """

    knobs: tuple[str, ...]
    gains: Mapping[str, str]
    parts: Mapping[str, tuple[int, ...]]
    period_s: Seconds
    start: Callable[[Array], Array]
    period: Callable[[Array, Array], Array]
    harm: Callable[[Array, Array], Array]
    kicked: tuple[int, ...]
    tied: tuple[tuple[int, ...], ...]

    def row(self, name: str) -> int:
        """The row of theta of a knob. Raises KeyError naming one that is not known."""
        if name not in self.knobs:
            raise KeyError(f"no knob {name}; the twin has {', '.join(self.knobs)}")
        return self.knobs.index(name)

    def scaled(self, theta: Array, name: str, factors: Array) -> Array:
        """theta[K, B] as what-ifs [K, F * B]: this knob times each factor [F], B beside each."""
        made = np.tile(theta, (1, len(factors)))
        made[self.row(name)] *= np.repeat(factors, theta.shape[1])
        return made


def settle(twin: Twin, states: Array, theta: Array) -> tuple[Array, Array]:
    """States of rest [N, W] near `states`, and which of them were found [W]."""
    heads = [group[0] for group in twin.tied]
    owner = np.zeros(len(states), dtype=int)
    for index, group in enumerate(twin.tied):
        owner[list(group)] = index
    size = len(heads)
    rest = states[heads].copy()
    found = np.zeros(states.shape[1], dtype=bool)
    left = np.arange(states.shape[1])
    for _ in range(_NEWTON_MAX):
        at, knobs = rest[:, left], theta[:, left]
        nudge = _NUDGE * np.maximum(1.0, np.abs(at))
        copies = np.repeat(at[:, None, :], size + 1, axis=1)
        copies[np.arange(size), np.arange(size)] += nudge
        wide = np.repeat(knobs[:, None, :], size + 1, axis=1).reshape(len(theta), -1)
        moved = twin.period(copies.reshape(size, -1)[owner], wide)[heads]
        moved = moved.reshape(size, size + 1, len(left))
        short = moved[:, size] - at
        near = np.abs(short / np.maximum(1.0, np.abs(at))).max(axis=0) < _NEWTON_NEAR
        found[left[near]] = True
        if near.all():
            break
        slope = (moved[:, :size] - moved[:, size:]) / nudge
        stride = _newton(slope, short)
        over = np.abs(stride / (_STRIDE * np.maximum(np.abs(at), 0.2))).max(axis=0)
        rest[:, left[~near]] += (stride / np.maximum(over, 1.0))[:, ~near]
        left = left[~near]
    return rest[owner], found


def _newton(slope: Array, short: Array) -> Array:
    """The step that would close `short` [N, W], for slopes [N, N, W]."""
    system = np.eye(len(short))[None] - np.moveaxis(slope, 2, 0)
    # A fold makes the system singular; the pull on the diagonal keeps the step finite there.
    system = system + 1e-9 * np.eye(len(short))[None]
    try:
        return np.linalg.solve(system, short.T[:, :, None])[:, :, 0].T
    except np.linalg.LinAlgError:
        return np.linalg.pinv(system) @ short.T[:, :, None][:, :, 0].T


def judge(twin: Twin, rest: Array, theta: Array, periods: int = PERIODS) -> Array:
    """Which states of rest [N, W] are safe: healthy, and a kick dies out in time, [W] of bool."""
    healthy = twin.harm(rest, theta) < HARM_MAX
    moved = rest.copy()
    moved[list(twin.kicked)] *= 1.0 + KICK
    scale = np.maximum(1.0, np.abs(rest))
    middle, late = np.zeros(rest.shape[1]), np.zeros(rest.shape[1])
    for count in range(periods):
        moved = twin.period(moved, theta)
        if count < periods // 3:
            continue
        off = np.nan_to_num(np.abs(moved - rest) / scale, nan=np.inf).max(axis=0)
        if count < 2 * periods // 3:
            np.maximum(middle, off, out=middle)
        else:
            np.maximum(late, off, out=late)
    # A limit cycle whose size wanders may shrink for a while: it stays larger than the kick.
    dies = ((late < _SHRINKS * middle) & (late < 2 * KICK)) | (late < _DEAD)
    return healthy & dies & (twin.harm(moved, theta) < HARM_MAX)


def safe(twin: Twin, rest: Array, theta: Array) -> Array:
    """Which what-ifs theta[K, W] have a safe state of rest, sought from `rest` [N, W], [W]."""
    states, found = settle(twin, rest, theta)
    verdict = np.zeros(theta.shape[1], dtype=bool)
    if found.any():
        verdict[found] = judge(twin, states[:, found], theta[:, found])
    return verdict


def trigger(
    twin: Twin, rest: Array, theta: Array, multiple: Ratio, lasts_s: Array, periods: int = 40
) -> Array:
    """Which load spikes (`multiple` times the load for `lasts_s` [W] seconds, a copy each) leave
    the fleet as it was once they are over, [W]; `rest` [N, W], theta[K, W]."""
    moved, knobs = rest.copy(), theta.copy()
    knobs[twin.row("spike")] = multiple
    before = twin.harm(rest, theta)
    spiked = int(np.ceil(float(np.max(lasts_s, initial=0.0)) / twin.period_s))
    for count in range(spiked + periods):
        knobs[twin.row("spike_s")] = np.clip(lasts_s - count * twin.period_s, 0.0, twin.period_s)
        moved = twin.period(moved, knobs)
    return twin.harm(moved, theta) < np.maximum(2 * before, HARM_MAX)
