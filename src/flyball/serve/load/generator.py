"""How is a trace sent as live load, each request at its own time whatever became of the others?

Open loop: the send times come from the trace alone. Latency counts from the time the trace asks
for, not from the send, so a late generator can only look worse, and its lateness is reported.
"""

import asyncio
from collections.abc import Callable, Iterable
from random import Random
from time import perf_counter

import msgspec

from flyball.dialects.traces.prompt import text
from flyball.dialects.traces.row import TraceRow
from flyball.model.request import Promise
from flyball.serve.load import wire as loadwire
from flyball.serve.load.report import Answer, Ledger, Report
from flyball.serve.load.wire import Exchange, Pool
from flyball.units import Seconds, Tokens

# Rows sent without a pause before the loop may read answers again.
_BURST = 16
_TICK_S = 0.25
# Below this the event loop's timer (1 ms) is no better than sending at once.
_SLEEP_S_MIN = 0.0005
_RETRIED_CODES = (408, 409, 429, 500, 502, 503, 504)
# openai-python 2, `_base_client.py`: 0.5 s doubling to 8 s, less up to a quarter; what the server
# asks for is kept if it is at most a minute.
_RETRY_WAIT_S_MAX = 8.0
_RETRY_JITTER = 0.25
_RETRY_AFTER_S_MAX = 60.0


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where the load goes and how it is asked.

    `model` overrides the rows' own; `class_name` is sent with every request, else the row's own
    if `send_class`. `group_by` says which label the report is grouped by. `promises` maps such a
    label ("" = all) to what counts as in time. At `concurrency_max` requests in flight sends wait.
    `patience_s` = how long a client of such a label waits for a first byte before it gives that try
    up (and, with `retries`, tries again).
    """

    url: str
    api_key: str = ""
    model: str = ""
    class_name: str = ""
    send_class: bool = True
    group_by: Callable[[TraceRow], str] = lambda row: row.class_name or "all"
    promises: dict[str, Promise] = msgspec.field(default_factory=dict)
    concurrency_max: int = 4096
    timeout_s: Seconds = 600.0
    retries: int = 0
    output_tokens_max: Tokens = 0
    patience_s: dict[str, Seconds] = msgspec.field(default_factory=dict)


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is: counts so far, requests in flight, seconds since the start."""

    sent: int
    answered: int
    refused: int
    failed: int
    in_flight: int
    elapsed_s: Seconds


