"""How near are generated agent sessions to recorded ones, and which figures fit them best?

Recorded sessions are split by turns: every second one is fitted (`halves`), the others judge. A
session without a fleet is `played` by the same `Program` that the simulator runs, so what is judged
is what is simulated. Distance = Kolmogorov-Smirnov; beside it the distance that two samples of one
distribution would stay below 95 times in 100, 1.36 sqrt((n + m) / nm) (Smirnov 1948), as if steps
were independent: within a session they are not, so for figures per step that limit is too low.
"""

from collections.abc import Callable, Sequence
from math import sqrt

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from flyball.sim.agents import Agent, Quantiles
from flyball.sim.program import BLOCK_TOKENS, Limits, Program
from flyball.units import Ratio, Seconds, Tokens

SHARES = (
    0.0, 0.001, 0.005, 0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65,
    0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.965, 0.98, 0.985, 0.99, 0.9925, 0.995, 0.9975, 0.999,
    1.0,
)  # fmt: skip
_TAIL_MIN = 1000  # from so many values on there is something beyond 0.999
# A prompt below this share of the last one has been compacted; one that has lost more than two
# blocks of it behind the common prefix, rewritten.
COMPACTED_BELOW = 0.8
REWRITTEN_BLOCKS = 2
# Contexts from which an agent compacts more often: coding agents do it as 200 k tokens come near.
COMPACT_AT = (0.0, 120e3, 150e3, 170e3, 200e3)
_STEPS_MIN = 5  # a session's variance is taken from so many steps


class Session(Struct, frozen=True):
    """One session, step by step. `kept_blocks[i]` = leading blocks of 64 tokens that step i shares
    with step i - 1; `pause_s[i]` = between the end of step i - 1 and step i; both 0 for step 0."""

    prompts: list[Tokens]
    answers: list[Tokens]
    kept_blocks: list[int]
    pause_s: list[Seconds]
    by_human: list[bool]


class Distance(Struct, frozen=True):
    """One figure: sizes of both samples, distance and its limit of chance, medians and 90 %."""

    figure: str
    recorded: int
    ks: float
    ks_chance: float
    median: float
    median_ratio: float
    p90_ratio: float


def halves(sessions: Sequence[Session]) -> tuple[list[Session], list[Session]]:
    """(fitted, judging): the 1st, 3rd, 5th, ... session and the 2nd, 4th, 6th, ..."""
    return list(sessions[::2]), list(sessions[1::2])


def table(values: Sequence[float]) -> Quantiles:
    """The quantiles of a sample at `SHARES`, four digits each; () for an empty one.

    The last stands where the mean beyond 0.999 is kept, and not at the largest value: a straight
    line to that would make a heavy tail heavier by half its height.
    """
    if not len(values):
        return ()
    sample = np.asarray(values, float)
    found = np.quantile(sample, SHARES)
    if len(sample) >= _TAIL_MIN:
        found[-1] = 2.0 * sample[sample >= found[-2]].mean() - found[-2]
    return tuple((share, float(f"{value:.4g}")) for share, value in zip(SHARES, found, strict=True))


def session_share(groups: Sequence[Sequence[float]]) -> Ratio:
    """Share of the variance of normal scores that lies between sessions of at least five steps."""
    long = [np.asarray(one, float) for one in groups if len(one) >= _STEPS_MIN]
    if len(long) < 2:
        return 0.0
    everything = np.concatenate(long)
    score = scores(everything)
    parts = np.split(score, np.cumsum([len(one) for one in long])[:-1])
    within = sum(((one - one.mean()) ** 2).sum() for one in parts) / (len(score) - len(long))
    return float(np.clip(round(1.0 - within / score.var(ddof=1), 3), 0.0, 1.0))


def scores(values: np.ndarray) -> np.ndarray:
    """Scores of the ranks by the logistic quantile: near enough to the normal one for shares of
    variance and correlations."""
    rank = (np.argsort(np.argsort(values, kind="stable")) + 0.5) / len(values)
    return np.log(rank / (1.0 - rank))


def fitted(start: Agent, sessions: Sequence[Session]) -> Agent:
    """`start` with every figure that recorded sessions tell."""
    grown = [_grown(one) for one in sessions]
    added = [now - answer for one in grown for now, answer in one if now >= answer]
    dropped = [max(0.0, now / answer) for one in grown for now, answer in one if now < answer]
    lengths = np.array([len(one.prompts) for one in sessions])
    firsts = np.array([one.prompts[0] for one in sessions])
    answers = [[float(made) for made in one.answers] for one in sessions]
    tools = [_pauses(one, False) for one in sessions]
    humans = [_pauses(one, True) for one in sessions]
    compacted = [x for one in sessions for x in _compactions(one)]
    rewrites = [x for one in sessions for x in _rewrites(one)]
    turns = sum(len(one.prompts) - 1 for one in sessions)
    whole = turns - len(compacted)
    return replace(
        start,
        steps=table(lengths.tolist()),
        first_tokens=table(firsts.tolist()),
        first_by_steps=_correlation(lengths, firsts),
        added_tokens=table(added),
        dropped_ratio=round(len(dropped) / max(len(added) + len(dropped), 1), 4),
        dropped_share=table(dropped),
        output_tokens=table(np.concatenate(answers).tolist()),
        tool_s=table([x for one in tools for x in one]),
        human_s=table([x for one in humans for x in one]),
        human_ratio=round(sum(map(len, humans)) / max(turns, 1), 4),
        compact=_hazard(sessions),
        compact_to=table([to for _, to in compacted]),
        rewrite_ratio=round(len(rewrites) / max(whole, 1), 4),
        rewrite_at=table(rewrites),
        session_share={
            "added": session_share([[now for now, _ in one] for one in grown]),
            "output": session_share(answers),
            "tool": session_share(tools),
        },
    )


