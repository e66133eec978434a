"""Does an endpoint still answer as the model did whose weights it says it holds?

One-token requests at border prompts (two tokens nearly tied) give vectors of log-probabilities;
numerics, quantisation and templates move them long before any benchmark does ("Log probability
tracking of LLM APIs", arXiv 2512.03816; border inputs, arXiv 2602.11083). The digest of the weights
is pinned: if it differs, the model was changed, which is no drift.
"""

import numpy as np
from msgspec import Struct

from flyball.diagnosis.drift.edetector import Array

PERMUTATIONS = 1999


class Fingerprint(Struct, frozen=True, kw_only=True):
    """Answers of one endpoint to the same prompts, asked again and again.

    `values` [runs, prompts] = log-probability of the pinned token in nats, or 1 and 0 for which of
    two tied tokens came. `digest` = of the weights, "" = not known.
    """

    endpoint: str
    digest: str
    prompts: tuple[str, ...]
    values: Array

    def __post_init__(self) -> None:
        """Raises ValueError if the values are no table of runs by prompts."""
        if self.values.ndim != 2 or self.values.shape[1] != len(self.prompts):
            raise ValueError(f"{self.endpoint}: one column of values per prompt is needed")


class Likeness(Struct, frozen=True, kw_only=True):
    """`chance` = of a difference as large among equals (permutation test); `shift` = mean absolute
    difference of the prompts' means, with the 95 % bound `usual` of it among equals; `worst` = the
    prompts that moved most, in standard errors."""

    chance: float
    shift: float
    usual: float
    same_weights: bool
    worst: tuple[tuple[str, float], ...]


def compare(pinned: Fingerprint, now: Fingerprint, rng: np.random.Generator) -> Likeness:
    """Compare over the prompts that both were asked.

    Raises ValueError if there is no common prompt, or less than two runs of either.
    """
    common = [prompt for prompt in pinned.prompts if prompt in set(now.prompts)]
    if not common:
        raise ValueError(f"{now.endpoint} was asked none of the pinned prompts")
    a = pinned.values[:, [pinned.prompts.index(prompt) for prompt in common]]
    b = now.values[:, [now.prompts.index(prompt) for prompt in common]]
    if min(len(a), len(b)) < 2:
        raise ValueError(f"{now.endpoint}: two runs of each side are the least")
    chance, shift, usual = permuted(a, b, rng)
    error = np.sqrt(a.var(axis=0, ddof=1) / len(a) + b.var(axis=0, ddof=1) / len(b))
    moved = np.abs(a.mean(axis=0) - b.mean(axis=0)) / np.maximum(error, 1e-9)
    worst = np.argsort(-moved, kind="stable")[:3]
    return Likeness(
        chance=chance,
        shift=shift,
        usual=usual,
        same_weights=bool(pinned.digest) and pinned.digest == now.digest,
        worst=tuple((common[int(i)], float(moved[i])) for i in worst),
    )


def permuted(a: Array, b: Array, rng: np.random.Generator) -> tuple[float, float, float]:
    """Permutation test of two tables of rows [runs, columns] that are exchangeable among equals.

    The statistic is the mean over columns of the absolute difference of means. Returns the chance,
    the statistic, and its 95 % quantile among permutations. The chance is exact (Phipson and Smyth
    2010: one is added above and below).
    """
    rows = np.concatenate([a, b])
    first = np.zeros(len(rows))
    first[: len(a)] = 1.0
    ways = np.array([first, *(rng.permutation(first) for _ in range(PERMUTATIONS))])
    gaps = ways @ rows / len(a) - (1.0 - ways) @ rows / len(b)
    found = np.abs(gaps).mean(axis=1)
    as_large = np.count_nonzero(found[1:] >= found[0] * (1.0 - 1e-12))
    chance = (1 + as_large) / (PERMUTATIONS + 1)
    return chance, float(found[0]), float(np.quantile(found[1:], 0.95))
