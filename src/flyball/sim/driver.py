"""What drives the governor in the simulated world? Requests become events; its commands, work.

The twin of `serve/relay/gateway.py`: the same events in the same order, the same commands carried
out, but the clients, the network and the engines are simulated. Several gateways have one core
each. A gateway's clock may be off by its skew: what its core is told, and what it says, is in its
time.
"""

from collections.abc import Callable, Sequence
from typing import Any

from flyball.governor.commands import (
    Abort,
    Advise,
    Command,
    Diagnosed,
    Forward,
    Hold,
    LendBudget,
    Notice,
    Publish,
    Record,
    Reject,
    Report,
    Set,
    Solve,
    TellBudget,
)
from flyball.governor.events import (
    AttemptFailed,
    BudgetLent,
    BudgetTold,
    ClientGone,
    DeadlinePassed,
    Event,
    FirstByte,
    HedgeDue,
    RequestArrived,
    Served,
)
from flyball.model import decision
from flyball.model.fleet import Fleet
from flyball.model.plant import Job, Progress
from flyball.model.prices import PriceBoard
from flyball.model.signals import Settled
from flyball.pricing.problem import Problem
from flyball.sim.clients import Clients
from flyball.sim.clock import Act, Chance, Clock
from flyball.sim.exchange import Call, Exchange
from flyball.sim.heads import head
from flyball.sim.loops import Core
from flyball.sim.network import Network
from flyball.sim.replica import Replica
from flyball.units import Ratio, Seconds

# As serve/config/limits.py: how long a gateway waits for a connection, and for the next byte.
CONNECT_S_MAX: Seconds = 5.0
STALL_S_MAX: Seconds = 60.0
# TCP sends again after a second, then doubles (RFC 6298, 2.4 and 5.5).
RESEND_S: Seconds = 1.0

Tee = Callable[[int, Event, list[Command]], None]


class Sinks:
    """Where the commands go that are not about one request's bytes; the world sets them."""

    def __init__(self) -> None:
        self.record: Callable[[int, decision.Record], None] = lambda gateway, record: None
        self.solve: Callable[[int, Problem], None] = lambda gateway, problem: None
        self.publish: Callable[[int, PriceBoard], None] = lambda gateway, board: None
        self.report: Callable[[int, tuple[Settled, ...]], None] = lambda gateway, settled: None
        self.notice: Callable[[int, Notice], None] = lambda gateway, notice: None
        self.set: Callable[[int, Set], None] = lambda gateway, command: None
        self.advise: Callable[[int, Advise], None] = lambda gateway, advice: None
        self.diagnosed: Callable[[int, Diagnosed], None] = lambda gateway, seen: None


