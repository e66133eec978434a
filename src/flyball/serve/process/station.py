"""How is one process's gateway put together from a configuration?

`Station` = the governor of this process, its data plane and its listener. Both the single process
and each worker have exactly one.
"""

import asyncio
import dataclasses
import ssl
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Literal

import msgspec

from flyball.dialects import surface
from flyball.governor.commands import Notice
from flyball.governor.events import Event, Tick
from flyball.governor.governor import Governor
from flyball.model.decision import Record
from flyball.model.signals import PeerLoad
from flyball.serve.config import Config
from flyball.serve.config.surroundings import Secrets
from flyball.serve.log.commit import Texts
from flyball.serve.process.authority import Shelf, in_force, token_desk
from flyball.serve.process.operator import Act, read_act
from flyball.serve.process.pages import (
    FINDINGS,
    FLEET,
    JSON,
    LOOPS,
    METRICS,
    PRICES,
    Condition,
    readiness,
)
from flyball.serve.process.proofs import ProofTable
from flyball.serve.process.quotes import QuoteExchange, QuoteTable
from flyball.serve.relay.clock import Clock
from flyball.serve.relay.gateway import Gateway, Routes
from flyball.serve.relay.gateway import Page as GatewayPage
from flyball.serve.relay.heads import Request
from flyball.serve.relay.pause import BOUNDS_S, PauseMeter
from flyball.serve.relay.sinks import Entrances, Sinks
from flyball.serve.relay.wire import Access
from flyball.units import MS_PER_S, Seconds

# Threads (the log's, the solver's) give the interpreter back to the loop after this; Python's own
# 5 ms would be a pause of that length.
SWITCH_S: Seconds = 0.0005
Role = Literal["whole", "worker", "control"]
Page = tuple[int, str, bytes]
AskPage = Callable[[str], Awaitable[Page]]


class Station:
    """One gateway in this process. Make it with `open_station`."""

    def __init__(
        self,
        config: Config,
        worker: int,
        clock: Clock,
        sinks: Sinks,
        condition: Callable[[], Condition],
        page: AskPage,
        quotes: QuoteTable,
        proofs: ProofTable,
    ) -> None:
        self._proofs = proofs
        self._shelf = Shelf(config)
        self._sinks = sinks
        self._governor = Governor(
            config.fleet, config.policy, run_name(clock, f"w{worker}"), self._shelf
        )
        self._condition = condition
        self._page = page
        self._models = _models(config)
        self._admin_sha256 = config.admin_sha256
        self.endpoints_count = len(config.fleet.endpoints)
        self.now = clock.now
        self.quotes = QuoteExchange(
            quotes, worker, lambda event: self.gateway.feed(event), clock.now
        )
        self._texts = None
        if config.ledger.commit:
            self._texts = Texts(config.ledger, config.fleet, sinks.record, sinks.notice)
            sinks = _watched(sinks, self._texts)
        self.gateway = Gateway(
            self._governor,
            config.fleet,
            sinks,
            limits=config.limits,
            routes=self._routes(),
            entrances=entrances(config),
            clock=clock,
            quotes=self.quotes,
            tokens=token_desk(config, proofs),
            texts=self._texts,
        )
        # Before anybody can connect: nothing is let in that the policies forbid.
        self.gateway.feed(in_force(config, clock.now()))
        loop = asyncio.get_running_loop()
        self._meter = PauseMeter(loop, lambda: not self.gateway.in_flight_count)
        self._pauses_told = [0] * len(self._meter.own.counts)
        self.feed: Callable[[Event], None] = self.gateway.feed
        self.cut_drain: Callable[[Seconds], None] = self.gateway.cut_drain

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.gateway.port

    def in_flight(self) -> list[PeerLoad]:
        """This process's own work at each endpoint; endpoints without any are left out."""
        return self._governor.in_flight()

    def replace(self, config: Config) -> None:
        """A new configuration comes into force."""
        self._models = _models(config)
        self._admin_sha256 = config.admin_sha256
        self.endpoints_count = len(config.fleet.endpoints)
        self._shelf.replace(config)
        if self._texts is not None:
            self._texts.adopt(config.fleet)
        self.gateway.tokens = token_desk(config, self._proofs)
        self.gateway.replace_fleet(config.fleet, config.policy, config.digest, entrances(config))
        self.gateway.feed(in_force(config, self.now()))

    def new_pauses(self) -> list[Seconds]:
        """The loop's own pauses since the last call, each as the bound of its bucket."""
        own = self._meter.own
        bounds = (*BOUNDS_S, own.longest_s)
        before, self._pauses_told = self._pauses_told, list(own.counts)
        changes = zip(bounds, own.counts, before, strict=True)
        return [bound for bound, now, then in changes for _ in range(now - then)]

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None, shared: bool) -> None:
        """Accept clients. OSError if the address cannot be had."""
        await self.gateway.listen(host, port, tls=tls, reuse_port=shared)
        self._meter.start()

    async def drain(self, drain_s_max: Seconds) -> int:
        """End: nothing new, what runs may finish; how many requests were cut off."""
        cut_off = await self.gateway.drain(drain_s_max)
        self.gateway.feed(Tick(self.now()))  # gives budgets back
        if self._texts is not None and (lost := await self._texts.close()):
            text = f"{lost} exchanges have no commitment to their texts"
            self._sinks.notice(Notice("error", "commitments-lost", text))
        self._meter.stop()
        return cut_off

    # The gateway's own pages.

    def _routes(self) -> Routes:
        pages = (METRICS, PRICES, FLEET, FINDINGS, LOOPS)
        asked = {(b"GET", path.encode()): self._asked(path) for path in pages}
        own = {
            (b"GET", b"/healthz"): self._health,
            (b"GET", b"/readyz"): self._ready,
            (b"GET", b"/v1/models"): self._answer,
            (b"GET", b"/v1/models/"): self._answer,
            (b"GET", b"/v2/"): self._answer,
            (b"POST", LOOPS.encode()): self._act,
        }
        return {**own, **asked}

    def _health(self, request: Request) -> GatewayPage:
        return 200, [(b"content-type", b"application/json")], b'{"alive":true}'

    def _ready(self, request: Request) -> GatewayPage:
        status, body = readiness(self._condition())
        return status, [(b"content-type", JSON.encode())], body

    def _answer(self, request: Request) -> GatewayPage:
        is_ready = readiness(self._condition())[0] == 200
        return surface.answer(request.target, self._models, is_ready)

    async def _act(self, request: Request) -> GatewayPage:
        """An operator's act: allowed or refused here, carried out where the plan is made."""
        act = read_act(request, self._admin_sha256)
        if isinstance(act, Act):
            said = msgspec.json.encode(act).decode()
            status, content_type, body = await self._page(f"{LOOPS}?{said}")
        else:
            status, content_type = act[0], JSON
            body = msgspec.json.encode({"error": act[1]})
        return status, [(b"content-type", content_type.encode())], body

    def _asked(self, path: str) -> Callable[[Request], Awaitable[GatewayPage]]:
        async def show(request: Request) -> GatewayPage:
            status, content_type, body = await self._page(path)
            return status, [(b"content-type", content_type.encode())], body

        return show


