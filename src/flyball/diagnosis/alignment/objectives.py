"""Do the objectives of loops pull shared actuators the same way, and is any move good for all?

Loop i minimises its cost J_i. From the slopes dJ_i/du_k: cosines of the gradients in units of the
actuators' ranges; the cross effect c_ij = dJ_i/du_j du_j of loop j's typical move on loop i; the
common descent direction (the negative of the shortest vector in the convex hull of the gradients:
Wolfe 1976; used for several objectives by Desideri 2012); and of the game's Jacobian
M = D(dJ_i/du_i) whether the resting place is one (Rosen 1965) and how far it is from a game with
one shared objective (asymmetry 0).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from flyball.diagnosis.codes.codes import finding
from flyball.diagnosis.finding import Evidence, Finding
from flyball.units import Ratio, Seconds

Array = np.ndarray[Any, np.dtype[np.float64]]
Costs = Callable[[Array], Array]
COSINE_OPPOSED = -0.5
LOSS_SHARE_MIN: Ratio = 0.1
STATIONARY_SHARE: Ratio = 0.05
STEP_SHARE = 1e-3
_ROUNDS = 400


class Objectives(Struct, frozen=True, kw_only=True):
    """What each loop wants, at one point. Shapes: `slopes` (loops, actuators) = dJ_i/du_k;
    `ranges` and `moves` (actuators,) = size of each actuator's range and of a typical move of it;
    `owns` (loops,) = index of the actuator that each loop moves."""

    loops: tuple[str, ...]
    actuators: tuple[str, ...]
    slopes: Array
    ranges: Array
    moves: Array
    owns: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raises ValueError for shapes that do not fit, and values that are not finite."""
        shape = (len(self.loops), len(self.actuators))
        if self.slopes.shape != shape or len(self.owns) != shape[0]:
            raise ValueError(f"slopes of shape {self.slopes.shape} for {shape} loops, actuators")
        if self.ranges.shape != shape[1:] or self.moves.shape != shape[1:]:
            raise ValueError(f"ranges and moves need shape {shape[1:]}")
        if not all(np.isfinite(one).all() for one in (self.slopes, self.ranges, self.moves)):
            raise ValueError("slopes, ranges and moves must be finite")
        if (self.ranges <= 0.0).any() or not all(0 <= own < shape[1] for own in self.owns):
            raise ValueError("ranges must be above 0, and each loop must own one of the actuators")


def sampled(costs: Costs, at: Array, ranges: Array, step_share: Ratio = STEP_SHARE) -> Array:
    """Slopes (loops, actuators) of a function u -> J(u) by central differences, 2 calls per
    actuator. A noisy function (a twin) needs a larger step and common random numbers."""
    columns = []
    for place, width in enumerate(ranges):
        move = np.zeros_like(at)
        move[place] = step_share * width
        columns.append((costs(at + move) - costs(at - move)) / (2.0 * move[place]))
    return np.stack(columns, axis=1)


def game(
    costs: Costs, at: Array, ranges: Array, owns: Sequence[int], step_share: Ratio = 0.01
) -> Array:
    """M (loops, loops): how each loop's own slope answers to each loop's actuator, in units of the
    ranges. Second differences: 4 calls per entry."""
    size = len(owns)
    matrix = np.zeros((size, size))
    moves = np.diag(step_share * ranges)
    for i, own in enumerate(owns):
        for j, other in enumerate(owns):
            a, b = moves[own], moves[other]
            corners = costs(at + a + b)[i] - costs(at - a + b)[i]
            corners += costs(at - a - b)[i] - costs(at + a - b)[i]
            matrix[i, j] = corners / (4.0 * step_share * step_share)
    return matrix


def cosines(objectives: Objectives) -> Array:
    """(loops, loops): +1 = the loops pull alike, -1 = against each other; 0 for a zero gradient."""
    scaled = _scaled(objectives)
    lengths = np.linalg.norm(scaled, axis=1)
    unit = scaled / np.where(lengths > 0.0, lengths, 1.0)[:, None]
    return np.clip(unit @ unit.T, -1.0, 1.0)


def cross_effects(objectives: Objectives) -> Array:
    """c_ij (loops, loops): change of loop i's cost when loop j makes its typical move, the way
    that loop j's own cost falls."""
    own = objectives.slopes[np.arange(len(objectives.owns)), list(objectives.owns)]
    moves = -np.sign(own) * np.abs(objectives.moves[list(objectives.owns)])
    return objectives.slopes[:, list(objectives.owns)] * moves[None, :]


def common_descent(objectives: Objectives) -> tuple[Array, Ratio]:
    """The move (actuators,) that lowers every loop's cost, and its length as a share of the longest
    gradient, 0 = there is none: any gain of one loop is a loss of another."""
    scaled = _scaled(objectives)
    weights = shortest(scaled)
    point = weights @ scaled
    longest = float(np.linalg.norm(scaled, axis=1).max())
    share = float(np.linalg.norm(point)) / longest if longest > 0.0 else 0.0
    return -point * objectives.ranges, share


