"""Has a change come to this stream that is large enough to be seen before ranks can tell?

Quasi-likelihood e-detector: likelihood ratios of a normal stream whose mean has moved, with the
*long-run* covariance in place of that of single ticks (its ratio to the short-run one is the
inflation factor of over-dispersed counts: Wedderburn, Biometrika 1974). With it exp(LLR) has a mean
near 1 under noise with a memory, where the plain likelihood is wrong by that factor. It is
approximate where the block-conformal detector is not, and quicker for large changes.
"""

import numpy as np
from msgspec import Struct

from flyball.diagnosis.drift.conformal import RIDGE, inverse_root
from flyball.diagnosis.drift.edetector import Array, grown

SHIFTS = (2.0, 4.0)
"""Sizes of change that are looked for, in standard deviations of the mean over one memory."""

CLIP = 3.0
"""A tick may say no more than this, in nats: heavier tails than the normal one are met daily."""

BLOCKS_MIN = 20


class Tempo(Struct, frozen=True, kw_only=True):
    """Accepted mean [S, D] and, for each of K changes that are looked for, the log-likelihood's
    slope [S, K, D] and offset [S, K] for one tick."""

    centre: Array
    slope: Array
    offset: Array


def long_run(past: Array, block: int) -> Array:
    """Long-run covariance [S, D, D] of one row of `past` [S, N, D], from means of `block` rows.

    Newey and West (Econometrica 1987) over the blocks with one lag at full weight, where that adds
    variance: a memory as long as a block leaves neighbours alike. Raises ValueError for less than
    `BLOCKS_MIN` blocks.
    """
    streams, rows, width = past.shape
    count = rows // block
    if count < BLOCKS_MIN:
        raise ValueError(f"{rows} rows are too few for {BLOCKS_MIN} blocks of {block}")
    means = past[:, : count * block].reshape(streams, count, block, width).mean(axis=2)
    spread = means - means.mean(axis=1)[:, None, :]
    own = np.einsum("snd,sne->sde", spread, spread) / count
    lag = np.einsum("snd,sne->sde", spread[:, 1:], spread[:, :-1]) / count
    values, vectors = np.linalg.eigh(lag + np.swapaxes(lag, 1, 2))
    extra = (vectors * np.maximum(values, 0.0)[:, None, :]) @ np.swapaxes(vectors, 1, 2)
    return np.asarray((own + extra) * block)


def learn(past: Array, block: int, ticks: int, is_mix: bool) -> Tempo:
    """From accepted behaviour `past` [S, N, D]: rows of `ticks` ticks each, `block` rows a memory.

    In a mix of shares a part that grows takes from the others in proportion; other numbers move
    alone. Raises ValueError as `long_run` does.
    """
    centre = past.mean(axis=1)
    streams, width = centre.shape
    whitener = inverse_root(long_run(past, block) * ticks)
    ways = np.broadcast_to(np.eye(width), (streams, width, width))
    if is_mix:
        taken = -centre[:, None, :] / np.maximum(1.0 - centre, RIDGE)[:, :, None]
        ways = np.where(np.eye(width, dtype=bool), 1.0, taken)
    unit = np.einsum("sde,ske->skd", whitener, ways)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=2, keepdims=True), RIDGE)
    signed = np.concatenate([unit, -unit], axis=1)
    moves = np.concatenate([size / np.sqrt(block * ticks) * signed for size in SHIFTS], axis=1)
    slope = np.einsum("skd,sde->ske", moves, whitener)
    return Tempo(centre=centre, slope=slope, offset=np.square(moves).sum(axis=2) / 2.0)


class Quasi:
    """S streams at once; state = the evidence [S, K] of each change that is looked for."""

    def __init__(self, tempo: Tempo) -> None:
        self._tempo = tempo
        self._evidence = np.zeros(tempo.offset.shape)

    def tick(self, values: Array) -> None:
        """One tick with `values` [S, D]."""
        away = values - self._tempo.centre
        said = np.einsum("skd,sd->sk", self._tempo.slope, away) - self._tempo.offset
        self._evidence = grown(self._evidence, np.exp(np.clip(said, -CLIP, CLIP)))

    @property
    def evidence(self) -> Array:
        """[S], in ticks: the mean over the changes that are looked for."""
        return np.asarray(self._evidence.mean(axis=1))

    def forget(self) -> None:
        """Evidence begins anew, after an alarm."""
        self._evidence[:] = 0.0