async def run_load(
    rows: Iterable[TraceRow],
    target: Target,
    progress: Callable[[Progress], None] | None = None,
    on_answer: Callable[[Answer], None] | None = None,
    stop: asyncio.Event | None = None,
) -> Report:
    """Sends `rows` (in time order, `at_s` = wall seconds from now) and waits for the answers.

    `progress` is called four times a second, `on_answer` once per request. When `stop` is set,
    nothing more is sent, what is under way is given up and the partial report is returned.
    Raises ValueError for a URL that is none. A fleet that fails is in the report, not an error.
    """
    run = _Run(target, on_answer)
    feeder = asyncio.create_task(run.feed(rows))
    stopped = asyncio.create_task((stop or asyncio.Event()).wait())
    watcher = asyncio.create_task(run.watch(progress))
    try:
        await asyncio.wait({feeder, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not feeder.done():
            feeder.cancel()
        else:
            feeder.result()
            drained = asyncio.create_task(run.drain())
            await asyncio.wait({drained, stopped}, return_when=asyncio.FIRST_COMPLETED)
            drained.cancel()
    finally:
        await run.close()
        for task in (feeder, stopped, watcher):
            task.cancel()
    if progress is not None:
        progress(run.state())
    return run.ledger.report(interrupted=stopped.done() and not stopped.cancelled())


class _Run:
    """The state of one run: the pool, the ledger of answers and the retries that wait."""

    def __init__(self, target: Target, on_answer: Callable[[Answer], None] | None) -> None:
        where = loadwire.origin(target.url)
        self._target = target
        self._on_answer = on_answer
        self._pool = Pool(where, target.concurrency_max, self._ended)
        self._head = _head(where, target)
        self._waiting: dict[Exchange, asyncio.TimerHandle] = {}
        self._begun = perf_counter()
        self._idle = asyncio.Event()
        self._jitter = Random(0)
        self.ledger = Ledger(target.url, target.promises, self._begun)

    def state(self) -> Progress:
        ledger = self.ledger
        return Progress(
            sent=ledger.sent,
            answered=ledger.answered,
            refused=ledger.refused,
            failed=ledger.failed,
            in_flight=self._pool.in_flight + len(self._waiting),
            elapsed_s=perf_counter() - self._begun,
        )

    async def feed(self, rows: Iterable[TraceRow]) -> None:
        """Sends each row at its time; the next request is built while its time comes."""
        burst = 0
        for number, row in enumerate(rows):
            if number == 0:  # opening and reading the trace is not the first request's lateness
                self._begun = self.ledger.begun = perf_counter()
            exchange = self._exchange(number, row)
            wait_s = exchange.due - perf_counter()
            burst += 1
            if wait_s > _SLEEP_S_MIN or burst >= _BURST:
                await asyncio.sleep(max(wait_s, 0.0))
                burst = 0
            if self._pool.in_flight >= self._target.concurrency_max:
                await self._pool.room()
            now = perf_counter()
            self.ledger.note_sent(exchange.label, now - exchange.due)
            exchange.due = min(exchange.due, now)  # the loop's timer may wake 1 ms too soon
            self._pool.send(exchange)

    async def drain(self) -> None:
        """Waits until every request has ended, retries included."""
        while self._pool.in_flight or self._waiting:
            self._idle.clear()
            await self._idle.wait()

    async def watch(self, progress: Callable[[Progress], None] | None) -> None:
        """Reports four times a second and gives up what takes longer than the timeout."""
        while True:
            await asyncio.sleep(_TICK_S)
            self._pool.expire(self._target.timeout_s)
            if progress is not None:
                progress(self.state())

    async def close(self) -> None:
        """Gives up what is under way, retries that wait included."""
        waiting = list(self._waiting.items())
        self._waiting.clear()
        for exchange, timer in waiting:
            timer.cancel()
            exchange.cause = "stopped"
            self._settle(exchange)
        await self._pool.close()
        self.ledger.ended = perf_counter()
        self.ledger.connections = self._pool.connections_opened

    def _exchange(self, number: int, row: TraceRow) -> Exchange:
        target = self._target
        tokens = row.output_tokens
        if target.output_tokens_max:
            tokens = min(tokens, target.output_tokens_max)
        model = msgspec.json.encode(target.model or row.model)
        body = (
            b'{"model":%b,"messages":[{"role":"user","content":"%b"}],"max_tokens":%d,'
            b'"stream":true,"stream_options":{"include_usage":true}}'
            % (model, text(row, number), tokens)
        )
        head = self._head + b"content-length: %d\r\n" % len(body)
        class_name = target.class_name or (row.class_name if target.send_class else "")
        if class_name:
            head += b"x-flyball-class: %b\r\n" % _field(class_name)
        if row.session:
            head += b"x-session-affinity: %b\r\n" % _field(row.session)
        label = target.class_name or target.group_by(row)
        exchange = Exchange(number, label, head, body, self._begun + row.at_s)
        exchange.patience_s = target.patience_s.get(label, target.timeout_s)
        return exchange

    def _ended(self, exchange: Exchange) -> None:
        if exchange.retries < self._target.retries and _is_retried(exchange):
            wait_s = min(0.5 * 2**exchange.retries, _RETRY_WAIT_S_MAX)
            wait_s *= 1.0 - _RETRY_JITTER * self._jitter.random()
            if 0.0 < exchange.retry_after_s <= _RETRY_AFTER_S_MAX:
                wait_s = exchange.retry_after_s
            loop = asyncio.get_running_loop()
            self._waiting[exchange] = loop.call_later(wait_s, self._retry, exchange)
        else:
            self._settle(exchange)

    def _retry(self, exchange: Exchange) -> None:
        del self._waiting[exchange]
        exchange.retries += 1
        exchange.reset()
        self._pool.send(exchange)

    def _settle(self, exchange: Exchange) -> None:
        answer = self.ledger.note_ended(exchange, loadwire.ending(exchange))
        if self._on_answer is not None:
            self._on_answer(answer)
        self._idle.set()


def _is_retried(exchange: Exchange) -> bool:
    """Whether clients of the OpenAI API would try again: no answer began, or a transient code."""
    if exchange.cause:
        return exchange.cause in ("connect", "reset", "impatient")
    if exchange.should_retry:
        return exchange.should_retry == "true"
    return exchange.status in _RETRIED_CODES


def _head(where: loadwire.Origin, target: Target) -> bytes:
    fields = [
        f"POST {where.base}/v1/chat/completions HTTP/1.1",
        f"host: {where.authority}",
        "content-type: application/json",
        "accept: text/event-stream",
        "user-agent: flyball-replay",
    ]
    if target.api_key:
        fields.append(f"authorization: Bearer {_field(target.api_key).decode()}")
    return "".join(f"{field}\r\n" for field in fields).encode()


def _field(value: str) -> bytes:
    """A header value with everything that is not plain visible ASCII replaced by `_`."""
    return "".join(c if "!" <= c <= "~" else "_" for c in value).encode()
