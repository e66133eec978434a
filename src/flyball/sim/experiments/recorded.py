"""How do recorded agents' sessions run again in a closed loop, so that what breaks is repeated?

A trace replayed at its recorded times cannot answer for a slow fleet or a broken step. Here sizes,
shared prefixes and pauses are the recording's, and the next step is asked for when the last one has
been answered: `sim/programs.py` with the recording in place of drawn figures. Sizes are scaled and
capped as the scenario bends every agent's (`Limits`). Only a session's main agent is played.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace
from numpy.random import Generator

from flyball.governor.policy import Policy
from flyball.model.fleet import Fleet
from flyball.sim.program import BLOCK_TOKENS, Limits, Program, Step
from flyball.sim.programs import Group, Programs, grouped
from flyball.sim.run import World, generated
from flyball.sim.scenario import Scenario
from flyball.units import Ratio, Seconds, Tokens

MAIN_AGENT = "0"
# A step that keeps less than this share of the last prompt begins anew: what a repeat read in is
# gone with the rest.
ANEW: Ratio = 0.5


class RecordedStep(Struct, frozen=True, kw_only=True):
    """One call as recorded: `kept_blocks` leading blocks are those of the call before; `pause_s`
    lies before it."""

    input_tokens: Tokens
    output_tokens: Tokens
    kept_blocks: int
    pause_s: Seconds


Recording = tuple[RecordedStep, ...]


def recordings(
    rows: Iterable[tuple[str, str, int, int, int, Seconds | None]], steps_min: int = 2
) -> list[Recording]:
    """Sessions of at least `steps_min` steps out of rows (trace, agent, input tokens, output
    tokens, blocks shared with the call before, pause in s if known), in a session's order."""
    found: dict[str, list[RecordedStep]] = {}
    for trace, agent, given, made, kept, pause_s in rows:
        if agent == MAIN_AGENT:
            step = RecordedStep(
                input_tokens=given,
                output_tokens=max(1, made),
                kept_blocks=kept,
                pause_s=pause_s or 0.0,
            )
            found.setdefault(trace, []).append(step)
    return [tuple(steps) for steps in found.values() if len(steps) >= steps_min]


class Recorded(Program):
    """One recorded session under way; `own` is where its block ids begin. Tools never fail anew:
    their failures are in the recording."""

    def __init__(self, steps: Recording, limits: Limits, own: int) -> None:
        self.limits = limits
        self.tool_failures = self.compactions = 0
        self.steps_left = len(steps)
        self._steps = steps
        self._place = 0
        self._next_id = own
        self._ids: list[int] = []
        self._answer_ids: list[int] = []
        self._answer: Tokens = 0
        self._reread: Tokens = 0
        self.tokens = 0
        self._take(0)

    def ask(self) -> Step:
        """The call as recorded, after what repeats have added."""
        self._answer = self._steps[self._place].output_tokens
        more = (self.tokens + self._answer) // self.limits.block_tokens - len(self._ids)
        self._answer_ids = self._fresh(more)
        ids, result = tuple(self._ids), self._next_id
        return Step(self.tokens, self._answer, ids, tuple(self._answer_ids), result)

    def go_on(self) -> Seconds | None:
        """The recorded pause until the next call; None = that was the last."""
        self.steps_left -= 1
        self._place += 1
        if not self.steps_left:
            return None
        step = self._steps[self._place]
        self._take(int(step.kept_blocks * self.limits.context_ratio))
        return step.pause_s

    def repeat(self, reread: Tokens) -> None:
        """The answer and what is read in again stay in the context, until it begins anew."""
        self._reread += self._answer + reread
        self._fill(len(self._ids))

    def tool_pause(self, share: Ratio) -> Seconds:
        """A pause of this session at that rank."""
        pauses = sorted(step.pause_s for step in self._steps)
        return pauses[min(len(pauses) - 1, int(share * len(pauses)))]

    def _take(self, kept_blocks: int) -> None:
        before = len(self._ids)
        if kept_blocks < ANEW * before:
            self._reread = 0
            self.compactions += before > 0
        # What a repeat added stands behind the recorded blocks, and is kept with them.
        whole = kept_blocks + self._reread // self.limits.block_tokens
        self._ids += self._answer_ids
        self._answer_ids = []
        self._fill(min(whole, len(self._ids)))

    def _fill(self, kept: int) -> None:
        """So many blocks stay; all others of the prompt are new."""
        size, most = self.limits.block_tokens, self.limits.input_tokens_max
        asked = int(self._steps[self._place].input_tokens * self.limits.context_ratio)
        self.tokens = max(1, min(most, asked + self._reread))
        blocks = self.tokens // size
        del self._ids[min(kept, blocks) :]
        self._ids += self._fresh(blocks - len(self._ids))


class RecordedPrograms(Programs):
    """Sessions begin as the scenario says; each plays a recording drawn by its own chance."""

    recordings: Sequence[Recording] = ()

    def _program(self, group: Group, number: int, rng: Generator, own: int) -> Program:
        steps = self.recordings[int(rng.integers(len(self.recordings)))]
        return Recorded(steps, group.limits, own)


class RecordedWorld(World):
    """A world whose agents' sessions are recordings."""

    def __init__(
        self, scenario: Scenario, fleet: Fleet, policy: Policy, recorded: Sequence[Recording]
    ) -> None:
        super().__init__(_without_programs(scenario), fleet, policy, generated(scenario))
        self.scenario = scenario
        programs = RecordedPrograms(
            self.clock,
            grouped(scenario.workload.programs, BLOCK_TOKENS),
            self.streams,
            self._send,
            scenario.duration_s,
            scenario.workload.load,
            scenario.triggers,
        )
        programs.recordings = recorded
        self.programs = programs


def _without_programs(scenario: Scenario) -> Scenario:
    """The same with nobody's session begun: the recordings' own are set on the clock instead."""
    calm = {
        name: replace(shape, rate=0.0, standing=0)
        for name, shape in scenario.workload.programs.items()
    }
    return replace(scenario, workload=replace(scenario.workload, programs=calm))
