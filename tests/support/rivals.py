"""Hand-made cases for rivals, and a small seeded world around a `RivalCore`."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from flyball.governor.commands import Abort, Command, Forward, Hold, Record, Reject
from flyball.governor.events import (
    ClientGone,
    DeadlinePassed,
    EndpointDraining,
    Event,
    RequestArrived,
    Sampled,
    Served,
)
from flyball.model.decision import Intent, Outcome
from flyball.model.fleet import Endpoint, Fleet
from flyball.model.signals import EngineSample
from flyball.sim.loops import PoolReading, ReplicaReading
from flyball.sim.rivals import ROUTERS, RivalCore
from flyball.sim.rivals.router import Ask, EndpointView, Router, Setting
from support import fleets
from support.world import World

BLOCK_TOKENS = 64


def fleet(endpoints: int = 3) -> Fleet:
    """That many H100 endpoints in one pool "big"."""
    return fleets.fleet(h100=endpoints, l40s=0)


def setting(endpoints: int = 3, seed: int = 1) -> Setting:
    chance = np.random.default_rng(seed)
    return Setting(fleet=fleet(endpoints), chance=chance, block_tokens=BLOCK_TOKENS)


def views(endpoints: int = 3) -> list[EndpointView]:
    """Endpoints never scraped, with no work."""
    one = fleet(endpoints)
    pools = {pool.name: pool for pool in one.pools}
    return [EndpointView(i, e.name, pools[e.pool]) for i, e in enumerate(one.endpoints)]


def scraped(
    view: EndpointView, waiting: int = 0, kv_usage: float = 0.0, running: int = 0, at: float = 0.0
) -> EndpointView:
    view.sample = EngineSample(waiting=waiting, running=running, kv_usage=kv_usage)
    view.sampled_at = at
    return view


def ask(prefix: tuple[int, ...] = (), name: str = "r", priority: int = 0, **head: object) -> Ask:
    """A streaming chat call whose prompt is exactly the blocks of `prefix` (else 375 tokens)."""
    made = Ask(name, 0.0, fleets.head(prefix=prefix, **head), 0.5)
    made.klass = fleets.CHAT
    made.priority = priority
    made.prompt_tokens = made.tokens_offered = len(prefix) * BLOCK_TOKENS or 375
    return made


def sent(router: Router, request: Ask, view: EndpointView, at: float = 0.0) -> Ask:
    """What a core does when a request goes out."""
    request.attempt += 1
    request.forwarded_at = at
    request.endpoint = view
    router.forwarded(at, request, view)
    view.in_flight += 1
    return request


def shares(
    router: Router, endpoints: list[EndpointView], make: Callable[[], Ask] = ask, picks: int = 300
) -> list[int]:
    """How often each endpoint is picked, nothing being sent."""
    counts = [0] * len(endpoints)
    for _ in range(picks):
        chosen = router.pick(0.0, make(), endpoints)
        assert isinstance(chosen, EndpointView)
        counts[chosen.index] += 1
    return counts


def reading(
    at: float,
    replicas: list[tuple[int, int, float]],
    pool: str = "big",
    starting: int = 0,
    held: int = 0,
    busy: float = 0.0,
    rate: float = 0.0,
    prompt: int = 0,
    output: int = 0,
    ttft_s: float = 0.0,
    itl_s: float = 0.0,
) -> PoolReading:
    """A pool whose ready replicas read (waiting, running, kv_usage)."""
    return PoolReading(
        at=at,
        pool=pool,
        ready=len(replicas),
        starting=starting,
        draining=0,
        replicas=[
            ReplicaReading(endpoint=i, waiting=w, running=r, kv_usage=k, sampled_at=at)
            for i, (w, r, k) in enumerate(replicas)
        ],
        held=held,
        request_rate=rate,
        prompt_tokens_mean=prompt,
        output_tokens_mean=output,
        ttft_s_mean=ttft_s,
        ttft_s_p99=ttft_s,
        itl_s_mean=itl_s,
        busy_ratio=busy,
    )


def grown(one: Fleet, names: list[str]) -> Fleet:
    """The same fleet with the endpoints of `names`, all of its first pool."""
    pool = one.pools[0].name
    endpoints = tuple(Endpoint(name=n, pool=pool, url="http://127.0.0.1:1") for n in names)
    return Fleet(sites=one.sites, pools=one.pools, endpoints=endpoints)


@dataclass
class RivalWorld(World):
    """Random events into a rival's core; conservation is checked after each one."""

    router: str = "round_robin"
    core_options: dict[str, object] = field(default_factory=dict)
    arrived: set[str] = field(default_factory=set)
    due: set[str] = field(default_factory=set)
    drained: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__post_init__()
        chance = np.random.default_rng(self.seed)
        place = Setting(fleet=self.fleet, chance=chance, block_tokens=256)
        router = ROUTERS[self.router](place, None)
        self.core = RivalCore(self.fleet, self.policy, router, **self.core_options)

    def next_event(self) -> Event:
        """Scrapes come often, now of an idle fleet, now of one at its limit."""
        if self.chance.random() < 0.2:
            level = self.chance.choice([0.0, 0.6, 1.0])
            for index in range(len(self.fleet.endpoints)):
                waiting, usage = int(6 * level), min(1.0, level * self.chance.uniform(0.7, 1.1))
                sample = EngineSample(waiting=waiting, running=waiting, kv_usage=usage)
                self.feed(Sampled(at=self.at, endpoint=index, sample=sample))
        return super().next_event()

    def feed(self, event: Event) -> None:
        if isinstance(event, RequestArrived):
            self.arrived.add(event.request_id)
        if isinstance(event, EndpointDraining):
            (self.drained.add if event.draining else self.drained.discard)(event.endpoint)
        if isinstance(event, Served | ClientGone | DeadlinePassed):
            self.finish(event.request_id)
        commands = self.core.handle(event)
        self.log.append(repr(commands).encode())
        self.due.clear()
        for command in commands:
            self.check(command)
        assert not self.due, "an intent without its effect"
        self.conserve()

    def check(self, command: Command) -> None:
        if isinstance(command, Forward):
            assert command.request_id in self.due, "an effect without its intent"
            self.due.discard(command.request_id)
            assert command.request_id not in self.ended
            assert command.endpoint not in self.drained
            place = self.fleet.endpoints[command.endpoint]
            head = self.heads[command.request_id]
            assert head.model in self.fleet.pool(place.pool).models
            self.held.discard(command.request_id)
            self.started.discard(command.request_id)
            self.running[command.request_id] = command.endpoint
        elif isinstance(command, Hold):
            assert command.until >= self.at
            self.running.pop(command.request_id, None)
            self.held.add(command.request_id)
        elif isinstance(command, Reject | Abort):
            assert command.request_id not in self.ended
            self.end(command.request_id)
        elif isinstance(command, Record) and isinstance(command.record, Intent):
            self.intents.append(command.record)
            self.due.add(command.record.id)
        elif isinstance(command, Record) and isinstance(command.record, Outcome):
            self.outcomes.append(command.record)

    def conserve(self) -> None:
        """What the core counts at each endpoint is what runs there; queues are bounded."""
        core = self.core
        counts = [0] * len(self.fleet.endpoints)
        for endpoint in self.running.values():
            counts[endpoint] += 1
        assert [one.in_flight for one in core.endpoints] == counts
        waits = {ask.request_id for ask in core.held.asks()} | set(core.paused)
        assert waits == self.held
        assert set(core.asks) == self.held | set(self.running)
        most = max(core.router.held_max, self.policy.resilience.held_max)
        assert len(core.held) <= most

    def judge(self) -> None:
        """After `drain`: every request ended once, every intent has its outcome."""
        assert not self.core.asks
        for one in self.core.endpoints:
            assert one.in_flight == 0
            assert abs(one.prefill_tokens) < 1e-6 and abs(one.held_tokens) < 1e-6
        closing = [one.id for one in self.outcomes if one.outcome != "retried"]
        assert sorted(closing) == sorted(self.arrived)
        wanted = sorted((one.id, one.attempt) for one in self.intents)
        told = sorted((one.id, one.attempts) for one in self.outcomes if one.attempts)
        assert told == wanted
