"""Which requests would come, if no trace is at hand? (Generated from published statistics.)

Arrivals are Poisson with a rate that wanders: in the Azure conversation hour the counts per minute
have an index of dispersion of 26 and the intervals a CV of 1.09. A log-normal rate with CV 0.36
and a memory of ten minutes gives 26 and 1.08 (mean of 40 hours); independent intervals of CV 1.09
would give 1.2, and bursts of minutes, which an autoscaler meets, would be missing.
"""

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from msgspec import Struct

from flyball.dialects.traces.row import TraceRow
from flyball.units import Ratio, Seconds, Tokens

BLOCK_TOKENS = 64
RATE_CV = 0.36
RATE_MEMORY_S = 600.0
_BIN_S = 10.0
# Sessions are begun this many mean session lengths before the window, so that it opens on a
# fleet at work; a pilot of this many sessions tells how many of their turns fall into it.
_HISTORY_SESSIONS = 3.0
_PILOT_SESSIONS = 500
_SYSTEM_PROMPTS = 4

Quantiles = tuple[tuple[float, float], ...]

# Quantiles of tokens in AzureLLMInferenceTrace_conv (19,366 requests, CC-BY, Splitwise ISCA 2024).
AZURE_INPUT: Quantiles = (
    (0.0, 2), (0.01, 29), (0.05, 181), (0.1, 207), (0.2, 387), (0.3, 403), (0.4, 703), (0.5, 1020),
    (0.6, 1071), (0.7, 1130), (0.8, 1315), (0.9, 2734), (0.95, 4083), (0.99, 4142), (0.999, 6179),
    (1.0, 14050),
)  # fmt: skip
AZURE_OUTPUT: Quantiles = (
    (0.0, 7), (0.01, 16), (0.05, 41), (0.1, 54), (0.2, 77), (0.3, 91), (0.4, 103), (0.5, 129),
    (0.6, 177), (0.7, 384), (0.8, 400), (0.9, 424), (0.95, 451), (0.99, 601), (0.999, 954),
    (1.0, 1000),
)  # fmt: skip


class Kind(Struct, frozen=True, kw_only=True):
    """One class of work: the shape of a session of it. Lengths in tokens, as quantile tables.

    Turns come at times drawn beforehand (open loop), whatever the fleet does: rows for a replay.
    Agents whose next step waits for the last answer are a scenario's `workload.programs`.

    A turn's prompt is the system prompt, all earlier turns and answers, and `added` new tokens.
    """

    first: Quantiles
    added: Quantiles = ()
    output: Quantiles = AZURE_OUTPUT
    system_tokens: Tokens = 0
    turns_mean: float = 1.0
    think_s: Quantiles = ()
    input_tokens_max: Tokens = 131_072


KINDS: dict[str, Kind] = {
    # Single questions: lengths of the Azure conversation service.
    "chat": Kind(first=AZURE_INPUT),
    # Several turns after a shared system prompt: 1.63 turns as in the Mooncake conversation hour
    # (12,031 requests in 7,373 chains of prefix blocks); the pauses are assumed.
    "dialog": Kind(
        first=((0.0, 8), (0.5, 120), (0.9, 900), (1.0, 4000)),
        added=((0.0, 4), (0.5, 40), (0.9, 300), (1.0, 2000)),
        system_tokens=512,
        turns_mean=1.63,
        think_s=((0.0, 2), (0.5, 10), (0.9, 60), (1.0, 300)),
    ),
    # Software agents: mini-swe-agent runs of the LMCache agent traces (69 sessions, Apache-2.0,
    # 4 bytes a token): 20 steps, 1 to 2 s apart, answers of 62/98/191 tokens at p10/p50/p90.
    "agent": Kind(
        first=((0.0, 128), (0.5, 325), (0.9, 1300), (1.0, 4000)),
        added=((0.0, 8), (0.5, 27), (0.75, 185), (0.9, 696), (0.95, 2654), (1.0, 4000)),
        output=((0.0, 30), (0.1, 62), (0.5, 98), (0.75, 123), (0.9, 191), (1.0, 294)),
        system_tokens=1152,
        turns_mean=20.1,
        think_s=((0.0, 0.5), (0.1, 0.7), (0.5, 1.1), (0.75, 1.3), (0.9, 2.0), (1.0, 5.0)),
    ),
    # Interactive coding agents: 506 Claude Code sessions (kv-cache-tester, Apache-2.0).
    "coder": Kind(
        first=((0.0, 400), (0.5, 10_000), (0.9, 60_000), (1.0, 100_000)),
        added=((0.0, 100), (0.1, 182), (0.5, 651), (0.75, 1564), (0.9, 3613), (1.0, 9000)),
        output=((0.0, 60), (0.1, 103), (0.5, 213), (0.75, 417), (0.9, 878), (0.99, 3637),
                (1.0, 8000)),
        system_tokens=14_272,
        turns_mean=65.3,
        think_s=((0.0, 2), (0.1, 4), (0.5, 10), (0.75, 35), (0.9, 169), (1.0, 600)),
        input_tokens_max=200_000,
    ),
    # Real-time work at the edge: a few readings in, one short verdict out (assumed: no published
    # trace of it is known).
    "edge": Kind(
        first=((0.0, 8), (0.5, 24), (1.0, 64)),
        output=((0.0, 1), (0.5, 3), (1.0, 8)),
        system_tokens=64,
    ),
}  # fmt: skip

DEFAULT_MIX: dict[str, Ratio] = {"chat": 0.55, "dialog": 0.2, "agent": 0.15, "edge": 0.1}


