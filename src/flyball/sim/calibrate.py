"""Which step costs make the plant behave like the engine that a benchmark log was taken from?

The plant is run on the log's own load, and its coefficients are moved until what its clients would
see agrees with what was seen (`sim/fit.py`). The answer is a straight line per kind of step, so it
can stand in a fleet file; a start that bends (`StepCost.curve`) is taken as its line.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from flyball.dialects.benchlog import PointRow, RequestRow, StageRow
from flyball.model.profile import Profile, StepCost
from flyball.sim.batching import SGLANG, VLLM
from flyball.sim.fit import Fitted, Floats, fit
from flyball.sim.measure import Ask, closed_loop, open_loop, run_weights, weighted_median

# What is fitted, each with the least start it gets: nothing can grow from nought.
DIALS: dict[str, float] = {
    "decode.base_s": 1e-4,
    "decode.per_seq_s": 1e-6,
    "decode.per_kv_token_s": 1e-10,
    "mixed.base_s": 1e-4,
    "mixed.per_kv_token_s": 1e-10,
    "mixed.per_prefill_token_s": 1e-7,
    "request_overhead_s": 1e-4,
}
# Where the load alone tells little (means of stages), mixed steps follow the decode steps' costs.
FEW_DIALS = (
    "decode.base_s",
    "decode.per_seq_s",
    "decode.per_kv_token_s",
    "mixed.per_prefill_token_s",
    "request_overhead_s",
)
TTFT_WEIGHT = 0.7
FEW_PRIOR = 1.5
STAGE_REQUESTS = 300
# The start is first slowed or sped up as a whole: from an overloaded one no slope leads back.
PACES = (1.0, 0.7, 0.5, 0.35, 1.4)
STARTS = 5  # all of them tried: what is left has several valleys


class Calibrated(NamedTuple):
    """A profile fitted to a log: each dial's value, standard error (ratio) and share told."""

    profile: Profile
    dials: dict[str, tuple[float, float, float]]
    error: float  # median of |predicted / measured - 1| over the rows of the fit


def to_requests(start: Profile, rows: Sequence[RequestRow], keep: Sequence[bool]) -> Calibrated:
    """Fit all dials to one run; only requests with `keep` count, all are part of the load.

    ValueError if a request can never fit the start's limits, or none is kept.
    """
    load = load_of(rows)
    kept = np.array(keep, dtype=bool)
    ttft = np.array([row.ttft_s for row in rows])[kept]
    rest = np.array([row.e2e_s for row in rows])[kept] - ttft
    many = np.array([row.output_tokens > 1 for row in rows])[kept]

    def see(profile: Profile) -> Floats:
        seen = open_loop(profile, load)
        after = (seen.e2e_s - seen.ttft_s)[kept][many]
        return np.concatenate([after, _in_blocks(seen.ttft_s[kept])])

    return _calibrated(start, tuple(DIALS), see, rest[many], np.maximum(_in_blocks(ttft), 1e-4))


def _in_blocks(values: Floats) -> Floats:
    """Means over up to 40 runs of neighbours: one first token alone jumps by whole steps."""
    parts = np.array_split(values, min(40, len(values)))
    return np.array([float(part.mean()) for part in parts])


def to_stages(start: Profile, rows: Sequence[StageRow]) -> Calibrated:
    """Fit the few dials to the means of stages of constant load."""
    ttft = np.array([row.ttft_s for row in rows])
    rest = np.array([row.e2e_s for row in rows]) - ttft

    def see(profile: Profile) -> Floats:
        means = [stage_means(profile, row) for row in rows]
        return np.array([e2e - first for first, e2e in means] + [first for first, _ in means])

    return _calibrated(start, FEW_DIALS, see, rest, ttft)


def to_points(start: Profile, rows: Sequence[PointRow]) -> Calibrated:
    """Fit the few dials to closed-loop points of one configuration."""
    tpot = np.array([row.tpot_s for row in rows])
    ttft = np.array([row.ttft_s for row in rows])

    def see(profile: Profile) -> Floats:
        figures = [point_figures(profile, row) for row in rows]
        return np.array([each for _, each in figures] + [first for first, _ in figures])

    return _calibrated(start, FEW_DIALS, see, tpot, ttft)


