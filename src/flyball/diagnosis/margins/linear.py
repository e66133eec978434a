"""Is the sampled loop stable around a state: which modes, of which loops, and is each side alike?

The object is the lifted (monodromy) map of one hyperperiod, states[N, copies] -> states, taken
from any vectorised simulator. Its derivative comes from differences through that very step.
A leading eigenvalue that is complex or negative is an oscillation (gain times delay); a real one
near +1 is a fold (a gain that vanishes or reverses). Participation: p_im = sum over loop i's states
of |v_k w_k| / sum over all, v right and w left eigenvector (Perez-Arriaga, Verghese, Schweppe,
IEEE Trans. PAS 101(9), 1982).
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from msgspec import Struct

Array = np.ndarray[Any, Any]
# states[N, copies] -> states[N, copies], each copy on its own.
Map = Callable[[Array], Array]

_RELATIVE = 1e-5
# Below this angle an eigenvalue counts as real: it turns less than once in 250 periods.
_ANGLE_REAL = 0.025


class Spectrum(Struct, frozen=True, kw_only=True):
    """The leading mode. `parts` = each loop's participation, most first, summing to 1;
    `gap` = how far the runner-up's radius lies below."""

    radius: float
    leading: complex
    kind: Literal["oscillatory", "fold"]
    parts: tuple[tuple[str, float], ...]
    gap: float


class Sides(Struct, frozen=True, kw_only=True):
    """Both one-sided maps at a state: their radii, and the rows of the state where they differ
    (the set of limits and switches that stand active)."""

    radius_up: float
    radius_down: float
    active: tuple[int, ...]


def lifted(step: Map, at: Array, side: Literal["both", "up", "down"] = "both") -> Array:
    """The Jacobian [N, N] of `step` at the state `at` [N], by central or one-sided differences."""
    size = len(at)
    nudge = _RELATIVE * np.maximum(1.0, np.abs(at))
    above, below = at[:, None] + np.diag(nudge), at[:, None] - np.diag(nudge)
    middle = at[:, None]
    if side == "both":
        moved = step(np.concatenate([above, below], axis=1))
        return (moved[:, :size] - moved[:, size:]) / (2 * nudge)
    moved = step(np.concatenate([above if side == "up" else below, middle], axis=1))
    sign = 1.0 if side == "up" else -1.0
    return sign * (moved[:, :size] - moved[:, size:]) / nudge


def radius(jacobian: Array) -> float:
    """Spectral radius; the loop is stable where it is below 1."""
    return float(np.abs(np.linalg.eigvals(jacobian)).max())


def spectrum(jacobian: Array, parts: Mapping[str, tuple[int, ...]]) -> Spectrum:
    """The leading mode of a lifted map, and which of `parts` (name -> rows of the state) form it.

    Rows named by no part count as "rest".
    """
    values, right = np.linalg.eig(jacobian)
    left = np.linalg.pinv(right)
    order = np.argsort(-np.abs(values))
    first = int(order[0])
    weight = np.abs(right[:, first] * left[first])
    weight = weight / max(float(weight.sum()), 1e-300)
    named = {name: float(weight[list(rows)].sum()) for name, rows in parts.items()}
    rest = 1.0 - sum(named.values())
    shares = [*named.items(), ("rest", rest)] if rest > 1e-9 else [*named.items()]
    value = complex(values[first])
    # A pair of conjugates is one mode: the runner-up is the next that is not its mirror.
    others = [abs(values[k]) for k in order[1:] if abs(values[k] - value.conjugate()) > 1e-9]
    return Spectrum(
        radius=abs(value),
        leading=value,
        kind="fold" if abs(np.angle(value)) < _ANGLE_REAL else "oscillatory",
        parts=tuple(sorted(shares, key=lambda one: -one[1])),
        gap=abs(value) - float(others[0]) if others else abs(value),
    )


def sides(step: Map, at: Array) -> Sides:
    """Whether the map is one-sided at `at` [N]: limits and switches make it so.

    Both radii below 1 do not prove a switched system stable, nor does one above 1 prove the
    reverse: where `active` is not empty, the growth of a kick decides (`margins.py`).
    """
    up, down = lifted(step, at, "up"), lifted(step, at, "down")
    scale = np.maximum(np.abs(up), np.abs(down)).max(initial=1e-12)
    rows = np.flatnonzero((np.abs(up - down) > 1e-2 * scale).any(axis=1))
    return Sides(
        radius_up=radius(up), radius_down=radius(down), active=tuple(int(row) for row in rows)
    )