def played(agent: Agent, count: int, seed: int) -> list[Session]:
    """So many sessions of an agent whose every call is answered at once."""
    limits = Limits(
        input_tokens_max=agent.input_tokens_max, tool_failure_ratio=agent.tool_failure_ratio
    )
    return [_played(agent, limits, np.random.default_rng([seed, i])) for i in range(count)]


def _played(agent: Agent, limits: Limits, rng: np.random.Generator) -> Session:
    program = Program(agent, rng, limits, 1 << 40, 0)
    session = Session([], [], [], [], [])
    before: tuple[int, ...] = ()
    pause_s: Seconds | None = 0.0
    while pause_s is not None:
        step = program.ask()
        session.prompts.append(step.input_tokens)
        session.answers.append(step.output_tokens)
        session.kept_blocks.append(common(before, step.prefix_blocks))
        session.pause_s.append(pause_s)
        session.by_human.append(program.by_human)
        before = step.prefix_blocks
        pause_s = program.go_on()
    return session


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many leading ids two prompts share. An id stands for all that comes before it too, so
    where two are equal all before them are, and the place is found by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[middle - 1] == other[middle - 1]:
            low = middle
        else:
            high = middle - 1
    return low


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of normal scores, 0 where a sample is too small to tell."""
    if len(one) < _STEPS_MIN:
        return 0.0
    return round(float(np.corrcoef(scores(one), scores(other))[0, 1]), 3)


# What a session tells.


def _turns(one: Session) -> list[tuple[Tokens, Tokens, Tokens, int]]:
    """(last prompt, last answer, this prompt, blocks kept) of every step but the first."""
    return list(zip(one.prompts, one.answers, one.prompts[1:], one.kept_blocks[1:], strict=False))


def _grown(one: Session) -> list[tuple[float, float]]:
    """(growth of the prompt, last answer) of every step after which nothing was compacted."""
    return [
        (float(now - last), float(answer))
        for last, answer, now, _ in _turns(one)
        if now >= COMPACTED_BELOW * last
    ]


def _compactions(one: Session) -> list[tuple[Tokens, Ratio]]:
    return [(last, now / last) for last, _, now, _ in _turns(one) if now < COMPACTED_BELOW * last]


def _rewrites(one: Session) -> list[Ratio]:
    found: list[Ratio] = []
    for last, _, now, kept in _turns(one):
        blocks = last // BLOCK_TOKENS
        if now >= COMPACTED_BELOW * last and blocks - kept > REWRITTEN_BLOCKS:
            found.append(kept / blocks)
    return found


def _hazard(sessions: Sequence[Session]) -> Quantiles:
    found: list[tuple[float, float]] = []
    lasts = np.array([turn[0] for one in sessions for turn in _turns(one)], float)
    compacted = np.array([last for one in sessions for last, _ in _compactions(one)], float)
    for low, high in zip(COMPACT_AT, (*COMPACT_AT[1:], np.inf), strict=True):
        at_risk = int(((lasts >= low) & (lasts < high)).sum())
        did = int(((compacted >= low) & (compacted < high)).sum())
        if at_risk:
            found.append((low, round(did / at_risk, 5)))
    return tuple(found)


def _pauses(one: Session, by_human: bool) -> list[float]:
    pairs = zip(one.pause_s[1:], one.by_human[1:], strict=True)
    return [pause_s for pause_s, human in pairs if human == by_human]


FIGURES: dict[str, Callable[[Session], Sequence[float]]] = {
    "steps of a session": lambda one: [len(one.prompts)],
    "first prompt, tokens": lambda one: [one.prompts[0]],
    "last prompt, tokens": lambda one: [one.prompts[-1]],
    "all prompts / first": lambda one: [sum(one.prompts) / one.prompts[0]],
    "all pauses of a session, s": lambda one: [sum(one.pause_s)],
    "prompt, tokens": lambda one: one.prompts,
    "growth of the prompt, tokens": lambda one: [b - a for a, _, b, _ in _turns(one)],
    "answer, tokens": lambda one: one.answers,
    "pause after a tool, s": lambda one: _pauses(one, False),
    "pause of a human, s": lambda one: _pauses(one, True),
    "prefix reuse of a session": lambda one: [
        sum(one.kept_blocks) * BLOCK_TOKENS / max(1, sum(one.prompts))
    ],
}


def distances(generated: Sequence[Session], recorded: Sequence[Session]) -> list[Distance]:
    """Every figure of `FIGURES` that recorded sessions have, generated against recorded."""
    found: list[Distance] = []
    for name, figure in FIGURES.items():
        ours = np.array([x for one in generated for x in figure(one)], float)
        theirs = np.array([x for one in recorded for x in figure(one)], float)
        if len(theirs) and len(ours):
            found.append(_distance(name, ours, theirs))
    return found


def _distance(name: str, ours: np.ndarray, theirs: np.ndarray) -> Distance:
    n, m = len(ours), len(theirs)
    half, most = np.percentile(ours, [50, 90]), np.percentile(theirs, [50, 90])
    return Distance(
        name, m, ks(ours, theirs), 1.36 * sqrt((n + m) / (n * m)), float(most[0]),
        _ratio(float(half[0]), float(most[0])), _ratio(float(half[1]), float(most[1])),
    )  # fmt: skip


def _ratio(ours: float, theirs: float) -> float:
    return ours / theirs if theirs else 1.0 if not ours else float("inf")


def ks(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference between two empirical distribution functions."""
    places = np.concatenate([one, other])
    left = np.searchsorted(np.sort(one), places, side="right") / len(one)
    right = np.searchsorted(np.sort(other), places, side="right") / len(other)
    return float(np.abs(left - right).max())
