"""Do loops on one plant turn, multiply or undo each other's gains, and which tunings are safe?

G = static gains, [n, n]: outputs that the loops regulate x their actuators, loop i on (i, i).
RGA = G o (G^-1)^T (Bristol 1966): entry (i, i) = gain with the others open / with them closed.
Below 0 the sign turns when the others close or saturate; above 1, a loop that opens or saturates
multiplies this one's gain by it. Niederlinski index = det G / prod g_ii: below 0, integral loops
are unstable with any tuning. Decentralised integral controllability (each loop may be detuned or
switched off alone) needs both positive in every principal sub-matrix; for 2 x 2 that suffices
(Grosdidier, Morari, Holt 1985; Skogestad & Morari 1988; Skogestad & Postlethwaite, ch. 10.6).
"""

from itertools import combinations
from typing import Any

import numpy as np
from msgspec import Struct

from flyball.diagnosis.margins import fluid
from flyball.diagnosis.margins.whatif import settle
from flyball.units import Ratio

Array = np.ndarray[Any, Any]

# 2^n - 1 sub-matrices: 255.
LOOPS_MAX = 8
_SINGULAR = 1e-12
# A diagonal gain below this share of what it was at commissioning is a finding of its own.
FADED = 0.5
_OPEN_PERIODS = 40
_NUDGES = {"kept_offset": 0.005, "share_offset": 0.002, "replicas_offset": 0.2}


class Controllable(Struct, frozen=True, kw_only=True):
    """`holds` = no sub-matrix forbids it; `worst` = the loops (indices) of the sub-matrix with the
    least figure, and that figure (a diagonal RGA entry or a Niederlinski index)."""

    holds: bool
    worst: tuple[int, ...]
    figure: float


class Faded(Struct, frozen=True, kw_only=True):
    """A diagonal gain that turned its sign or lost more than half since commissioning."""

    loop: int
    share: Ratio
    has_turned: bool


def relative_gains(gains: Array) -> Array:
    """RGA of G[..., n, n], real or complex (dynamic RGA: give G at each loop's bandwidth).

    Raises ValueError for a singular G: some output cannot be moved on its own.
    """
    sign = np.abs(np.linalg.det(gains))
    if np.any(sign < _SINGULAR * np.prod(np.linalg.norm(gains, axis=-1), axis=-1)):
        raise ValueError("the gains are singular: two loops move the same thing")
    return gains * np.swapaxes(np.linalg.inv(gains), -1, -2)


def niederlinski(gains: Array) -> float:
    """det G / prod g_ii. Raises ValueError where a diagonal gain is 0."""
    diagonal = float(np.prod(np.diag(gains)))
    if diagonal == 0.0:
        raise ValueError("a loop without gain over its own output has no index")
    return float(np.linalg.det(gains)) / diagonal


def controllable(gains: Array) -> Controllable:
    """The necessary conditions of decentralised integral controllability over all sub-matrices.

    Raises ValueError for more than 8 loops.
    """
    size = len(gains)
    if size > LOOPS_MAX:
        raise ValueError(f"{size} loops have {2**size - 1} sub-matrices; at most {LOOPS_MAX} loops")
    worst: tuple[int, ...] = ()
    least = np.inf
    for count in range(1, size + 1):
        for loops in combinations(range(size), count):
            figure = _least(gains[np.ix_(loops, loops)])
            if figure < least:
                worst, least = loops, figure
    return Controllable(holds=bool(least > 0), worst=worst, figure=float(least))


def _least(part: Array) -> float:
    """The least of the Niederlinski index and the diagonal RGA; 0 where they are not defined."""
    try:
        return min(niederlinski(part), float(np.diag(relative_gains(part)).min()))
    except ValueError:
        return 0.0


def faded(gains: Array, commissioned: Array) -> tuple[Faded, ...]:
    """Loops whose own gain, [n, n] both, turned or fell below half of what it was.

    Neither RGA nor Niederlinski shows that: a whole column may shrink together.
    """
    shares = np.diag(gains) / np.diag(commissioned)
    return tuple(
        Faded(loop=int(loop), share=float(shares[loop]), has_turned=bool(shares[loop] < 0))
        for loop in np.flatnonzero(~(shares >= FADED))
    )


def static_gains(theta: Array, rest: Array) -> Array:
    """G [3, 3] of the fluid twin at rest [N, 1], theta [K, 1]: spend over budget, slow minus fast
    latency (s), utilisation x context kept, share to the fast pool, replicas; loops open."""
    rest, _ = settle(fluid.TWIN, rest, theta)
    return gains_of_each(theta, rest)[0]


def gains_of_each(theta: Array, rest: Array) -> Array:
    """G [B, 3, 3] of each copy, at states of rest [N, B] that are settled already."""
    count, copies = len(_NUDGES), theta.shape[1]
    knobs = np.tile(theta, (1, 2 * count)).reshape(len(theta), 2 * count, copies)
    for name in fluid.GAINS.values():
        knobs[fluid.KNOBS.index(name)] = 0.0
    sizes = np.array(list(_NUDGES.values()))
    for index, (name, size) in enumerate(_NUDGES.items()):
        knobs[fluid.KNOBS.index(name), index] = size
        knobs[fluid.KNOBS.index(name), count + index] = -size
    knobs = knobs.reshape(len(theta), -1)
    states = np.tile(rest, (1, 2 * count))
    for _ in range(_OPEN_PERIODS):
        states = fluid.period(states, knobs)
    seen = fluid.outputs(states, knobs).reshape(-1, 2 * count, copies)
    return np.moveaxis((seen[:, :count] - seen[:, count:]) / (2 * sizes[:, None]), 2, 0)


def response(jacobian: Array, moved: Array, read: Array, turn_rad: Array) -> Array:
    """Gains of a sampled map at these angles (rad per period), [F, n, n]: for the dynamic RGA.

    G(z) = C (zI - A)^-1 B with A [N, N] the map with the loops open, B [N, n] what each actuator
    moves in a period, C [n, N] what each loop reads.
    """
    unit = np.eye(len(jacobian))
    return np.array(
        [read @ np.linalg.solve(np.exp(1j * turn) * unit - jacobian, moved) for turn in turn_rad]
    )
