"""How do agents' sessions run in the simulated world, each call after the last one's end?

Closed loop: a step is asked for when the step before it has been answered and its tool has run, so
a slow fleet is asked for less, and a failing one for more. A session is complete when all its steps
are. One stream of chance per session: what a session wants does not depend on who serves it.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from numpy.random import Generator

from flyball.dialects.traces.row import TraceRow
from flyball.sim.agents import Agent, AgentClient, book
from flyball.sim.clock import Clock, Streams
from flyball.sim.exchange import Call, Lineage
from flyball.sim.program import FIRST_GROUP, Limits, Program
from flyball.sim.runaway import Runaway
from flyball.sim.scenario import ProgramsShape, Trigger
from flyball.sim.sessions import Tally
from flyball.sim.triggers import spiked_times
from flyball.sim.workload import arrivals
from flyball.units import Seconds, Tokens

# Sessions that stand at the begin ask for their next step within so many seconds.
STANDING_S: Seconds = 30.0

Send = Callable[[TraceRow, Lineage, AgentClient], None]


class Group(Struct, frozen=True):
    """One class of sessions: who they are, and how they are bent."""

    class_name: str
    agent: Agent
    client: AgentClient
    limits: Limits
    shape: ProgramsShape
    base: int


class _Session:
    """One session under way; `repeats` counts how often the present step has broken."""

    __slots__ = ("begun_at", "group", "number", "program", "repeats", "step", "tokens")

    def __init__(self, group: Group, number: int, program: Program, at: Seconds) -> None:
        self.group = group
        self.number = number
        self.program = program
        self.begun_at = at
        self.step = 0
        self.repeats = 0
        self.tokens: Tokens = 0


def grouped(shapes: Mapping[str, ProgramsShape], block_tokens: Tokens) -> list[Group]:
    """The classes of sessions of a scenario; KeyError for an agent that is not known."""
    known = book()
    groups: list[Group] = []
    for index, (class_name, shape) in enumerate(shapes.items()):
        agent = known.agents[shape.agent]
        given = shape.tool_failure_ratio
        limits = Limits(
            context_ratio=shape.context_ratio,
            input_tokens_max=shape.input_tokens_max or agent.input_tokens_max,
            steps_max=shape.steps_max or 1_000_000,
            tool_failure_ratio=agent.tool_failure_ratio if given is None else given,
            block_tokens=block_tokens,
        )
        base = (FIRST_GROUP + index) << 48
        client = known.clients[agent.client]
        groups.append(Group(class_name, agent, client, limits, shape, base))
    return groups


class Programs:
    """All sessions of a run. `send(row, lineage, client)` sets a call on its way."""

    def __init__(
        self,
        clock: Clock,
        groups: Sequence[Group],
        streams: Streams,
        send: Send,
        until_s: Seconds,
        load: float,
        triggers: Sequence[Trigger] = (),
    ) -> None:
        self._clock = clock
        self._streams = streams
        self._send = send
        self._until_s = until_s
        self._breaks = book().breaks
        self._chance = streams.named("breaks")
        self._waiting: dict[int, _Session] = {}  # whose call is under way, by their number
        self._to_come = 0
        self._between = 0  # sessions whose tool runs, or whose user thinks
        self._numbers = 0
        self.tallies = {group.class_name: Tally() for group in groups}
        for group in groups:
            self._plan(group, load, triggers)

    @property
    def is_over(self) -> bool:
        """Whether no session will ask for anything more."""
        return not (self._waiting or self._to_come or self._between)

    def _plan(self, group: Group, load: float, triggers: Sequence[Trigger]) -> None:
        """Set the begins of all sessions of a class on the clock."""
        name, shape = group.class_name, group.shape
        chance = self._streams.named(f"programs {name}")
        rng = chance.rng
        standing = round(shape.standing * load)
        spread_s = min(STANDING_S, self._until_s)
        for at_s, skipped in zip(rng.random(standing), rng.random(standing), strict=True):
            self._to_come += 1
            self._clock.at(float(at_s) * spread_s, self._begin, (group, float(skipped)))
        if shape.rate:
            times = arrivals(rng, self._until_s, shape.rate * load)
            for at_s in spiked_times(times.tolist(), triggers, chance):
                self._to_come += 1
                self._clock.at(at_s, self._begin, (group, 0.0))

    def _begin(self, what: tuple[Group, float]) -> None:
        group, skipped = what
        self._to_come -= 1
        number = self._numbers
        self._numbers += 1
        rng = self._streams.named(f"program {group.class_name} {number}").rng
        own = group.base | (number + 1) << 20
        program = self._program(group, number, rng, own)
        session = _Session(group, number, program, self._clock.now)
        tally = self.tallies[group.class_name]
        tally.begun += 1
        tally.runaways += isinstance(program, Runaway)
        for _ in range(int(skipped * program.steps_left)):
            program.ask()
            program.go_on()
        self._ask(session)

    def _program(self, group: Group, number: int, rng: Generator, own: int) -> Program:
        shape, kinds = group.shape, group.shape.runaway_kinds
        if shape.runaway_ratio:
            chance = self._streams.named(f"runaway {group.class_name} {number}")
            if chance.uniform() < shape.runaway_ratio:
                kind = kinds[number % len(kinds)]
                return Runaway(group.agent, rng, group.limits, own, group.base, kind)
        return Program(group.agent, rng, group.limits, own, group.base)

    def _ask(self, session: _Session) -> None:
        now, group = self._clock.now, session.group
        if now >= self._until_s:
            return
        step = session.program.ask()
        row = TraceRow(
            at_s=now,
            input_tokens=step.input_tokens,
            output_tokens=step.output_tokens,
            session=f"{group.class_name}-{session.number}",
            prefix_blocks=step.prefix_blocks,
            answer_blocks=step.answer_blocks,
            block_tokens=group.limits.block_tokens,
            class_name=group.class_name,
            result=step.result,
        )
        self.tallies[group.class_name].steps += session.repeats == 0
        lineage = Lineage(session.number, session.step, session.repeats)
        self._waiting[session.number] = session
        self._send(row, lineage, group.client)

    def ended(self, call: Call) -> None:
        """A call is over; those that belong to no session are passed by."""
        if call.lineage is None:
            return
        session = self._waiting.pop(call.lineage.program)
        if call.end != "served":
            self._fail(session, call.code)
            return
        self._count(session, call)
        if call.kept_ratio < 1.0 and self._breaks_now(session, call):
            self._repeat(session, call)
        else:
            self._next(session)

    def _count(self, session: _Session, call: Call) -> None:
        tokens = call.row.input_tokens + call.row.output_tokens
        session.tokens += tokens
        if isinstance(session.program, Runaway) and session.program.is_looping:
            tally = self.tallies[session.group.class_name]
            tally.circles += 1
            tally.circle_tokens += tokens

    def _fail(self, session: _Session, code: str) -> None:
        tally = self.tallies[session.group.class_name]
        tally.turned_away += session.step == 0
        if code == "session_runaway":
            tally.stopped += 1
            program = session.program
            tally.stopped_wrongly += not (isinstance(program, Runaway) and program.is_looping)
        self._over(session, "failed")

    def _breaks_now(self, session: _Session, call: Call) -> bool:
        self.tallies[session.group.class_name].steps_cut += 1
        return self._chance.uniform() < self._breaks.probability(call.kept_ratio)

    def _repeat(self, session: _Session, call: Call) -> None:
        """The agent sees that the answer is of no use, and asks again with more context."""
        tally = self.tallies[session.group.class_name]
        tally.steps_broken += 1
        session.repeats += 1
        if session.repeats > self._breaks.repeats_max:
            self._over(session, "broken")
            return
        cut = call.row.input_tokens * (1.0 - call.kept_ratio)
        session.program.repeat(int(cut * self._breaks.reread_ratio))
        self._wait(session, session.program.tool_pause(self._chance.uniform()))

    def _next(self, session: _Session) -> None:
        session.repeats = 0
        session.step += 1
        program, tally = session.program, self.tallies[session.group.class_name]
        failures, compactions = program.tool_failures, program.compactions
        pause_s = program.go_on()
        tally.tool_failures += program.tool_failures - failures
        tally.compactions += program.compactions - compactions
        if pause_s is None:
            self._over(session, "completed")
        else:
            self._wait(session, pause_s)

    def _wait(self, session: _Session, pause_s: Seconds) -> None:
        longest = session.group.shape.pause_s_max
        at = self._clock.now + (pause_s if longest is None else min(pause_s, longest))
        if at < self._until_s:
            self._between += 1
            self._clock.at(at, self._wake, session)

    def _wake(self, session: _Session) -> None:
        self._between -= 1
        self._ask(session)

    def _over(self, session: _Session, how: str) -> None:
        tally = self.tallies[session.group.class_name]
        if how != "completed":
            tally.wasted_tokens += session.tokens
        if how == "completed":
            tally.completed += 1
            tally.durations_s.append(self._clock.now - session.begun_at)
        elif how == "broken":
            tally.broken += 1
        else:
            tally.failed += 1
