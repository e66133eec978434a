"""How do a worker and the control process talk, without either being able to choke the other?

A stream socket carries frames: 4 bytes big-endian length, then one MessagePack object. What waits
in the buffer is bounded twice: above `blocked_bytes_max` the owner is told (`on_blocked`), above
`dropped_bytes_max` a frame is refused and counted, never queued.
"""

import asyncio
import socket
from collections.abc import Callable
from struct import Struct as Layout
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import Struct

from flyball.governor import events
from flyball.governor.commands import Notice, Report, TellBudget
from flyball.units import Bytes, Seconds

FRAME_BYTES_MAX: Bytes = 64 << 20
BLOCKED_BYTES_MAX: Bytes = 4 << 20
DROPPED_BYTES_MAX: Bytes = 64 << 20
_LENGTH = Layout(">I")


class Hello(Struct, frozen=True, tag=True):
    """worker -> control: the listener is open."""

    worker: int
    pid: int
    port: int


class Failed(Struct, frozen=True, tag=True):
    """worker -> control: it cannot serve, and why (it ends after this)."""

    worker: int
    reason: str


class Records(Struct, frozen=True, tag=True):
    """worker -> control: encoded ledger entries in order, and what they did to open requests.

    `changes` = (request id, attempt, endpoint) of each intent, and (request id, 0, "") of each
    outcome, in order: what is open when a worker dies is then known.
    """

    encoded: list[bytes]
    changes: list[tuple[str, int, str]]


class Ask(Struct, frozen=True, tag=True):
    """worker -> control: a page that only the control process can render."""

    number: int
    path: str


class AwaitDurable(Struct, frozen=True, tag=True):
    """worker -> control: say when all records sent so far are durable."""

    number: int


class Durable(Struct, frozen=True, tag=True):
    """control -> worker: they are, as far as `number` asked."""

    number: int


class Answer(Struct, frozen=True, tag=True):
    """control -> worker: that page."""

    number: int
    status: int
    content_type: str
    body: bytes


class Pulse(Struct, frozen=True, tag=True):
    """worker -> control, each period: its loop's pauses and sampled decisions since the last, and
    the longest time that passed without a look at what its peers have in flight."""

    pauses_s: list[Seconds]
    decisions_s: list[Seconds]
    view_lag_s: Seconds


class Configure(Struct, frozen=True, tag=True):
    """control -> worker, first of all and after each reload: the configuration, encoded.

    `generation` numbers the fleets that came into force; endpoint numbers mean nothing across it.
    """

    config: bytes
    generation: int


Shared = (
    events.Sampled
    | events.BoardReceived
    | events.LedgerChanged
    | events.EndpointDraining
    | events.LoopModeSet
    | events.HoldSet
    | events.BundlesSet
    | events.Revoked
    | events.FeedHeard
    | events.StopSet
    | events.BudgetLent
)


class Feed(Struct, frozen=True, tag=True):
    """control -> worker: events for its governor, in order."""

    events: list[Shared]


class Drain(Struct, frozen=True, tag=True):
    """control -> worker: admit nothing new, finish what runs, end."""

    drain_s_max: Seconds


FromWorker = Hello | Failed | Records | Report | Notice | Ask | Pulse | TellBudget | AwaitDurable
FromControl = Configure | Feed | Drain | Answer | Durable

Incoming = TypeVar("Incoming")
_encoder = msgspec.msgpack.Encoder()


def encode(frame: Struct) -> bytes:
    """One frame as it goes over the wire. Raises ValueError above `FRAME_BYTES_MAX`."""
    body = _encoder.encode(frame)
    if len(body) > FRAME_BYTES_MAX:
        raise ValueError(f"a frame of {len(body)} bytes is above {FRAME_BYTES_MAX}")
    return _LENGTH.pack(len(body)) + body


class Frames(Generic[Incoming]):
    """Cuts a byte stream into frames. `feed` raises ValueError on what is not one."""

    def __init__(self, kind: Any) -> None:
        self._decoder: msgspec.msgpack.Decoder[Incoming] = msgspec.msgpack.Decoder(kind)
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> list[Incoming]:
        """The frames that are whole now."""
        buffer = self._buffer
        buffer += chunk
        frames: list[Incoming] = []
        start = 0
        while len(buffer) - start >= 4:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > FRAME_BYTES_MAX:
                raise ValueError(f"a frame of {length} bytes is announced")
            end = start + 4 + length
            if len(buffer) < end:
                break
            with memoryview(buffer) as view:
                frames.append(self._decoder.decode(view[start + 4 : end]))
            start = end
        del buffer[:start]
        return frames


class Link(asyncio.Protocol, Generic[Incoming]):
    """One end. Callbacks run on the loop; `on_closed` runs once, with the reason or ""."""

    def __init__(
        self,
        kind: Any,
        *,
        on_frame: Callable[[Incoming], None],
        on_closed: Callable[[str], None],
        on_blocked: Callable[[bool], None],
        blocked_bytes_max: Bytes = BLOCKED_BYTES_MAX,
        dropped_bytes_max: Bytes = DROPPED_BYTES_MAX,
    ) -> None:
        self._frames: Frames[Incoming] = Frames(kind)
        self._on_frame = on_frame
        self._on_closed = on_closed
        self._on_blocked = on_blocked
        self._blocked_bytes_max = blocked_bytes_max
        self._dropped_bytes_max = dropped_bytes_max
        self._transport: asyncio.Transport | None = None
        self._reason = ""
        self.is_blocked = False
        self.frames_dropped = 0

    async def attach(self, sock: socket.socket) -> None:
        """Take over one end of a socket pair."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, sock=sock)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(
            high=self._blocked_bytes_max, low=self._blocked_bytes_max // 4
        )

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._frames.feed(data)
        except (ValueError, msgspec.MsgspecError) as error:
            self._reason = f"bad frame: {error}"
            self.close()
            return
        for frame in frames:
            self._on_frame(frame)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._on_closed(self._reason or (str(exc) if exc else ""))

    def pause_writing(self) -> None:
        self.is_blocked = True
        self._on_blocked(True)

    def resume_writing(self) -> None:
        self.is_blocked = False
        self._on_blocked(False)

    def send(self, frame: Struct) -> bool:
        """Queue a frame. False: the other end is gone, or the buffer is at its bound (counted)."""
        return self.send_encoded(encode(frame))

    def send_encoded(self, wire: bytes) -> bool:
        """The same for a frame encoded once for several links."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() + len(wire) > self._dropped_bytes_max:
            self.frames_dropped += 1
            return False
        transport.write(wire)
        return True

    @property
    def queued_bytes(self) -> Bytes:
        """Bytes that wait to be written."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    def close(self) -> None:
        """Write out what is queued, then close."""
        if self._transport is not None:
            self._transport.close()
