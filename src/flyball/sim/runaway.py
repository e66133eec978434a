"""How does an agent's session go round in circles, once it has begun to?

Half-way through its work it stops making progress and goes on for ever, in one of three ways that
users of agent harnesses have reported: `repeat` = the same one to three tool calls with the same
results; `growth` = another wording each time, but the same few results, while the context grows;
`compaction` = one reading fills the context, it is compacted, and the same is read again.
"""

from typing import Literal

from numpy.random import Generator

from flyball.sim.agents import Agent
from flyball.sim.program import Limits, Program, Step
from flyball.units import Seconds

Kind = Literal["repeat", "growth", "compaction"]
PERIOD_MAX = 3
# A call that leads nowhere is soon made again.
PAUSE_S: Seconds = 2.0
ANSWER_TOKENS = 96
ADDED_TOKENS = 64
COMPACTED = 0.3
FILLING_STEPS = 3


class Runaway(Program):
    """A session that never completes."""

    def __init__(
        self, agent: Agent, rng: Generator, limits: Limits, own: int, shared: int, kind: Kind
    ) -> None:
        super().__init__(agent, rng, limits, own, shared)
        self.kind: Kind = kind
        self._sound_steps = max(1, self.steps_left // 2)
        self._period = int(rng.integers(1, PERIOD_MAX + 1))
        self._circles = 0
        self._names = self._fresh(PERIOD_MAX)

    @property
    def is_looping(self) -> bool:
        """Whether it makes no progress any more."""
        return self._sound_steps <= 0

    def ask(self) -> Step:
        """The next call: like any other until the circle begins."""
        step = super().ask()
        if not self.is_looping:
            return step
        which = self._circles % self._period
        answer = step.output_tokens if self.kind == "growth" else ANSWER_TOKENS + which
        self._answer = answer
        size = self.limits.block_tokens
        del self._answer_ids[max(0, (self.tokens + answer) // size - len(self._ids)) :]
        blocks = tuple(self._answer_ids)
        result = self._names[which] + 8
        return Step(self.tokens, answer, step.prefix_blocks, blocks, result)

    def go_on(self) -> Seconds | None:
        """Never None: it goes on until it is stopped."""
        if not self.is_looping:
            self.steps_left = max(self.steps_left, 2)
            self._sound_steps -= 1
            return super().go_on()
        self._circles += 1
        if self.kind == "compaction":
            room = self.limits.input_tokens_max - self.tokens
            if self._circles % FILLING_STEPS:
                self._append(True, max(1, room // 2))
            else:
                self._compact(COMPACTED)
        else:
            self._append(True, ADDED_TOKENS + self._circles % self._period)
            self._compact_if_full()
        return PAUSE_S
