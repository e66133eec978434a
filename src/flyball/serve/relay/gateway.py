"""What drives the governor on real traffic? Requests become events; its commands become bytes.

One process's data plane: it owns the client connections, the connections to engines and the
requests in flight. All decisions are the core's.
"""

import asyncio
import random
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import thread_time
from typing import Any, Protocol, cast

from flyball.dialects import surface
from flyball.dialects.quotes import PATH as QUOTE_PATH
from flyball.governor.commands import (
    Abort,
    Advise,
    Command,
    Diagnosed,
    Forward,
    Hold,
    KeepBudget,
    LendBudget,
    Notice,
    Publish,
    QuoteClosed,
    Quoted,
    Record,
    Reject,
    Report,
    Set,
    Solve,
    TellBudget,
)
from flyball.governor.events import ClientGone, DrainBegun, Event, FleetChanged, RequestArrived
from flyball.governor.policy import Policy
from flyball.model.faults import Refusal
from flyball.model.fleet import Fleet
from flyball.model.request import Operation, RequestHead
from flyball.serve.config.limits import Limits
from flyball.serve.log.commit import Texts
from flyball.serve.relay.clock import Clock
from flyball.serve.relay.downstream import Downstream
from flyball.serve.relay.exchange import Exchange, Place
from flyball.serve.relay.heads import Fields, Request
from flyball.serve.relay.kept import KeptExchange
from flyball.serve.relay.quotes import QuoteDesk, Registry
from flyball.serve.relay.sinks import OPEN, Entrances, Sinks
from flyball.serve.relay.tokens import TokenDesk
from flyball.serve.relay.turnaway import TurnawayTally, network_of
from flyball.serve.relay.upstream import EndpointPool, read_address
from flyball.serve.relay.wheel import Wheel
from flyball.serve.relay.wire import Access, place_lines, whole_answer
from flyball.units import Bytes, Seconds

HOUSEKEEPING_S: Seconds = 1.0
DRAIN_CHECK_S: Seconds = 0.02
BACKLOG = 2048
DECISIONS_PER_SAMPLE = 64
DECISION_TIMES_MAX = 4096
NO_ACCESS = Access()

Page = tuple[int, Fields, bytes]
Routes = Mapping[tuple[bytes, bytes], Callable[[Request], Page | Awaitable[Page]]]


class Core(Protocol):
    """What decides: `flyball.governor.governor.Governor`, or a script in a test."""

    def handle(self, event: Event) -> list[Command]:
        """The commands that this event calls for, in the order to carry them out."""
        ...


