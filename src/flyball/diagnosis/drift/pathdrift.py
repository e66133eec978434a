"""Which paths do requests take in one run and not in another, and which loop makes the difference?

A path is what each loop did to one request, step by step: ("router:pool-a", "retry:1", "ending:
served"). A run is the count of each path in each of its slots of time; slots keep their noise
together, so chance is judged by exchanging whole slots and not single requests.

By the chain rule the Jensen-Shannon divergence of the two runs' paths is the sum, step by step, of
what each loop adds given the steps before: that names the loop (Lin, "Divergence measures based on
the Shannon entropy", IEEE Trans. Inf. Theory 1991).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from flyball.diagnosis.drift.edetector import Array
from flyball.model.decision import Intent, Outcome

Path = tuple[str, ...]
Run = Sequence[Mapping[Path, int]]
"""Counts of each path, slot by slot."""

PATHS_MAX = 2_000
EXCHANGES = 499
CHANCE = 0.05
REST: Path = ("other paths",)


class PathChange(Struct, frozen=True, kw_only=True):
    """One path's share of either run; `expected` = how many of it the run without it should have
    shown. `chance` = of a difference of shares as large by chance, all paths taken together."""

    path: Path
    before: float
    after: float
    expected: float
    chance: float


class PathComparison(Struct, frozen=True, kw_only=True):
    """Two runs. `bits` = their divergence, 0 (alike) to 1 (no path in common), `usual_bits` = its
    95 % quantile among equals, `loops` = (loop, bits it adds), largest first; `gone` and `new` =
    paths of only the first and only the second, `moved` = those of both whose share changed."""

    requests: tuple[int, int]
    bits: float
    usual_bits: float
    chance: float
    loops: tuple[tuple[str, float], ...]
    gone: tuple[PathChange, ...]
    new: tuple[PathChange, ...]
    moved: tuple[PathChange, ...]


def loop_of(step: str) -> str:
    """The loop that made a step: what stands before its first colon."""
    return step.split(":", 1)[0]


def path_of(intents: Sequence[Intent], outcome: Outcome) -> Path:
    """The path of one request: what each loop did at each attempt, then how it ended.

    What a loop left undone is a step too ("context:whole", "retry:no"): only so does a change of
    that loop show at its own step. A request refused before it was placed has an ending alone.
    """
    steps: list[str] = []
    for place, intent in enumerate(sorted(intents, key=lambda one: one.attempt)):
        if place or intent.is_retry:
            steps.append("retry:yes")
        steps.append(f"tier:{intent.served_model or 'asked'}")
        steps.append(
            "context:" + ("cut" if intent.tokens_kept < intent.tokens_offered else "whole")
        )
        chosen = intent.pool if intent.rule in ("price", "single") else intent.rule
        steps.append(f"router:{chosen}")
    if outcome.outcome == "refused":
        return (*steps, f"admission:{outcome.code}")
    return (*steps, "retry:no", f"ending:{outcome.outcome}")


def slotted(requests: Iterable[tuple[float, Path]], slots: int) -> list[Counter[Path]]:
    """(time, path) of each request as counts in `slots` equal stretches of time.

    Ten or more slots, each longer than the noise's memory, make chance a fair judge.
    """
    known = list(requests)
    first = min((at for at, _ in known), default=0.0)
    length = (max((at for at, _ in known), default=0.0) - first) / slots or 1.0
    counts: list[Counter[Path]] = [Counter() for _ in range(slots)]
    for at, path in known:
        counts[min(slots - 1, int((at - first) / length))][path] += 1
    return counts


def compare(before: Run, after: Run, rng: np.random.Generator) -> PathComparison:
    """Compare two runs. More than `PATHS_MAX` paths: the rarest count as one.

    Raises ValueError if either is empty.
    """
    before, after = _bounded(before, after)
    paths = sorted({path for run in (before, after) for slot in run for path in slot})
    rows = _table([*before, *after], paths)
    is_first = np.arange(len(rows)) < len(before)
    totals = rows[is_first].sum(), rows[~is_first].sum()
    if not min(totals):
        raise ValueError("a run without requests has no paths to compare")
    found, usual, chance, chances = _exchanged(rows, is_first, rng)
    changes = _changes(paths, rows[is_first].sum(axis=0), rows[~is_first].sum(axis=0), chances)
    return PathComparison(
        requests=(int(totals[0]), int(totals[1])),
        bits=found,
        usual_bits=usual,
        chance=chance,
        loops=_by_loop(paths, rows[is_first].sum(axis=0), rows[~is_first].sum(axis=0)),
        gone=tuple(c for c in changes if c.after == 0.0),
        new=tuple(c for c in changes if c.before == 0.0),
        moved=tuple(c for c in changes if c.before and c.after and c.chance <= CHANCE),
    )


def _bounded(before: Run, after: Run) -> tuple[Run, Run]:
    totals: Counter[Path] = Counter()
    for slot in (*before, *after):
        totals.update(slot)
    if len(totals) <= PATHS_MAX:
        return before, after
    kept = {path for path, _ in totals.most_common(PATHS_MAX - 1)}

    def folded(run: Run) -> list[Counter[Path]]:
        slots = []
        for slot in run:
            counts: Counter[Path] = Counter()
            for path, n in slot.items():
                counts[path if path in kept else REST] += n
            slots.append(counts)
        return slots

    return folded(before), folded(after)


def _table(slots: Iterable[Mapping[Path, int]], paths: Sequence[Path]) -> Array:
    place = {path: i for i, path in enumerate(paths)}
    rows = []
    for slot in slots:
        row = np.zeros(len(paths))
        for path, n in slot.items():
            row[place[path]] = n
        rows.append(row)
    return np.array(rows)


def divergence(p: Array, q: Array) -> float:
    """Jensen-Shannon divergence in bits of two vectors of shares."""
    middle = (p + q) / 2.0
    return float(_against(p, middle).sum() + _against(q, middle).sum()) / 2.0


def _against(p: Array, middle: Array) -> Array:
    return np.where(p > 0.0, p * np.log2(np.maximum(p, 1e-300) / np.maximum(middle, 1e-300)), 0.0)


def _exchanged(
    rows: Array, is_first: np.ndarray, rng: np.random.Generator
) -> tuple[float, float, float, Array]:
    """Divergence, its 95 % quantile among equals, its chance, and each path's chance (by the
    largest change of any path, so that all of them are judged together: Westfall and Young 1993).
    """
    pooled = np.maximum(rows.sum(axis=0) / rows.sum(), 1e-12)
    scale = np.sqrt(pooled * (1.0 - pooled)) + 1e-9

    def judge(first: np.ndarray) -> tuple[float, Array]:
        a, b = rows[first].sum(axis=0), rows[~first].sum(axis=0)
        p, q = a / max(a.sum(), 1.0), b / max(b.sum(), 1.0)
        return divergence(p, q), np.abs(p - q) / scale

    found, shifts = judge(is_first)
    drawn = [judge(rng.permutation(is_first)) for _ in range(EXCHANGES)]
    bits = np.array([one[0] for one in drawn])
    largest = np.array([one[1].max() for one in drawn])
    as_large = (largest[None, :] >= shifts[:, None] * (1.0 - 1e-12)).sum(axis=1)
    chance = (1 + np.count_nonzero(bits >= found * (1.0 - 1e-12))) / (EXCHANGES + 1)
    return found, float(np.quantile(bits, 0.95)), chance, (1.0 + as_large) / (EXCHANGES + 1)


def _changes(
    paths: Sequence[Path], before: Array, after: Array, chances: Array
) -> list[PathChange]:
    p, q = before / before.sum(), after / after.sum()
    order = np.argsort(-np.abs(p - q), kind="stable")
    return [
        PathChange(
            path=paths[i],
            before=float(p[i]),
            after=float(q[i]),
            expected=float(p[i] * after.sum() if after[i] == 0 else q[i] * before.sum()),
            chance=float(chances[i]),
        )
        for i in order
    ]


def _by_loop(paths: Sequence[Path], before: Array, after: Array) -> tuple[tuple[str, float], ...]:
    """Bits that each loop's steps add, by the chain rule over steps; they sum to the divergence."""
    p, q = before / before.sum(), after / after.sum()
    added: dict[str, float] = {}
    for shares, other in ((p, q), (q, p)):
        mine, mixed = _prefixes(paths, shares), _prefixes(paths, (shares + other) / 2.0)
        for prefix, share in mine.items():
            if prefix and share > 0.0:
                given = share / mine[prefix[:-1]]
                usual = mixed[prefix] / mixed[prefix[:-1]]
                bits = share * float(np.log2(given / usual)) / 2.0
                loop = loop_of(prefix[-1]) or "ending"
                added[loop] = added.get(loop, 0.0) + bits
    return tuple(sorted(((name, max(0.0, b)) for name, b in added.items()), key=lambda x: -x[1]))


def _prefixes(paths: Sequence[Path], shares: Array) -> dict[Path, float]:
    """The share of each prefix; "" stands after a path's last step."""
    found: dict[Path, float] = {}
    for path, share in zip(paths, shares.tolist(), strict=True):
        whole = (*path, "")
        for length in range(len(whole) + 1):
            found[whole[:length]] = found.get(whole[:length], 0.0) + share
    return found