def load_of(rows: Sequence[RequestRow]) -> list[Ask]:
    """The load of a run, to be served again."""
    return [Ask(row.at_s, row.input_tokens, row.output_tokens) for row in rows]


def stage_means(profile: Profile, row: StageRow) -> tuple[float, float]:
    """Mean TTFT and E2E of a stage, seconds: constant intervals, equal lengths, warm."""
    lengths = round(row.input_tokens), max(1, round(row.output_tokens))
    load = [Ask(number / row.rate_rps, *lengths) for number in range(STAGE_REQUESTS)]
    seen = open_loop(profile, load)
    warm = slice(STAGE_REQUESTS // 3, None)
    return float(seen.ttft_s[warm].mean()), float(seen.e2e_s[warm].mean())


def point_figures(profile: Profile, row: PointRow) -> tuple[float, float]:
    """TTFT and TPOT over a closed loop's run, seconds: means, or medians if the row holds those."""
    rules = SGLANG if row.engine == "sglang" else VLLM
    seen = closed_loop(
        profile, row.concurrency, row.input_tokens, row.output_tokens, batching=rules
    )
    weights = run_weights(len(seen.ttft_s), row.concurrency, row.waves)
    if row.medians:
        return weighted_median(seen.ttft_s, weights), weighted_median(seen.tpot_s, weights)
    many = np.isfinite(seen.tpot_s)
    tpot = float(np.average(seen.tpot_s[many], weights=weights[many])) if many.any() else 0.0
    return float(np.average(seen.ttft_s, weights=weights)), tpot


def _calibrated(
    start: Profile,
    names: tuple[str, ...],
    see: Callable[[Profile], Floats],
    rest: Floats,
    ttft: Floats,
) -> Calibrated:
    line = straight(start)
    values = np.array([max(_dial(line, name), DIALS[name]) for name in names])
    shared = len(names) < len(DIALS)
    weights = np.concatenate([np.ones(len(rest)), np.full(len(ttft), TTFT_WEIGHT)])
    measured = np.concatenate([rest, ttft])

    def predict(x: Floats) -> Floats:
        return see(turned(line, names, x, shared))

    def distance(pace: float) -> float:
        return float(np.sum(weights * np.abs(np.log(predict(values * pace) / measured))))

    prior, rounds = (FEW_PRIOR, 4) if shared else (1.0, 12)
    tries: list[Fitted] = [
        fit(predict, measured, values * pace, weights=weights, prior=prior, rounds=rounds)
        for pace in sorted(PACES, key=distance)[: 2 if shared else STARTS]
    ]
    found = min(tries, key=lambda one: float(np.sum(weights * np.abs(one.left))))
    profile = turned(line, names, found.values, shared)
    dials = {
        name: (float(value), float(error), float(told))
        for name, value, error, told in zip(
            names, found.values, found.errors, found.told, strict=True
        )
    }
    return Calibrated(profile, dials, float(np.median(np.abs(np.expm1(found.left)))))


def straight(profile: Profile) -> Profile:
    """The same profile without the bends of its step costs."""
    return replace(
        profile, decode=replace(profile.decode, curve=()), mixed=replace(profile.mixed, curve=())
    )


def turned(profile: Profile, names: Sequence[str], values: Floats, shared: bool) -> Profile:
    """The profile with these dials; `shared` = mixed steps follow the decode steps' costs."""
    given = dict(zip(names, (float(value) for value in values), strict=True))
    parts: dict[str, StepCost] = {}
    for part in ("decode", "mixed"):
        cost: StepCost = getattr(profile, part)
        own = {n.partition(".")[2]: v for n, v in given.items() if n.startswith(f"{part}.")}
        parts[part] = replace(cost, **own)
    if shared:
        old, new = profile.decode, parts["decode"]
        parts["mixed"] = replace(
            parts["mixed"],
            base_s=new.base_s,
            per_seq_s=new.per_seq_s,
            per_kv_token_s=profile.mixed.per_kv_token_s
            * new.per_kv_token_s / max(old.per_kv_token_s, 1e-15),
        )  # fmt: skip
    overhead = given.get("request_overhead_s", profile.request_overhead_s)
    return replace(profile, **parts, request_overhead_s=overhead)


def _dial(profile: Profile, name: str) -> float:
    part, _, field = name.partition(".")
    return float(getattr(getattr(profile, part), field) if field else getattr(profile, part))
