"""What does an agent's session ask next, and what stands in its context by then?

One session of one `Agent`, apart from any clock: `ask` gives the next step's prompt and answer,
`go_on` the pause until the step after it. Blocks of the context are named so that equal ids mean
equal tokens: the answer of step k stands in the prompt of step k + 1, so its blocks are named with
it; what a compaction or a rewrite changes gets new names; the system prompt is shared by all.
"""

from msgspec import Struct
from numpy.random import Generator

from flyball.sim.agents import Agent, correlated, mixed, share_of, value_at
from flyball.units import Ratio, Seconds, Tokens

BLOCK_TOKENS = 64
# Ids of blocks: above those of generated rows (sim/workload.py), below a spike's copies of them.
FIRST_GROUP = 16
GROUPS_MAX = 16
# Assumed: a tenth of all tool results is one of a few that say nothing (no output, "ok").
PLAIN_RESULTS: Ratio = 0.1
PLAIN_KINDS = 3
_MIX = 2_654_435_761  # Knuth's multiplicative hash: chance that takes nothing from the stream


class Limits(Struct, frozen=True, kw_only=True):
    """How a scenario bends an agent's own figures; `context_ratio` scales all but the answers."""

    context_ratio: float = 1.0
    input_tokens_max: Tokens
    steps_max: int = 1_000_000
    tool_failure_ratio: Ratio
    block_tokens: Tokens = BLOCK_TOKENS


class Step(Struct, frozen=True):
    """One call: the prompt's blocks, and those that the answer fills behind them.

    `result` names what was added last: a tool's result, mostly unlike all others.
    """

    input_tokens: Tokens
    output_tokens: Tokens
    prefix_blocks: tuple[int, ...]
    answer_blocks: tuple[int, ...]
    result: int = 0


class Program:
    """A session under way. `own` and `shared` are where its own ids and the system prompt's begin.

    `steps_left` counts the steps of work; a failed tool adds one. All chance is `rng`'s, and what
    it gives does not depend on how the calls went.
    """

    def __init__(self, agent: Agent, rng: Generator, limits: Limits, own: int, shared: int) -> None:
        self.agent = agent
        self.limits = limits
        self.tool_failures = 0
        self.compactions = 0
        self.by_human = False  # whether the present step answers a human's turn
        self._rng = rng
        self._next_id = own
        self._session = {name: float(rng.standard_normal()) for name in ("added", "output", "tool")}
        # Recorded steps include those after failed tools, which are added again below.
        length = float(rng.standard_normal())
        drawn = value_at(agent.steps, share_of(length)) * (1.0 - agent.tool_failure_ratio)
        self.steps_left = max(1, min(round(drawn), limits.steps_max))
        ratio = limits.context_ratio
        self._system = int(agent.system_tokens * ratio)
        size = correlated(length, rng, agent.first_by_steps)
        first = value_at(agent.first_tokens, size) * ratio
        self.tokens: Tokens = min(max(self._system + 1, int(first)), limits.input_tokens_max)
        whole = min(self._system, self.tokens) // limits.block_tokens
        self._system_ids = list(range(shared, shared + whole))
        self._ids = [*self._system_ids]
        self._name_blocks()
        self._answer: Tokens = 0
        self._answer_ids: list[int] = []

    def ask(self) -> Step:
        """The next call."""
        self._answer = max(1, round(self._drawn("output", self.agent.output_tokens)))
        size = self.limits.block_tokens
        more = (self.tokens + self._answer) // size - len(self._ids)
        self._answer_ids = self._fresh(more)
        ids = tuple(self._ids)
        return Step(self.tokens, self._answer, ids, tuple(self._answer_ids), self._result())

    def go_on(self) -> Seconds | None:
        """The step is done: the pause until the next one; None = that was the last."""
        agent, rng = self.agent, self._rng
        self.by_human = float(rng.random()) < agent.human_ratio
        pause_s = self._pause()
        failed = float(rng.random()) < self.limits.tool_failure_ratio and not self.by_human
        if failed and self.steps_left > 1:  # after the last step no tool is run
            self.tool_failures += 1
        else:
            self.steps_left -= 1
        if not self.steps_left:
            return None
        self._grow()
        return pause_s

    def repeat(self, reread: Tokens) -> None:
        """The answer was of no use: it and `reread` tokens are read in, and the step comes again.

        Draws no chance.
        """
        self._append(True, reread)
        self._compact_if_full()

    def tool_pause(self, share: Ratio) -> Seconds:
        """A tool's time at this rank: what a broken step costs before it is noticed."""
        return value_at(self.agent.tool_s, share)

    def _pause(self) -> Seconds:
        agent = self.agent
        tool_s = self._drawn("tool", agent.tool_s)
        human_s = value_at(agent.human_s, float(self._rng.random()))
        return human_s if self.by_human else tool_s

    def _drawn(self, name: str, table: tuple[tuple[float, float], ...]) -> float:
        between = self.agent.session_share.get(name, 0.0)
        return value_at(table, mixed(self._session[name], self._rng, between))

    def _result(self) -> int:
        """A name of its own, or that of a result which every tool gives now and then ("done")."""
        name = self._next_id
        plain = name * _MIX % 2**32 / 2**32
        return 1 + int(plain / PLAIN_RESULTS * PLAIN_KINDS) if plain < PLAIN_RESULTS else name + 8

    # The context.

    def _grow(self) -> None:
        """The answer and what is added; or the agent compacts, or rewrites its past."""
        agent, rng = self.agent, self._rng
        changed, where, dropped = (float(share) for share in rng.random(3))
        is_kept = dropped >= agent.dropped_ratio
        table = agent.added_tokens if is_kept else agent.dropped_share
        drawn = self._drawn("added", table)
        added = round(drawn * self.limits.context_ratio) if is_kept else 0
        growth = added + self._answer if is_kept else round(drawn * self._answer)
        hazard = self._hazard(self.tokens)
        if changed < hazard:
            self._compact(value_at(agent.compact_to, where))
            return
        if changed < hazard + agent.rewrite_ratio:
            kept = int(len(self._ids) * value_at(agent.rewrite_at, where))
            del self._ids[kept:]
            self._append(False, growth)
        else:
            self._append(is_kept, added if is_kept else growth)
        self._compact_if_full()

    def _hazard(self, tokens: Tokens) -> Ratio:
        """The probability that the agent compacts a context of this size now."""
        found = 0.0
        for begin, probability in self.agent.compact:
            if tokens >= begin * self.limits.context_ratio:
                found = probability
        return found

    def _append(self, answer_is_kept: bool, added: Tokens) -> None:
        if answer_is_kept:
            self._ids += self._answer_ids
            self.tokens += self._answer
        self._answer_ids = []
        self.tokens += added
        self._name_blocks()

    def _compact_if_full(self) -> None:
        if self.tokens > self.limits.input_tokens_max:
            self._compact(self.limits.input_tokens_max / self.tokens / 2.0)

    def _compact(self, to: Ratio) -> None:
        """All but the system prompt is written anew, shorter."""
        self.compactions += 1
        kept = min(int(self.tokens * to), self.limits.input_tokens_max)
        self.tokens = max(self._system + 1, kept)
        self._ids = [*self._system_ids]
        self._answer_ids = []
        self._name_blocks()

    def _name_blocks(self) -> None:
        missing = self.tokens // self.limits.block_tokens - len(self._ids)
        self._ids += self._fresh(missing)
        del self._ids[self.tokens // self.limits.block_tokens :]

    def _fresh(self, count: int) -> list[int]:
        first = self._next_id
        self._next_id += max(0, count)
        return list(range(first, self._next_id))
