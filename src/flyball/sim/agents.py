"""Which agents are there, how do their sessions run, and how do they try again: by which source?

The figures stand in `data/agents.json`, each with its source and, where it was fitted, the split.
`docs/results/fit_agents.py` writes the fitted ones. Distributions are quantile tables
((probability, value), ...), linear in between.
"""

from functools import cache
from importlib import resources
from math import erf, exp, sqrt

import msgspec
import numpy as np
from msgspec import Struct

from flyball.units import Ratio, Seconds, Tokens

Quantiles = tuple[tuple[float, float], ...]


class AgentClient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an agent's own loop tries a failed call again, round the SDK's retries.

    The pause before try n + 1 is `delay_s` * 2^(n-1), within [`delay_s_min`, `delay_s_max`], less
    up to `jitter_ratio`. One try of the agent is up to 1 + `sdk_retries` sendings.
    """

    attempts_max: int
    delay_s: Seconds
    delay_s_min: Seconds
    delay_s_max: Seconds
    jitter_ratio: Ratio
    sdk_retries: int
    timeout_s: Seconds
    source: str

    def pause_s(self, tries: int, draw: float) -> Seconds:
        """How long it waits after its `tries`-th try has failed; `draw` is uniform in [0, 1)."""
        pause = min(self.delay_s * 2.0 ** (tries - 1), self.delay_s_max)
        return max(pause, self.delay_s_min) * (1.0 - self.jitter_ratio * draw)


class BreakRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a context cut on the way does to a step.

    It breaks with probability `most` / (1 + exp((kept - half_at) / width)); a step is repeated at
    most `repeats_max` times, each time with `reread_ratio` of the cut tokens read in again.
    """

    most: Ratio
    half_at: Ratio
    width: Ratio
    repeats_max: int
    reread_ratio: Ratio
    source: str

    def probability(self, kept: Ratio) -> Ratio:
        """Of a break, by the share of the prompt that was kept; 0 for a whole prompt."""
        return self.most / (1.0 + exp((kept - self.half_at) / self.width)) if kept < 1.0 else 0.0


class Agent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of agent.

    A step's prompt is the last one, the last answer and `added_tokens` (tool results, the user's
    words); after `dropped_ratio` of the steps parts of the answer are left out (thinking), so that
    none of it is found again and the prompt grows by a multiple of it, `dropped_share`, in all.
    `compact` = (context from which it holds, probability per step) of a compaction, which leaves
    a share `compact_to`; `rewrite_ratio` of the steps change what stands behind a share
    `rewrite_at` of the last prompt. `human_ratio` of the steps follow a human's turn.
    `first_by_steps` = correlation (of normal scores) of first prompt and number of steps.
    `session_share` = share of a figure's variance (of its rank) that lies between sessions.
    """

    title: str
    client: str
    steps: Quantiles
    system_tokens: Tokens
    first_tokens: Quantiles
    first_by_steps: float
    added_tokens: Quantiles
    dropped_ratio: Ratio
    dropped_share: Quantiles
    output_tokens: Quantiles
    tool_s: Quantiles
    human_s: Quantiles
    human_ratio: Ratio
    compact: Quantiles
    compact_to: Quantiles
    rewrite_ratio: Ratio
    rewrite_at: Quantiles
    session_share: dict[str, Ratio]
    tool_failure_ratio: Ratio
    input_tokens_max: Tokens
    source: str
    note: str


class AgentBook(Struct, frozen=True, forbid_unknown_fields=True):
    """All of `data/agents.json`."""

    agents: dict[str, Agent]
    clients: dict[str, AgentClient]
    breaks: BreakRule


@cache
def book() -> AgentBook:
    """The agents, their clients and the rule of breaks; read once."""
    text = resources.files("flyball").joinpath("data", "agents.json").read_bytes()
    return msgspec.json.decode(text, type=AgentBook)


def value_at(table: Quantiles, share: float) -> float:
    """The quantile of a table at `share` in [0, 1]; 0 for an empty table."""
    if not table:
        return 0.0
    low = table[0]
    for high in table[1:]:
        if share <= high[0]:
            part = (share - low[0]) / (high[0] - low[0])
            return low[1] + part * (high[1] - low[1])
        low = high
    return table[-1][1]


def share_of(normal: float) -> float:
    """The distribution function of the standard normal: a normal draw to a rank in (0, 1)."""
    return 0.5 * (1.0 + erf(normal / sqrt(2.0)))


def mixed(session: float, rng: np.random.Generator, between: Ratio) -> float:
    """A rank in (0, 1), uniform over all steps, of which `between` is shared by a session.

    A Gaussian copula with one factor: `session` is the session's standard normal draw.
    """
    return correlated(session, rng, sqrt(between))


def correlated(normal: float, rng: np.random.Generator, by: float) -> float:
    """A rank in (0, 1) whose normal score has correlation `by` with the draw `normal`."""
    return share_of(by * normal + sqrt(1.0 - by * by) * float(rng.standard_normal()))