class Driver:
    """`cores[g]` decides at gateway g; cores beyond `gateways` get no requests (a control core).

    `tee`, if given, sees each event with the commands that answered it, in order.
    """

    def __init__(
        self,
        clock: Clock,
        cores: Sequence[Core],
        gateways: int,
        fleet: Fleet,
        network: Network,
        chance: Chance,
        skews_s: Sequence[Seconds] = (),
        tee: Tee | None = None,
    ) -> None:
        self._clock = clock
        self._handles = [core.handle for core in cores]
        self._gateways = gateways
        self._network = network
        self._chance = chance
        self._tee = tee
        self._model = fleet.pools[0].models[0]
        self._skews = [*skews_s, *[0.0] * len(cores)][: len(cores)]
        self._exchanges: dict[str, Exchange] = {}
        self._made = 0
        self.sinks = Sinks()
        self.clients: Clients
        self.replicas: Sequence[Replica] = ()
        self.early_close: dict[int, Ratio] = {}
        self.priorities: dict[str, int] = {}
        self.parked: set[int] = set()
        self._carry_out: dict[type, Callable[[int, Any], None]] = {
            Forward: self._forward,
            Reject: self._reject,
            Hold: self._hold,
            Abort: self._abort,
            Solve: lambda gateway, command: self.sinks.solve(gateway, command.problem),
            Publish: lambda gateway, command: self.sinks.publish(gateway, command.board),
            Report: lambda gateway, command: self.sinks.report(gateway, command.settled),
            Notice: lambda gateway, command: self.sinks.notice(gateway, command),
            Set: lambda gateway, command: self.sinks.set(gateway, command),
            Advise: lambda gateway, command: self.sinks.advise(gateway, command),
            Diagnosed: lambda gateway, command: self.sinks.diagnosed(gateway, command),
            TellBudget: self._tell_budget,
            LendBudget: self._lend_budget,
        }

    # The core.

    def time(self, gateway: int) -> Seconds:
        """What this gateway's clock shows."""
        return self._clock.now + self._skews[gateway]

    def feed(self, gateway: int, event: Event) -> None:
        """Tell one core, and carry out what it says."""
        commands = self._handles[gateway](event)
        if self._tee is not None:
            self._tee(gateway, event, commands)
        for command in commands:
            if isinstance(command, Record):  # two of three commands are
                self.sinks.record(gateway, command.record)
            else:
                self._carry_out[type(command)](gateway, command)

    @property
    def in_flight(self) -> int:
        """Requests that the gateways have and have not closed."""
        return len(self._exchanges)

    @property
    def held(self) -> int:
        """Those of them that were never sent on."""
        return sum(not exchange.job_id for exchange in self._exchanges.values())

    def knows(self, request_id: str) -> bool:
        """Whether a gateway has it and has not closed it."""
        return request_id in self._exchanges

    # What clients do.

    def send(self, call: Call) -> Exchange:
        """One try sets out for a gateway, drawn at random as connections are spread."""
        self._made += 1
        gateway = int(self._chance.uniform() * self._gateways) if self._gateways > 1 else 0
        exchange = call.current = Exchange(call, gateway, f"r{self._made}")
        delay_s = self._network.to_client()
        if delay_s:
            self._clock.at(self._clock.now + delay_s, self._arrive, exchange)
        else:
            self._arrive(exchange)
        return exchange

    def _arrive(self, exchange: Exchange) -> None:
        if exchange.is_over:
            return
        self._exchanges[exchange.id] = exchange
        call, gateway = exchange.call, exchange.gateway
        said = head(call.row, call.number, call.klass.name, self._model, call.sdk_tries)
        draw = self._chance.uniform()
        self.feed(gateway, RequestArrived(self.time(gateway), exchange.id, said, draw))

    def client_gone(self, exchange: Exchange) -> None:
        """The client closed; the gateway learns of it half a round trip later."""
        self._clock.at(self._clock.now + self._network.to_client(), self._gone, exchange)

    def _gone(self, exchange: Exchange) -> None:
        if exchange.is_over:
            return
        if self._exchanges.get(exchange.id) is exchange:
            self.feed(exchange.gateway, ClientGone(self.time(exchange.gateway), exchange.id))
        exchange.is_over = True

    # What the core wants done.

    def _forward(self, gateway: int, command: Forward) -> None:
        exchange = self._exchanges.get(command.request_id)
        if exchange is None:
            return
        if command.is_copy:
            exchange.split()
        elif command.attempt > 1:
            exchange.call.gateway_retries += 1
            exchange.is_copied = False
        exchange.attempt = command.attempt
        exchange.endpoint = endpoint = command.endpoint
        exchange.job_id = f"{exchange.id}.{command.attempt}"
        exchange.first_byte = False
        exchange.cached_tokens = 0
        offered, kept = command.allowance.tokens_offered, command.allowance.tokens_kept
        exchange.kept_ratio = kept / offered if kept < offered else 1.0
        self._arm(gateway, exchange, command.allowance.deadline_at)
        hedge_at = command.allowance.hedge_at
        if hedge_at:
            due_at = max(self._clock.now, hedge_at - self._skews[gateway])
            self._clock.at(due_at, self._hedge_due, (exchange, exchange.job_id))
        delay_s = self._network.to_endpoint(endpoint)
        now = self._clock.now
        if self._network.is_cut(endpoint):
            self._clock.at(now + CONNECT_S_MAX, self._fail, (exchange, exchange.job_id, "connect"))
        elif delay_s:
            self._clock.at(now + delay_s, self._reach, (exchange, exchange.job_id))
        else:
            self._reach((exchange, exchange.job_id))

    def _tell_budget(self, gateway: int, told: TellBudget) -> None:
        """To the control core, which is the last of several."""
        control = len(self._handles) - 1
        event = BudgetTold(
            at=self.time(control),
            worker=gateway,
            block=told.block,
            limit_micro_usd=told.limit_micro_usd,
            wanted=told.wanted,
            spent=told.spent,
            returned=told.returned,
        )
        self.feed(control, event)

    def _lend_budget(self, gateway: int, lent: LendBudget) -> None:
        event = BudgetLent(self.time(lent.worker), lent.block, lent.amount, lent.lent)
        # Not before the worker has carried out the rest of what it was told.
        self._clock.at(self._clock.now, lambda _: self.feed(lent.worker, event))

    def _arm(self, gateway: int, exchange: Exchange, deadline_at: Seconds) -> None:
        """DeadlinePassed is due then, in the gateway's time; a later deadline needs no new timer
        before the first has fired."""
        if exchange.deadline_at == deadline_at:
            return
        exchange.deadline_at = deadline_at
        self._clock.timer(deadline_at - self._skews[gateway], exchange, self._deadline)

    def _hedge_due(self, what: tuple[Exchange, str]) -> None:
        exchange, job_id = what
        if exchange.is_over or exchange.first_byte or exchange.job_id != job_id:
            return
        self.feed(exchange.gateway, HedgeDue(self.time(exchange.gateway), exchange.id))

    def _deadline(self, exchange: Exchange) -> None:
        at = self.time(exchange.gateway)
        # A hair of rounding between the two clocks must not let a deadline pass unnoticed.
        if at >= exchange.deadline_at - 1e-9:
            at = max(at, exchange.deadline_at)
            self.feed(exchange.gateway, DeadlinePassed(at, exchange.id))

    def _hold(self, gateway: int, command: Hold) -> None:
        exchange = self._exchanges.get(command.request_id)
        if exchange is not None:
            self._arm(gateway, exchange, command.until)

    def _reject(self, gateway: int, command: Reject) -> None:
        exchange = self._exchanges.pop(command.request_id, None)
        if exchange is not None:
            exchange.is_over = True
            self.clients.refused(exchange, command.refusal)

    def _abort(self, gateway: int, command: Abort) -> None:
        exchange = self._exchanges.pop(command.request_id, None)
        if exchange is None:
            return
        exchange.is_over = True
        self._drop(exchange)
        if command.refusal is None:
            return
        if exchange.first_byte:
            self.clients.cut_off(exchange, command.refusal)
        else:
            self.clients.refused(exchange, command.refusal)

    def _drop(self, exchange: Exchange) -> None:
        """Close the connection to the engine; it hears of it half a round trip later."""
        self._drop_rival(exchange)
        replica = self.replicas[exchange.endpoint]
        delay_s = self._network.to_endpoint(exchange.endpoint)
        self._clock.at(self._clock.now + delay_s, replica.cancel, exchange.job_id)

    def _drop_rival(self, exchange: Exchange) -> None:
        """Close the other connection, if there are two."""
        other, exchange.rival = exchange.rival, None
        if other is not None:
            job_id, endpoint = other[:2]
            at = self._clock.now + self._network.to_endpoint(endpoint)
            self._clock.at(at, self.replicas[endpoint].cancel, job_id)

    # At the engine.

    def _reach(self, what: tuple[Exchange, str]) -> None:
        """The request arrives at the replica, if both are still there."""
        exchange, job_id = what
        if exchange.is_over or (exchange.job_id != job_id and not exchange.turn(job_id)):
            return
        replica, row = self.replicas[exchange.endpoint], exchange.call.row
        if not replica.is_reachable:
            self._report_failure(exchange, "connect")
            return
        first = self.priorities.get(exchange.call.klass.name, 0) if self.priorities else 0
        if exchange.kept_ratio < 1.0:  # cut from the front: no block begins as it did before
            job = Job(job_id, exchange.input_tokens, row.output_tokens, (), first)
        else:
            blocks = row.prefix_blocks + row.answer_blocks
            job = Job(job_id, row.input_tokens, row.output_tokens, blocks, first)
        try:
            taken = replica.submit(job, exchange)
        except ValueError:  # longer than this engine's whole KV cache: a 400, as vLLM answers
            self._clock.at(self._back(exchange), self._bad_request, exchange)
            return
        if not taken:
            self._report_failure(exchange, "status")

    def _back(self, exchange: Exchange) -> Seconds:
        return self._clock.now + self._network.to_endpoint(exchange.endpoint)

    def on_progress(self, exchange: Exchange, progress: Progress) -> None:
        """Something happened to a job; the gateway sees it half a round trip later."""
        if exchange.is_over:
            return
        if progress.job != exchange.job_id and not exchange.turn(progress.job):
            return
        if progress.kind == "admitted":
            exchange.cached_tokens = progress.tokens
        elif progress.kind == "first-token":
            self._answer(exchange, self._first_byte)
        elif progress.kind == "finished":
            self._answer(exchange, self._served)

    def _answer(self, exchange: Exchange, act: Act) -> None:
        """Bytes set out for the gateway; over a cut path they are sent again and again."""
        what = (exchange, exchange.job_id)
        if self._network.is_cut(exchange.endpoint):
            self._resend((what, act, RESEND_S, 0.0))
            return
        delay_s = self._network.to_endpoint(exchange.endpoint)
        if delay_s:
            self._clock.at(self._clock.now + delay_s, act, what)
        else:
            act(what)

    def _resend(self, sent: tuple[tuple[Exchange, str], Act, Seconds, Seconds]) -> None:
        what, act, pause_s, silent_s = sent
        exchange, job_id = what
        if exchange.is_over or (exchange.job_id != job_id and not exchange.turn(job_id)):
            return
        if not self._network.is_cut(exchange.endpoint):
            self._answer(exchange, act)
        elif silent_s >= STALL_S_MAX:
            self._fail((exchange, job_id, "stall"))
        else:
            again = (what, act, 2.0 * pause_s, silent_s + pause_s)
            self._clock.at(self._clock.now + pause_s, self._resend, again)

    def _first_byte(self, what: tuple[Exchange, str]) -> None:
        exchange, job_id = what
        if exchange.is_over or (exchange.job_id != job_id and not exchange.turn(job_id)):
            return
        exchange.first_byte = True
        if exchange.rival is not None:
            self._drop_rival(exchange)
        self.clients.first_byte(exchange)
        at = self.time(exchange.gateway)
        self.feed(exchange.gateway, FirstByte(at, exchange.id, exchange.told))
        ratio = self.early_close.get(exchange.endpoint, 0.0)
        if ratio and self._chance.uniform() < ratio:
            self._fail((exchange, job_id, "early-close"))

    def _served(self, what: tuple[Exchange, str]) -> None:
        exchange, job_id = what
        if exchange.is_over or (exchange.job_id != job_id and not exchange.turn(job_id)):
            return
        del self._exchanges[exchange.id]
        exchange.is_over = True
        if exchange.rival is not None:
            self._drop_rival(exchange)
        row, gateway = exchange.call.row, exchange.gateway
        if not exchange.first_byte:  # jitter may let the end overtake the beginning
            exchange.first_byte = True
            self.clients.first_byte(exchange)
        self.clients.served(exchange, 200)
        event = Served(
            self.time(gateway),
            exchange.id,
            200,
            exchange.input_tokens,
            exchange.cached_tokens,
            row.output_tokens,
            attempt=exchange.told,
        )
        self.feed(gateway, event)

    def _bad_request(self, exchange: Exchange) -> None:
        if exchange.is_over:
            return
        del self._exchanges[exchange.id]
        exchange.is_over = True
        self._drop_rival(exchange)
        self.clients.served(exchange, 400)
        self.feed(exchange.gateway, Served(self.time(exchange.gateway), exchange.id, 400))

    # Failures.

    def _report_failure(self, exchange: Exchange, cause: str) -> None:
        """The gateway learns of it half a round trip later."""
        self._clock.at(self._back(exchange), self._fail, (exchange, exchange.job_id, cause))

    def _fail(self, what: tuple[Exchange, str, str]) -> None:
        exchange, job_id, cause = what
        if exchange.is_over or (exchange.job_id != job_id and not exchange.turn(job_id)):
            return
        if cause in ("early-close", "stall"):
            self._drop(exchange)
        event = AttemptFailed(
            self.time(exchange.gateway),
            exchange.id,
            exchange.endpoint,
            cause,
            status=503 if cause == "status" else 0,
            started=exchange.first_byte,
            attempt=exchange.told,
        )
        if exchange.rival is not None:
            exchange.turn(exchange.rival[0])
            exchange.rival = None
        self.feed(exchange.gateway, event)

    def lost(self, waiters: Sequence[Exchange]) -> None:
        """A replica went down with their jobs."""
        for exchange in waiters:
            if not exchange.is_over:
                other = exchange.rival
                if other is not None and self.replicas[exchange.endpoint].is_reachable:
                    exchange.turn(other[0])
                self._report_failure(exchange, "reset")
