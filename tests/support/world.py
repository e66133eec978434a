"""A small seeded world around the core: random events in, every invariant checked on the way."""

import random
from dataclasses import dataclass, field

import msgspec

from flyball.governor.commands import Abort, Command, Forward, Hold, Record, Reject, Solve
from flyball.governor.events import (
    AttemptFailed,
    ClientGone,
    DeadlinePassed,
    EndpointDraining,
    Event,
    FirstByte,
    PeersSeen,
    RequestArrived,
    Sampled,
    Served,
    Solved,
    Tick,
)
from flyball.governor.governor import Governor
from flyball.governor.policy import Policy
from flyball.model.decision import Intent, Outcome
from flyball.model.fleet import Fleet
from flyball.model.signals import EngineSample, PeerLoad
from flyball.pricing.highs import Solver
from support import fleets


@dataclass
class World:
    """Plays `steps` random events; `seed` names the run."""

    seed: int
    fleet: Fleet
    policy: Policy
    at: float = 1.0
    running: dict[str, int] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    heads: dict[str, object] = field(default_factory=dict)
    intents: list[Intent] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    log: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.core = Governor(self.fleet, self.policy)
        self.solver = Solver()
        self.number = 0

    def play(self, steps: int) -> "World":
        for _ in range(steps):
            self.at += self.chance.expovariate(50.0)
            self.feed(self.next_event())
        return self

    def drain(self) -> "World":
        """Let everything end: what runs is served, what waits runs out of time."""
        while self.running or self.held:
            self.at += 0.01
            for request_id in list(self.running):
                self.feed(Served(at=self.at, request_id=request_id, status=200, output_tokens=5))
            for request_id in list(self.held):
                self.feed(DeadlinePassed(at=self.at, request_id=request_id))
        return self

    def feed(self, event: Event) -> None:
        commands = self.core.handle(event)
        self.log.append(msgspec.json.encode(commands))
        for command in commands:
            self.check(command)
        if isinstance(event, Served | ClientGone | DeadlinePassed):
            self.finish(event.request_id)

    def finish(self, request_id: str) -> None:
        self.running.pop(request_id, None)
        self.started.discard(request_id)
        self.held.discard(request_id)

    def check(self, command: Command) -> None:
        if isinstance(command, Forward):
            assert command.request_id not in self.ended
            self.held.discard(command.request_id)
            self.running[command.request_id] = command.endpoint
            assert 0 <= command.endpoint < len(self.fleet.endpoints)
            assert command.endpoint not in command.fallbacks
        elif isinstance(command, Hold):
            assert command.until > self.at
            self.held.add(command.request_id)
            assert len(self.core.state.held) <= self.policy.resilience.held_max
        elif isinstance(command, Reject):
            fault = command.refusal.fault
            assert command.refusal.message and fault.next_step
            assert not fault.should_retry or command.refusal.retry_after_s > 0
            self.end(command.request_id)
        elif isinstance(command, Abort):
            self.end(command.request_id)
        elif isinstance(command, Record):
            if isinstance(command.record, Intent):
                self.intents.append(command.record)
            elif isinstance(command.record, Outcome):
                self.outcomes.append(command.record)
        elif isinstance(command, Solve):
            solution = self.solver.solve(command.problem)
            answer = msgspec.structs.replace(solution, solve_s=0.0)
            self.feed(Solved(at=self.at, solution=answer))

    def end(self, request_id: str) -> None:
        self.ended.add(request_id)
        self.finish(request_id)

    def next_event(self) -> Event:
        chance = self.chance
        kind = chance.random()
        if kind < 0.4 or not self.running:
            return self.arrival()
        request_id = chance.choice(sorted(self.running))
        if kind < 0.6:
            self.started.add(request_id)
            return FirstByte(at=self.at, request_id=request_id)
        if kind < 0.8:
            return Served(
                at=self.at,
                request_id=request_id,
                status=200,
                input_tokens=chance.randint(0, 900),
                cached_tokens=chance.randint(0, 500),
                output_tokens=chance.randint(0, 300),
            )
        if kind < 0.86:
            return self.failure(request_id)
        if kind < 0.89:
            return ClientGone(at=self.at, request_id=request_id)
        if kind < 0.90:
            return DeadlinePassed(at=self.at, request_id=request_id)
        return self.background()

    def arrival(self) -> RequestArrived:
        chance = self.chance
        self.number += 1
        request_id = f"r{self.number}"
        session = chance.randint(0, 9)
        head = fleets.head(
            class_hint=chance.choice(["", "chat", "eu-chat", "batch", "rigid", "nonsense"]),
            model=chance.choice(["m", "m", "m", "tiny", "unknown"]),
            stream=chance.random() < 0.7,
            session_hint=chance.choice(["", f"s{session}"]),
            prompt_bytes=chance.choice([10, 1500, 20_000]),
            prefix=tuple(range(session * 100, session * 100 + chance.randint(0, 12))),
            body_digest=chance.randint(0, 50),
            retry_count=chance.choice([0, 0, 0, 1]),
            jurisdiction_hint=chance.choice(["", "", "EU", "US,EU", "MARS"]),
            deadline_s=chance.choice([0.0, 0.0, 0.05, 5.0]),
            output_tokens_max=chance.choice([0, 1, 50]),
        )
        self.heads[request_id] = head
        return RequestArrived(at=self.at, request_id=request_id, head=head, draw=chance.random())

    def failure(self, request_id: str) -> AttemptFailed:
        cause = self.chance.choice(
            ["connect", "reset", "early-close", "garbage", "stall", "status"]
        )
        status = self.chance.choice([429, 500, 503]) if cause == "status" else 0
        return AttemptFailed(
            at=self.at,
            request_id=request_id,
            endpoint=self.running[request_id],
            cause=cause,
            status=status,
            retry_after_s=self.chance.choice([0.0, 0.2]),
            started=request_id in self.started,
        )

    def background(self) -> Event:
        chance = self.chance
        index = chance.randrange(len(self.fleet.endpoints))
        kind = chance.random()
        if kind < 0.4:
            sample = EngineSample(
                waiting=chance.randint(0, 5),
                running=chance.randint(0, 50),
                kv_usage=chance.random(),
            )
            return Sampled(at=self.at, endpoint=index, sample=sample)
        if kind < 0.5:
            return Sampled(at=self.at, endpoint=index, sample=None, error="timeout")
        if kind < 0.6:
            return EndpointDraining(at=self.at, endpoint=index, draining=chance.random() < 0.3)
        if kind < 0.7:
            load = PeerLoad(
                endpoint=index, running=3, pending=1, pending_prefill_tokens=400.0, kv_tokens=900.0
            )
            return PeersSeen(at=self.at, loads=(load,))
        self.at += 1.0
        return Tick(at=self.at)