def generate(
    seed: int,
    seconds: Seconds,
    rate: float,
    mix: Mapping[str, Ratio] | None = None,
    model: str = "",
) -> list[TraceRow]:
    """Requests of `seconds`, `rate` per second in the mean, in time order; same seed, same rows.

    `mix` maps names of `KINDS` to their shares of the requests (scaled to sum to 1). Raises
    ValueError for an unknown kind, a share that is negative or a time or rate that is not above 0.
    """
    shares = dict(DEFAULT_MIX if mix is None else mix)
    unknown = [name for name in shares if name not in KINDS]
    if unknown:
        raise ValueError(f"no class of work {unknown[0]!r}: there are {', '.join(KINDS)}")
    total = sum(shares.values())
    if not (seconds > 0 and rate > 0 and total > 0 and min(shares.values()) >= 0):
        raise ValueError("seconds, rate and the sum of shares must be above 0, no share below 0")
    rng = np.random.default_rng(seed)
    rows: list[TraceRow] = []
    for number, (name, share) in enumerate(shares.items()):
        rows += _class_rows(rng, name, seconds, rate * share / total, number, model)
    rows.sort(key=lambda row: row.at_s)
    return rows


def _class_rows(
    rng: np.random.Generator, name: str, seconds: Seconds, rate: float, number: int, model: str
) -> list[TraceRow]:
    kind = KINDS[name]
    history_s, turns = 0.0, 1.0
    if kind.added:
        history_s = _HISTORY_SESSIONS * kind.turns_mean * _mean(kind.think_s)
        pilot = rng.uniform(-history_s, seconds, _PILOT_SESSIONS)
        found = sum(len(_session_rows(rng, name, float(at), seconds, 0, "")) for at in pilot)
        turns = max(found, 1) / _PILOT_SESSIONS * (seconds + history_s) / seconds
    begins = arrivals(rng, seconds + history_s, rate / turns) - history_s
    rows: list[TraceRow] = []
    for session, begin_s in enumerate(begins):
        base = (number + 1) << 48 | (session + 1) << 20
        rows += _session_rows(rng, name, float(begin_s), seconds, base, model)
    return rows


def arrivals(rng: np.random.Generator, seconds: Seconds, rate: float) -> np.ndarray:
    """Sorted times in [0, seconds): Poisson, its rate a log-normal AR(1) of mean `rate`.

    The rate is scaled to that mean in each run, so that a short run has the load asked for.
    """
    bins = math.ceil(seconds / _BIN_S)
    spread = math.sqrt(math.log(1 + RATE_CV**2))
    memory = math.exp(-_BIN_S / RATE_MEMORY_S)
    noise = rng.normal(size=bins) * math.sqrt(1 - memory**2)
    level = np.empty(bins)
    state = rng.normal()
    for i in range(bins):
        level[i] = state
        state = memory * state + noise[i]
    rates = np.exp(spread * level)
    rates *= rate / rates.mean()
    counts = rng.poisson(rates * _BIN_S)
    times = (np.repeat(np.arange(bins), counts) + rng.random(int(counts.sum()))) * _BIN_S
    return np.sort(times[times < seconds])


def _session_rows(
    rng: np.random.Generator, name: str, at_s: float, end_s: float, base: int, model: str
) -> list[TraceRow]:
    """The turns of one session that fall in [0, end_s)."""
    kind = KINDS[name]
    turns = int(rng.geometric(1 / kind.turns_mean))
    system = int(rng.integers(_SYSTEM_PROMPTS)) if kind.system_tokens else 0
    prompt = kind.system_tokens + _draw(rng, kind.first)
    rows: list[TraceRow] = []
    for _ in range(turns):
        if at_s >= end_s or prompt > kind.input_tokens_max:
            break
        answer = _draw(rng, kind.output)
        if at_s >= 0:
            rows.append(
                TraceRow(
                    at_s=at_s,
                    input_tokens=prompt,
                    output_tokens=answer,
                    session=f"{name}-{base >> 20 & 0xFFFFFFF}",
                    prefix_blocks=_blocks(kind, prompt, base, system),
                    answer_blocks=_answer_blocks(kind, prompt, answer, base),
                    block_tokens=BLOCK_TOKENS,
                    model=model,
                    class_name=name,
                )
            )
        if kind.added:
            at_s += _between(rng, kind.think_s)
            prompt += answer + _draw(rng, kind.added)
    return rows


def _blocks(kind: Kind, prompt: Tokens, base: int, system: int) -> tuple[int, ...]:
    """Ids of the full blocks: the system prompt's are shared by its class, the rest are its own."""
    shared = kind.system_tokens // BLOCK_TOKENS
    common = (base >> 48 << 48) | system << 14
    own = range(base + shared, base + prompt // BLOCK_TOKENS)
    return (*range(common, common + shared), *own)


def _answer_blocks(kind: Kind, prompt: Tokens, answer: Tokens, base: int) -> tuple[int, ...]:
    """Ids of the blocks that the answer fills: those by which the next turn's prompt has them."""
    if not kind.added:
        return ()
    return tuple(range(base + prompt // BLOCK_TOKENS, base + (prompt + answer) // BLOCK_TOKENS))


def _draw(rng: np.random.Generator, table: Quantiles) -> int:
    return max(1, round(_between(rng, table)))


def _between(rng: np.random.Generator, table: Quantiles) -> float:
    """Inverse of the distribution: linear between the quantiles."""
    drawn = rng.random()
    low = table[0]
    for high in table[1:]:
        if drawn <= high[0]:
            part = (drawn - low[0]) / (high[0] - low[0])
            return low[1] + part * (high[1] - low[1])
        low = high
    return table[-1][1]


def _mean(table: Quantiles) -> float:
    steps = pairwise(table)
    return sum((high[0] - low[0]) * (high[1] + low[1]) / 2 for low, high in steps)
