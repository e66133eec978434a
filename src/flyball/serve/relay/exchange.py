"""How far is one request: waiting, sent, being answered, or failed?

The meeting of a client's connection, a connection to an engine and the core. It tells the core what
happened and does what the core says; it decides nothing.
"""

import re
from collections import deque
from typing import Protocol, cast

from flyball.dialects import surface
from flyball.governor.commands import Forward
from flyball.governor.events import (
    AttemptFailed,
    DeadlinePassed,
    Event,
    FirstByte,
    HedgeDue,
    Served,
)
from flyball.model.faults import Refusal
from flyball.model.request import RequestHead
from flyball.serve.config.limits import Limits
from flyball.serve.relay.chunks import ChunkScan, chunked
from flyball.serve.relay.copy import Copy
from flyball.serve.relay.downstream import Downstream
from flyball.serve.relay.heads import CHUNKED, UNTIL_END, Request, Response
from flyball.serve.relay.upstream import Attempt, EndpointPool, Parts, Upstream
from flyball.serve.relay.wheel import Wheel
from flyball.serve.relay.wire import (
    Access,
    KeptError,
    flyball_lines,
    request_head,
    response_head,
    whole_answer,
)
from flyball.units import MS_PER_S, Bytes, Ratio, Seconds

TAIL_PARTS_MAX = 8
TAIL_BYTES_MAX: Bytes = surface.TAIL_BYTES
OVERDUE_S: Seconds = 1.0
LOOK_RATIO: Ratio = 0.125
# A deadline nearer than this is worth telling the engine.
TOLD_S_MAX: Seconds = 10.0
_CHUNK_LINE = re.compile(rb"\r\n[0-9A-Fa-f]+\r\n")
_PASSED_ON = frozenset(("upstream_failed", "no_endpoint"))
_SSE_END = {"chat": b"[DONE]", "completion": b"[DONE]", "message": b"message_stop"}


class Place:
    """One endpoint as the driver sees it: its connections and how it is entered."""

    __slots__ = ("access", "key", "lines", "pool", "rtt_s", "served_model")

    def __init__(
        self,
        key: object,
        pool: EndpointPool,
        access: Access,
        served_model: str,
        lines: bytes,
        rtt_s: Seconds = 0.0,
    ) -> None:
        self.key = key
        self.pool = pool
        self.access = access
        self.served_model = served_model
        self.lines = lines
        self.rtt_s = rtt_s


class Desk(Protocol):
    """The owner of all exchanges."""

    limits: Limits
    wheel: Wheel
    draining: bool

    def now(self) -> Seconds:
        """Unix seconds that never go backward."""
        ...

    def feed(self, event: Event) -> None:
        """Tell the core, and carry out what it says."""
        ...

    def forget(self, exchange: "Exchange") -> None:
        """It is over."""
        ...