class Gateway:
    """Make it on the running event loop; `listen`, then `drain` at the end.

    `routes` = the gateway's own pages by (method, path); a path that ends in `/` stands for all
    below it. A page may be an awaitable. HEAD is answered like GET, without the body.
    """

    def __init__(
        self,
        core: Core,
        fleet: Fleet,
        sinks: Sinks,
        *,
        limits: Limits | None = None,
        routes: Routes | None = None,
        entrances: Entrances = OPEN,
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
        quotes: Registry | None = None,
        tokens: TokenDesk | None = None,
        texts: Texts | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._core = core
        self._handle = core.handle
        self._arrivals_count = 0
        self._decision_times: deque[Seconds] = deque(maxlen=DECISION_TIMES_MAX)
        self._sinks = sinks
        self._routes = routes or {}
        self._post_pages = {
            path: page for (method, path), page in self._routes.items() if method == b"POST"
        }
        self._clock = clock or Clock()
        self._draw = draw
        self._exchanges: dict[str, Exchange] = {}
        self._places: list[Place] = []
        self._pending: deque[Event] = deque()
        self._is_feeding = False
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._drain_until: Seconds = 0.0
        self._turned_away = TurnawayTally()
        self.limits = limits or Limits()
        self.now = self._clock.now
        self.wheel = Wheel(self._loop, self.now)
        self.tokens = tokens
        self.texts = texts
        self._quotes = None
        if quotes is not None:
            self._quotes = QuoteDesk(quotes, self.feed, self.now, self._look)
        self.draining = False
        self.buffered_bytes: Bytes = 0
        self.connections: set[Downstream] = set()
        self._carry_out: dict[type, Callable[[Any], None]] = {
            Forward: self._forward,
            Reject: self._reject,
            Hold: self._hold,
            Abort: self._abort,
            Record: lambda command: sinks.record(command.record),
            Solve: lambda command: sinks.solve(command.problem),
            Publish: lambda command: sinks.publish(command.board),
            Report: lambda command: sinks.report(command.settled),
            Notice: sinks.notice,
            Set: sinks.set,
            Advise: sinks.advise,
            Diagnosed: sinks.diagnosed,
            TellBudget: sinks.tell_budget,
            KeepBudget: sinks.keep_budget,
            LendBudget: sinks.lend_budget,
        }
        if self._quotes is not None:
            self._carry_out[Quoted] = self._quotes.quoted
            self._carry_out[QuoteClosed] = self._quotes.closed
        self._build_places(fleet, entrances)
        self._housekeeping = self._loop.call_later(HOUSEKEEPING_S, self._keep_house)

    # Listening.

    async def listen(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        reuse_port: bool = False,
        sock: socket.socket | None = None,
    ) -> int:
        """Accept clients at host:port (0 = any free port), or on `sock`; returns the port.

        OSError if the address cannot be had.
        """
        where: dict[str, Any] = (
            {"sock": sock} if sock else {"host": host, "port": port, "reuse_port": reuse_port}
        )
        server = await self._loop.create_server(
            lambda: cast(asyncio.Protocol, Downstream(self)), ssl=tls, backlog=BACKLOG, **where
        )
        self._servers.append(server)
        return self.port

    @property
    def port(self) -> int:
        """The port that clients reach; 0 before `listen`."""
        if not self._servers:
            return 0
        # uvloop gives a list where asyncio gives a tuple.
        sockets = cast(Sequence[socket.socket], cast(Any, self._servers[0]).sockets)
        return sockets[0].getsockname()[1]

    @property
    def in_flight_count(self) -> int:
        """Requests the core knows and has not closed."""
        return len(self._exchanges)

    # What clients do.

    def on_request(self, connection: Downstream, request: Request) -> None:
        """A whole request: one of the gateway's own pages, or one for the core."""
        page = self._find_page(request)
        if page is not None:
            self._show(connection, request, page)
            return
        head = surface.read_head(request.method, request.target, request.fields, request.body)
        if isinstance(head, Refusal):
            self.refuse(connection, request, head)
            return
        at = self.now()
        refused = self._look(head, request, at) if self.tokens is not None else None
        if self.texts is not None and refused is None and self.texts.refuses:
            refused = Refusal(code="ledger_unavailable", detail=self.texts.refuses)
        if refused is not None:
            self.refuse(connection, request, refused)
            return
        request_id = self._clock.request_id(at)
        exchange = self._begun(connection, request, head, request_id, at)
        connection.exchange = self._exchanges[request_id] = exchange
        self._arrivals_count += 1
        if not self._arrivals_count % DECISIONS_PER_SAMPLE:
            self._handle = self._handle_timed
        event = RequestArrived(at, request_id, head, self._draw())
        if head.quote and self._quotes is not None:
            self._quotes.use(event, head.quote)
        else:
            self.feed(event)

    def _begun(
        self,
        connection: Downstream,
        request: Request,
        head: RequestHead,
        request_id: str,
        at: Seconds,
    ) -> Exchange:
        if self.texts is None:
            return Exchange(self, connection, request, head, request_id, at)
        return KeptExchange(self, connection, request, head, request_id, at, self.texts)

    def _look(self, head: RequestHead, request: Request, at: Seconds) -> Refusal | None:
        """Find the mandate that a key is; why it is not accepted, or None."""
        return None if self.tokens is None else self.tokens.look(head, request, at)

    def on_gone(self, connection: Downstream) -> None:
        """The client went away: the engine must not go on working for nobody."""
        exchange, connection.exchange = connection.exchange, None
        if isinstance(exchange, Exchange) and not exchange.is_over:
            exchange.end()
            self.feed(ClientGone(self.now(), exchange.id))

    def on_writable(self, connection: Downstream, writable: bool) -> None:
        """Let the engine wait for a slow client, or go on."""
        exchange = connection.exchange
        if isinstance(exchange, Exchange):
            exchange.set_flow(writable)

    def refuse(self, connection: Downstream, request: Request | None, refusal: Refusal) -> None:
        """Answer a request that the core never saw, and count it for the ledger; None = it could
        not even be read."""
        operation: Operation | Refusal = "chat"
        keep = False
        if request is not None:
            operation = surface.route(request.method, request.target)
            keep = request.keep_alive and not self.draining and request is connection.request
            keep = keep and connection.is_whole
        at = self.now()
        request_id = self._clock.request_id(at)
        status, fields, body = surface.error_body(
            refusal, "chat" if isinstance(operation, Refusal) else operation, request_id
        )
        self._turned_away.note(at, request_id, refusal, network_of(connection.address))
        own = b"x-flyball-request-id: " + request_id.encode("ascii") + b"\r\n"
        is_head = request is not None and request.method == b"HEAD"
        connection.write(whole_answer(status, fields, body, keep, own, is_head))
        connection.answered(keep, at)

    # The gateway's own pages.

    def _find_page(self, request: Request) -> Callable[[Request], Page | Awaitable[Page]] | None:
        routes = self._routes
        if request.method == b"POST":
            if self._quotes is not None and request.target == QUOTE_PATH:
                return self._quotes.page
            return self._post_pages.get(request.target)
        method = b"GET" if request.method == b"HEAD" else request.method
        path = request.target.partition(b"?")[0]
        page = routes.get((method, path))
        while page is None and len(path) > 1:
            path = path[: path.rstrip(b"/").rfind(b"/") + 1]
            page = routes.get((method, path))
        return page

    def _show(
        self,
        connection: Downstream,
        request: Request,
        page: Callable[[Request], Page | Awaitable[Page]],
    ) -> None:
        try:
            shown = page(request)
        except Exception as fault:
            self._own_fault("page_failed", fault)
            self.refuse(connection, request, Refusal(code="own_fault", detail=repr(fault)))
            return
        if isinstance(shown, tuple):
            self._answer_page(connection, request, shown)
            return
        task = self._loop.create_task(self._show_later(connection, request, shown))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _show_later(
        self, connection: Downstream, request: Request, page: Awaitable[Page]
    ) -> None:
        try:
            shown = await page
        except Exception as fault:
            self._own_fault("page_failed", fault)
            if connection.request is request:
                self.refuse(connection, request, Refusal(code="own_fault", detail=repr(fault)))
            return
        if connection.request is request:
            self._answer_page(connection, request, shown)

    def _answer_page(self, connection: Downstream, request: Request, page: Page) -> None:
        status, fields, body = page
        keep = request.keep_alive and not self.draining
        is_head = request.method == b"HEAD"
        connection.write(whole_answer(status, fields, body, keep, without_body=is_head))
        connection.answered(keep, self.now())

    # The core.

    def feed(self, event: Event) -> None:
        """Tell the core, and carry out what it says, one event after the other."""
        if self._is_feeding:
            self._pending.append(event)
            return
        self._is_feeding = True
        carry_out, pending = self._carry_out, self._pending
        try:
            while True:
                try:
                    for command in self._handle(event):
                        carry_out[type(command)](command)
                except Exception as fault:
                    self._core_failed(event, fault)
                if not pending:
                    return
                event = pending.popleft()
        finally:
            self._is_feeding = False

    def _handle_timed(self, event: Event) -> list[Command]:
        """The core, with its CPU time taken at the next arrival, and at that one only."""
        if not isinstance(event, RequestArrived):
            return self._core.handle(event)
        self._handle = self._core.handle
        began = thread_time()
        commands = self._core.handle(event)
        self._decision_times.append(thread_time() - began)
        return commands

    def take_decision_times(self) -> list[Seconds]:
        """CPU time of one decision in `DECISIONS_PER_SAMPLE`, since the last call."""
        taken = list(self._decision_times)
        self._decision_times.clear()
        return taken

    def _core_failed(self, event: Event, fault: Exception) -> None:
        self._own_fault("core_failed", fault)
        exchange = self._exchanges.get(getattr(event, "request_id", ""))
        if exchange is not None:
            exchange.refuse(Refusal(code="own_fault", detail=type(fault).__name__))

    def _own_fault(self, code: str, fault: Exception) -> None:
        """A fault of this program: told to the operator, with the place; the gateway goes on."""
        trace = fault.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = "" if trace is None else f" at {trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
        self._sinks.notice(Notice("error", code, f"{type(fault).__name__}: {fault}{place}"))

    def _forward(self, command: Forward) -> None:
        exchange = self._exchanges.get(command.request_id)
        if exchange is None:
            return
        place = self._places[command.endpoint]
        if not command.after_record:
            exchange.forward(command, place)
            return
        exchange.hold(command.allowance.deadline_at)
        self._sinks.when_durable(lambda: self._release(command, place))

    def _release(self, command: Forward, place: Place) -> None:
        """The record of what is about to be done is durable: do it, if it is still wanted."""
        exchange = self._exchanges.get(command.request_id)
        if exchange is not None and not exchange.is_over:
            exchange.forward(command, place)

    def _reject(self, command: Reject) -> None:
        exchange = self._exchanges.get(command.request_id)
        if exchange is not None:
            exchange.refuse(command.refusal)

    def _hold(self, command: Hold) -> None:
        exchange = self._exchanges.get(command.request_id)
        if exchange is not None:
            exchange.hold(command.until)

    def _abort(self, command: Abort) -> None:
        exchange = self._exchanges.get(command.request_id)
        if exchange is not None:
            exchange.abort(command.refusal)

    def forget(self, exchange: Exchange) -> None:
        """An exchange is over."""
        self._exchanges.pop(exchange.id, None)

    # The fleet.

    def replace_fleet(
        self, fleet: Fleet, policy: Policy, digest: str, entrances: Entrances = OPEN
    ) -> None:
        """A new configuration is in force. Endpoints that did not change keep their connections;
        requests under way end where they are."""
        self._build_places(fleet, entrances)
        self.feed(FleetChanged(self.now(), fleet, policy, digest))

    def _build_places(self, fleet: Fleet, entrances: Entrances) -> None:
        """ValueError if an endpoint's URL cannot be used; then nothing has changed."""
        kept = {place.key: place for place in self._places}
        places: list[Place] = []
        for endpoint in fleet.endpoints:
            pool = fleet.pool(endpoint.pool)
            access = entrances.access.get(endpoint.name, NO_ACCESS)
            tls = entrances.tls.get(endpoint.name)
            rtt_s = fleet.site_of(pool).rtt_s
            key = (endpoint.url, tls, access, pool.served_model, pool.name, endpoint.name, rtt_s)
            place = kept.pop(key, None) or Place(
                key,
                EndpointPool(self._loop, self.limits, read_address(endpoint.url), tls),
                access,
                pool.served_model,
                place_lines(pool.name, endpoint.name),
                rtt_s,
            )
            places.append(place)
        self._places = places
        for place in kept.values():
            place.pool.retire()

    def _record_turned_away(self) -> None:
        for record in self._turned_away.take():
            self._sinks.record(record)

    def _keep_house(self) -> None:
        self._clock.slew()
        self._record_turned_away()
        now = self._loop.time()
        for place in self._places:
            place.pool.expire(now)
        self._housekeeping = self._loop.call_later(HOUSEKEEPING_S, self._keep_house)

    # The end.

    def begin_drain(self) -> None:
        """Accept nobody new, tell the core, close connections that are owed nothing."""
        if self.draining:
            return
        self.draining = True
        for server in self._servers:
            server.close()
        self.feed(DrainBegun(self.now()))
        for connection in list(self.connections):
            connection.close_if_idle()

    async def drain(self, drain_s_max: Seconds | None = None) -> int:
        """Let requests in flight end, for at most `drain_s_max`; then cut off and close everything.
        Returns how many were cut off."""
        self.begin_drain()
        self.cut_drain(self.limits.drain_s_max if drain_s_max is None else drain_s_max)
        while self._exchanges and self.now() < self._drain_until:
            await asyncio.sleep(DRAIN_CHECK_S)
        cut_off = list(self._exchanges.values())
        for exchange in cut_off:
            exchange.refuse(Refusal(code="draining"))
            self.feed(ClientGone(self.now(), exchange.id))
        await asyncio.sleep(0)
        for connection in list(self.connections):
            connection.truncate()
        for place in self._places:
            place.pool.retire()
        self._housekeeping.cancel()
        self._record_turned_away()
        await asyncio.sleep(DRAIN_CHECK_S)
        self.wheel.close()
        return len(cut_off)

    def cut_drain(self, drain_s_max: Seconds) -> None:
        """Wait at most this much longer for requests in flight."""
        self._drain_until = self.now() + drain_s_max