def shortest(vectors: Array) -> Array:
    """Weights (rows,) >= 0 with sum 1 of the shortest convex combination of the rows.

    Wolfe's finite method (1976, "Finding the nearest point in a polytope"): the nearest point of
    the affine hull of a few rows, from which rows with a weight below 0 are dropped.
    """
    room = 1e-12 * max(float(np.square(vectors).sum(axis=1).max()), 1e-300)
    some = [int(np.argmin(np.square(vectors).sum(axis=1)))]
    weights = np.ones(1)
    for _ in range(_ROUNDS):
        point = weights @ vectors[some]
        nearest = int(np.argmin(vectors @ point))
        if vectors[nearest] @ point >= point @ point - room or nearest in some:
            break
        some.append(nearest)
        weights = np.append(weights, 0.0)
        while True:
            flat = _affine(vectors[some])
            if (flat > 0.0).all():
                weights = flat
                break
            sinking = flat <= 0.0
            step = float((weights[sinking] / (weights[sinking] - flat[sinking])).min())
            weights = np.maximum(0.0, (1.0 - step) * weights + step * flat)
            weights[np.flatnonzero(sinking)[int(np.argmin(weights[sinking]))]] = 0.0
            some = [row for row, weight in zip(some, weights, strict=True) if weight > 0.0]
            weights = weights[weights > 0.0]
    whole = np.zeros(len(vectors))
    whole[some] = weights / weights.sum()
    return whole


def _affine(rows: Array) -> Array:
    """Weights with sum 1, of any sign, of the point of the rows' affine hull nearest to 0."""
    size = len(rows)
    system = np.ones((size + 1, size + 1))
    system[:size, :size] = rows @ rows.T
    system[size, size] = 0.0
    scale = max(float(np.abs(system[:size, :size]).max()), 1e-300)
    system[:size, :size] /= scale
    right = np.append(np.zeros(size), 1.0)
    return np.asarray(np.linalg.lstsq(system, right, rcond=None)[0][:size], dtype=np.float64)


def asymmetry(matrix: Array) -> Ratio:
    """||M - M'|| / ||M + M'||: 0 = some shared objective exists that all loops descend."""
    together = float(np.linalg.norm(matrix + matrix.T))
    apart = float(np.linalg.norm(matrix - matrix.T))
    return apart / together if together > 0.0 else float(apart > 0.0)


def rosen(matrix: Array) -> tuple[float, Array]:
    """The best least eigenvalue of diag(r) M + M' diag(r) that was found, and its r > 0 with
    r_i M_ii summing to 1. Above 0 = one resting place, which following the slopes reaches.

    The least eigenvalue is concave in r, so climbing by its supergradient finds the best; a value
    of 0 or less after `_ROUNDS` means that none was shown, not that none exists.
    """
    diagonal = np.diagonal(matrix)
    if (diagonal <= 0.0).any():
        return float(diagonal.min()), np.ones(len(diagonal))
    rows = matrix / diagonal[:, None]
    weights = np.full(len(rows), 1.0 / len(rows))
    best, best_weights = -np.inf, weights
    for turn in range(_ROUNDS):
        values, vectors = np.linalg.eigh(weights[:, None] * rows + (weights[:, None] * rows).T)
        if values[0] > best:
            best, best_weights = float(values[0]), weights
        if best > 0.0:
            break
        slope = 2.0 * vectors[:, 0] * (rows @ vectors[:, 0])
        step = 1.0 / ((1.0 + turn) ** 0.5 * max(float(np.abs(slope).max()), 1e-12))
        weights = weights * np.exp(step * (slope - slope.max()))
        weights /= weights.sum()
    return best, best_weights / diagonal


def alignment(
    objectives: Objectives, matrix: Array | None = None, at: Seconds = 0.0
) -> Iterator[Finding]:
    """FB-201 per opposed pair, FB-202 where nothing is good for all, FB-203 by the game's Jacobian
    `matrix`, if it is known."""
    yield from _opposed(objectives, at)
    _, share = common_descent(objectives)
    if len(objectives.loops) > 1 and share < STATIONARY_SHARE:
        text = "shortest combination of the gradients / longest gradient"
        yield finding(
            "FB-202",
            at=at,
            loops=objectives.loops,
            actuators=objectives.actuators,
            evidence=[Evidence(what=text, value=share, limit=STATIONARY_SHARE)],
            confidence=0.9,
            summary="no move of the actuators is good for all loops",
        )
    if matrix is not None and (best := rosen(matrix)[0]) <= 0.0:
        yield finding(
            "FB-203",
            at=at,
            loops=objectives.loops,
            actuators=objectives.actuators,
            evidence=[
                Evidence(what="best least eigenvalue found", value=best, limit=0.0),
                Evidence(what="asymmetry of the game", value=asymmetry(matrix)),
            ],
            confidence=0.7,
            summary="nothing shows that the loops settle in one place",
        )


def _opposed(objectives: Objectives, at: Seconds) -> Iterator[Finding]:
    alike, effects = cosines(objectives), cross_effects(objectives)
    own = np.abs(np.diagonal(effects))
    for i in range(len(objectives.loops)):
        for j in range(i + 1, len(objectives.loops)):
            losses = [
                (effects[a, b] / own[a] if own[a] > 0.0 else 0.0, a, b) for a, b in ((i, j), (j, i))
            ]
            loss, loser, mover = max(losses)
            if alike[i, j] >= COSINE_OPPOSED or loss < LOSS_SHARE_MIN:
                continue
            text = f"taken from {objectives.loops[loser]} by a move of {objectives.loops[mover]}"
            yield finding(
                "FB-201",
                at=at,
                loops=(objectives.loops[mover], objectives.loops[loser]),
                actuators=(objectives.actuators[objectives.owns[k]] for k in (mover, loser)),
                evidence=[
                    Evidence(what="cosine", value=float(alike[i, j]), limit=COSINE_OPPOSED),
                    Evidence(
                        what=f"{text} / what its own move gains",
                        value=float(loss),
                        limit=LOSS_SHARE_MIN,
                    ),
                ],
                confidence=0.9,
                summary=f"{objectives.loops[mover]} gains what {objectives.loops[loser]} loses",
            )


def _scaled(objectives: Objectives) -> Array:
    """Gradients per share of each actuator's range."""
    return objectives.slopes * objectives.ranges