class Exchange:
    """One request from its arrival to its one end. `upstream` = the connection now at work."""

    __slots__ = (
        "_arrived_at",
        "_connection",
        "_copy",
        "_deadline_at",
        "_desk",
        "_error",
        "_forward",
        "_head",
        "_hedge_at",
        "_is_chunking",
        "_is_held_back",
        "_moved_at",
        "_opening",
        "_output_bytes",
        "_output_bytes_seen",
        "_place",
        "_request",
        "_response",
        "_tail",
        "_told",
        "due_at",
        "id",
        "is_over",
        "is_resent",
        "is_started",
        "upstream",
        "wheel_key",
    )

    def __init__(
        self, desk: Desk, connection: Downstream, request: Request, head: RequestHead,
        request_id: str, at: Seconds,
    ) -> None:  # fmt: skip
        self._desk = desk
        self._connection = connection
        self._request = request
        self._head = head
        self._arrived_at = at
        self._deadline_at: Seconds = 0.0
        self._moved_at = at
        self._forward: Forward | None = None
        self._place: Place | None = None
        self._response: Response | None = None
        self._error: KeptError | None = None
        self._is_chunking = False
        self._is_held_back = False
        self._output_bytes = 0
        self._output_bytes_seen = 0
        self._tail: deque[bytes] | None = None
        self._opening = b""
        self._copy: Copy | None = None
        self._hedge_at: Seconds = 0.0
        self._told = 0  # which attempt it is, to tell of it; 0 = there is but one
        self.id = request_id
        self.is_over = False
        self.is_resent = False
        self.is_started = False
        self.upstream: Upstream | None = None
        self.due_at: Seconds = 0.0
        self.wheel_key = 0

    # What the core says.

    def forward(self, command: Forward, place: Place) -> None:
        """Send the request to that place, or a copy of it."""
        if command.is_copy:
            self._told = self._forward.attempt if self._forward is not None else 0
            self._copy = Copy(self, command, place, self._desk.now)
            self._send(command, place, self._copy)
            return
        self._forward = command
        self._place = place
        self._response = self._error = None
        self.is_resent = False
        self._told = 0
        self._hedge_at = command.allowance.hedge_at
        self._due(command.allowance.deadline_at)
        self._send(command, place, self)

    def _send(self, command: Forward, place: Place, attempt: Attempt) -> None:
        request = self._request
        target, body = request.target, request.body
        grant = command.allowance
        if grant.tokens_kept < grant.tokens_offered:
            kept = grant.tokens_kept / grant.tokens_offered
            body = surface.trim_turns(body, self._head.prompt_bytes, kept, grant.keep_system)
        if grant.clamp_output:
            body = surface.bound_output(body, self._head.operation, grant.output_tokens_max)
        model = place.served_model or grant.model
        if model and model != self._head.model:
            if self._head.operation == "infer":
                target = surface.rewrite_target(target, model)
            else:
                body = surface.rewrite_model(body, model)
        left_s = grant.deadline_at - self._desk.now() - place.rtt_s
        head = request_head(
            request, place.pool.address, place.access, self._head.operation, self.id, target,
            len(body), left_s * MS_PER_S if left_s < TOLD_S_MAX else 0.0,
        )  # fmt: skip
        place.pool.send(attempt, request.method, Parts(head, body, request.http10))

    def hold(self, until: Seconds) -> None:
        """Wait for another word from the core, at most until then."""
        self._due(until)

    def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal, or with the engine's own if it was what failed; or, if an answer
        has begun already, break it off so that the client sees it."""
        if self.is_over:
            return
        if self.is_started:
            self._break_off(refusal)
            return
        connection, request = self._connection, self._request
        keep = request.keep_alive and not self._desk.draining
        own = b"x-flyball-request-id: " + self.id.encode("ascii") + b"\r\n"
        if self._forward is not None and self._place is not None:
            own = flyball_lines(self.id, self._forward, self._place.lines, self._arrived_at)
        error = self._error
        self.end()
        if error is not None and error.is_whole and refusal.code in _PASSED_ON:
            body = bytes(error.body)
            head = response_head(error.response, self.id, own, len(body), keep)
            connection.write(head + body)
        else:
            status, fields, body = surface.error_body(refusal, self._head.operation, self.id)
            is_head = request.method == b"HEAD"
            connection.write(whole_answer(status, fields, body, keep, own, is_head))
        connection.answered(keep, self._desk.now())

    def abort(self, refusal: Refusal | None) -> None:
        """Stop at once; None = the client is gone and can be told nothing."""
        if refusal is not None:
            self.refuse(refusal)
        elif not self.is_over:
            self.end()
            self._connection.truncate()

    def end(self) -> None:
        """Let go of everything: nothing more happens to this exchange."""
        self.is_over = True
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.abandon()
        self._drop_copy()
        self._desk.wheel.drop(self)
        self._desk.forget(self)

    def _drop_copy(self) -> None:
        copy, self._copy = self._copy, None
        if copy is not None:
            copy.drop()

    def take_over(self, copy: Copy) -> None:
        """The copy's first byte came first: go on with it, and close what was waited for."""
        upstream, self.upstream = self.upstream, copy.upstream
        if upstream is not None:
            upstream.abandon()
        if copy.upstream is not None:
            copy.upstream.attempt = self
        self._copy = None
        self._forward, self._place = copy.forward, cast(Place, copy.place)
        self._response, self._error = copy.response, None
        self._told = copy.forward.attempt

    def copy_failed(self, cause: str, status: int, retry_after_s: Seconds, detail: str) -> None:
        """The copy will not answer: the core knows what is left."""
        copy, self._copy = self._copy, None
        if copy is not None:
            self._tell_failed(copy.forward, cause, status, retry_after_s, detail)

    # What the engine sends.

    def on_whole(self, response: Response, data: bytes) -> None:
        """A whole answer at once: what `on_head` and `on_body` do, in one step."""
        status = response.status
        if status == 429 or status >= 500 or (response.length < 0 and self._request.http10):
            self.on_head(response)
            self.on_body(data, True)
            return
        desk, request, forward, place = self._desk, self._request, self._forward, self._place
        assert forward is not None and place is not None
        now = desk.now()
        self.is_started = True
        self._drop_copy()
        keep = request.keep_alive and not desk.draining
        own = flyball_lines(self.id, forward, place.lines, self._arrived_at)
        connection = self._connection
        connection.write(response_head(response, self.id, own, response.length, keep) + data)
        operation = self._head.operation
        usage = surface.read_usage(data, operation, response.is_event_stream)
        self.end()
        desk.feed(
            Served(
                now, self.id, status, usage.input_tokens, usage.cached_tokens,
                usage.output_tokens, len(data),
                surface.read_response_id(data) if operation == "response" else "", self._told,
            )
        )  # fmt: skip
        connection.answered(keep, now)

    def on_head(self, response: Response) -> None:
        """The head of an answer; it is sent on with the first of its body, so that until then
        another engine can still be asked."""
        self._moved_at = self._desk.now()
        if response.status == 429 or response.status >= 500:
            self._error = KeptError(response)
        else:
            self._response = response
        self._due(self._deadline_at)

    def on_body(self, data: bytes, is_last: bool) -> None:
        """Some of the body. In the middle of a stream it costs no look at the clock: `expire` sees
        by the count of bytes whether the answer moves."""
        tail = self._tail
        if tail is not None and not is_last and not self._is_chunking:
            size = len(data)
            self._output_bytes += size
            tail.append(data if size <= TAIL_BYTES_MAX else data[-TAIL_BYTES_MAX:])
            self._connection.write(data)
            return
        response = self._response
        if response is None:
            self._keep_error(data, is_last)
            return
        now = self._moved_at = self._desk.now()
        if data:
            self._output_bytes += len(data)
            self._keep_tail(data)
        elif response.length == UNTIL_END and self._is_cut_short(response):
            self.on_failed("early-close", "the stream ended without its last event")
            return
        if self._is_chunking:
            data = chunked(data, is_last)
        if self.is_started:
            if data:
                self._connection.write(data)
        else:
            self._start(response, data, is_last)
            self._desk.feed(FirstByte(now, self.id, self._told))
        if is_last and not self.is_over:
            self._finish(response, now)

    def _keep_tail(self, data: bytes) -> None:
        """Remember the last bytes, where the engine tells its token counts."""
        tail = self._tail
        if tail is None:
            tail = self._tail = deque(maxlen=TAIL_PARTS_MAX)
        tail.append(data if len(data) <= TAIL_BYTES_MAX else data[-TAIL_BYTES_MAX:])

    def _is_cut_short(self, response: Response) -> bool:
        """Whether a stream of events that ends with its connection lacks its closing event."""
        end = _SSE_END.get(self._head.operation)
        return (
            end is not None and response.is_event_stream and end not in b"".join(self._tail or ())
        )

    def _start(self, response: Response, data: bytes, is_last: bool) -> None:
        """The answer begins: no way back to another engine."""
        self.is_started = True
        self._drop_copy()
        if self._head.operation == "response":
            # Its id stands in the first bytes: a later call may continue the stored answer.
            self._opening = data[:TAIL_BYTES_MAX]
        request, connection = self._request, self._connection
        connection.release_body()
        length = response.length
        if length == UNTIL_END and is_last:
            length = len(data)
        elif length < 0 and request.http10:
            length = UNTIL_END
            request.keep_alive = False
        elif length == UNTIL_END:
            length = CHUNKED
            self._is_chunking = True
            data = chunked(data, False)
        assert self._forward is not None and self._place is not None
        own = flyball_lines(self.id, self._forward, self._place.lines, self._arrived_at)
        keep = request.keep_alive and not self._desk.draining
        request.keep_alive = keep
        connection.write(response_head(response, self.id, own, length, keep) + data)
        if not connection.writable:
            self.set_flow(False)

    def _finish(self, response: Response, now: Seconds) -> None:
        tail = b"".join(self._tail or ())
        if response.length == CHUNKED:
            tail = _CHUNK_LINE.sub(b"", tail)
        usage = surface.read_usage(tail, self._head.operation, response.is_event_stream)
        connection, keep = self._connection, self._request.keep_alive
        self.end()
        self._desk.feed(
            Served(
                now, self.id, response.status, usage.input_tokens, usage.cached_tokens,
                usage.output_tokens, self._output_bytes,
                surface.read_response_id(self._opening) if self._opening else "", self._told,
            )
        )  # fmt: skip
        connection.answered(keep, now)

    def _keep_error(self, data: bytes, is_last: bool) -> None:
        """An engine's refusal: keep it within bounds, then tell the core."""
        error = self._error
        if error is None:
            return
        if len(error.body) + len(data) > self._desk.limits.error_body_bytes_max:
            error.is_whole = False
        elif error.is_whole:
            error.body += data
        if not is_last and error.is_whole:
            return
        response = error.response
        if error.is_whole and response.length == CHUNKED and not self._request.http10:
            framed, error.body = bytes(error.body), bytearray()
            ChunkScan().feed(framed, error.body)
        if not response.content_type.startswith(b"application/json"):
            error.is_whole = False
        wait_s = surface.retry_after(response.fields, self._desk.now())
        self._fail("status", response.status, wait_s, f"status {response.status}")

    def on_failed(self, cause: str, detail: str) -> None:
        """No answer, or no more of it."""
        if not self.is_over:
            self._fail(cause, 0, 0.0, detail)

    def _fail(self, cause: str, status: int, retry_after_s: Seconds, detail: str) -> None:
        assert self._forward is not None
        if not self.is_started:
            upstream, self.upstream = self.upstream, None
            if upstream is not None:
                upstream.abandon()
        if cause != "status" or self._copy is not None:
            self._error = None
        self._tell_failed(self._forward, cause, status, retry_after_s, detail)

    def _tell_failed(
        self, forward: Forward, cause: str, status: int, retry_after_s: Seconds, detail: str
    ) -> None:
        told = forward.attempt if self._told else 0
        self._desk.feed(
            AttemptFailed(
                self._desk.now(), self.id, forward.endpoint, cause, status, retry_after_s,
                self.is_started, detail, told,
            )
        )  # fmt: skip

    def _break_off(self, refusal: Refusal) -> None:
        """End a begun answer visibly: a stream of events gets an error event first, where the
        framing allows one; the connection is closed without the answer's proper end."""
        connection, response = self._connection, self._response
        if response is not None and response.is_event_stream:
            event = surface.error_event(refusal, self._head.operation, self.id)
            upstream = self.upstream
            if self._is_chunking or (upstream is not None and upstream.is_between_chunks()):
                connection.write(chunked(event, False))
            elif self._request.http10:
                connection.write(event)
        self.end()
        connection.truncate()

    # Time and flow.

    def set_flow(self, flowing: bool) -> None:
        """Let the engine's bytes come, or make them wait for a slow client."""
        self._is_held_back = not flowing
        if self.upstream is not None:
            self.upstream.set_flow(flowing)
        if flowing:
            self._moved_at = self._desk.now()

    def _due(self, deadline_at: Seconds) -> None:
        """Look again at the deadline, or at an answer that may have stalled: that one is looked at
        eight times in the time a stall takes to be one, so it is seen an eighth late at most."""
        self._deadline_at = deadline_at
        now = self._desk.now()
        stall_s = self._desk.limits.stall_s_max
        has_begun = self._response or self._error
        if self._hedge_at:
            deadline_at = min(deadline_at, self._hedge_at)
        self.due_at = min(deadline_at, now + stall_s * (LOOK_RATIO if has_begun else 1.0))
        self._desk.wheel.watch(self, now)

    def expire(self, now: Seconds) -> None:
        """The deadline has passed, or the engine has sent nothing for too long, or neither."""
        if now >= self._deadline_at:
            self.due_at = now + OVERDUE_S
            self._desk.wheel.watch(self, now)
            self._desk.feed(DeadlinePassed(now, self.id))
            return
        if self._hedge_at and now >= self._hedge_at:
            self._hedge_at = 0.0
            if not (self._response or self._error):
                self._desk.feed(HedgeDue(now, self.id))
                if self.is_over:
                    return
        stall_s = self._desk.limits.stall_s_max
        if self._is_held_back or self._output_bytes != self._output_bytes_seen:
            self._output_bytes_seen = self._output_bytes
            self._moved_at = now
        elif (self._response or self._error) and now - self._moved_at >= stall_s:
            self.on_failed("stall", f"no byte for {stall_s:g} s")
        if not self.is_over:
            self._due(self._deadline_at)