async def open_station(
    config: Config,
    *,
    worker: int,
    host: str,
    port: int,
    clock: Clock | None = None,
    sinks: Sinks,
    condition: Callable[[], Condition],
    page: AskPage,
    quotes: QuoteTable,
    proofs: ProofTable,
    is_shared: bool,
    told: Sequence[Event] = (),
) -> Station:
    """A gateway that accepts clients. `is_shared` = other workers listen on the port as well;
    `told` = what its governor must know before the first client comes.

    Raises OSError if the address cannot be had.
    """
    station = Station(
        config, worker, clock or Clock(worker), sinks, condition, page, quotes, proofs
    )
    for event in told:
        station.feed(event)
    await station.open(host, port, listen_tls(config), is_shared)
    return station


def _watched(sinks: Sinks, texts: Texts) -> Sinks:
    """The same sinks, where intents tell whose texts they are."""

    def record(entry: Record) -> None:
        texts.placed(entry)
        sinks.record(entry)

    return dataclasses.replace(sinks, record=record)


def entrances(config: Config) -> Entrances:
    """How endpoints are entered: their keys, and their own CA where one is named."""
    access = {name: Access(key=key) for name, key in config.credentials.items()}
    return Entrances(access=access, tls=trusted(config))


def trusted(config: Config) -> dict[str, ssl.SSLContext]:
    """By endpoint name, how to trust those engines that have a CA of their own."""
    return {
        name: ssl.create_default_context(cafile=authority)
        for name, authority in config.tls_ca.items()
    }


def run_name(clock: Clock, place: str) -> str:
    """What makes the record ids of this start of this process unlike all others."""
    return f"{int(clock.now() * MS_PER_S):x}{place}"


def listen_tls(config: Config) -> ssl.SSLContext | None:
    """What the gateway shows its clients; None = plain HTTP."""
    if config.tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(config.tls.cert, config.tls.key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def with_role(config: Config, role: Role) -> Config:
    """The same configuration for a governor of that role."""
    policy = msgspec.structs.replace(config.policy, role=role)
    return msgspec.structs.replace(config, policy=policy)


def encode_config(config: Config) -> bytes:
    """A configuration on its way to a worker, secrets included."""
    return msgspec.msgpack.encode(config, enc_hook=_reveal)


def decode_config(data: bytes) -> Config:
    """What `encode_config` made."""
    return msgspec.msgpack.decode(data, type=Config, dec_hook=_conceal)


def run_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run it to its end on uvloop if that is here, else on asyncio's own loop."""
    sys.setswitchinterval(SWITCH_S)
    try:
        import uvloop
    except ModuleNotFoundError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def _models(config: Config) -> dict[str, int]:
    """The models clients may ask for; their time of creation is not known."""
    return {model: 0 for pool in config.fleet.pools for model in pool.models}


def _reveal(value: Any) -> dict[str, str]:
    if isinstance(value, Secrets):
        return dict(value)
    raise NotImplementedError(f"a {type(value).__name__} in a configuration")


def _conceal(kind: type, value: Any) -> Any:
    if kind is Secrets:
        return Secrets(value)
    raise NotImplementedError(f"a {kind.__name__} in a configuration")
