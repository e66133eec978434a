"""Do frames arrive whole and in order, and does a reader that sleeps choke no one?"""

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor import events
from flyball.governor.commands import Notice, Report
from flyball.model.prices import PriceBoard
from flyball.model.signals import EngineSample
from flyball.serve.process.link import (
    Ask,
    Drain,
    Feed,
    Frames,
    FromControl,
    FromWorker,
    Hello,
    Link,
    Records,
    encode,
)

FRAMES = [
    Hello(0, 12, 8080),
    Records([b"{}", b"\x00\xff"], [("req_1", 1, "e"), ("req_0", 0, "")]),
    Report(()),
    Notice("warning", "x", "y"),
    Ask(3, "/metrics"),
]


@given(st.lists(st.integers(1, 9), max_size=60))
def test_frames_survive_any_cut(cuts: list[int]) -> None:
    wire = b"".join(encode(frame) for frame in FRAMES)
    reader: Frames[FromWorker] = Frames(FromWorker)
    got = []
    for cut in cuts:
        got += reader.feed(wire[:cut])
        wire = wire[cut:]
    got += reader.feed(wire)
    assert got == FRAMES


def test_events_go_through_unchanged() -> None:
    sample = events.Sampled(1.5, 2, EngineSample(waiting=3, kv_usage=0.5), "")
    board = PriceBoard(version=4, made_at=1.0, valid_until=float("inf"))
    frame = Feed([sample, events.BoardReceived(2.0, board), events.LedgerChanged(3.0, False, "x")])
    reader: Frames[FromControl] = Frames(FromControl)
    assert reader.feed(encode(frame)) == [frame]


def test_garbage_and_giants_are_refused() -> None:
    with pytest.raises(ValueError, match="announced"):
        Frames(FromWorker).feed(b"\xff\xff\xff\xff")
    link, closed, _ = make_link()
    link.data_received(b"\x00\x00\x00\x02\xc1\xc1")
    assert closed == []  # no transport yet: nothing to close, and no exception either


def make_link(**bounds: int) -> tuple[Link[FromControl], list[str], list[bool]]:
    closed: list[str] = []
    blocked: list[bool] = []
    link: Link[FromControl] = Link(
        FromControl,
        on_frame=lambda frame: None,
        on_closed=closed.append,
        on_blocked=blocked.append,
        **bounds,
    )
    return link, closed, blocked


def test_a_reader_that_sleeps_blocks_then_drops_then_all_is_well_again() -> None:
    async def scene() -> None:
        ours, theirs = socket.socketpair()
        link, closed, blocked = make_link(blocked_bytes_max=1 << 16, dropped_bytes_max=1 << 20)
        await link.attach(ours)
        sent = 0
        while link.send(Notice("info", "n", "x" * 10_000)):
            sent += 1
        assert blocked == [True] and link.is_blocked
        assert link.queued_bytes <= 1 << 20 and link.frames_dropped == 1
        theirs.setblocking(False)
        reader: Frames[FromWorker] = Frames(FromWorker)
        got = 0
        while got < sent:
            await asyncio.sleep(0)
            try:
                got += len(reader.feed(theirs.recv(1 << 20)))
            except BlockingIOError:
                continue
        await asyncio.sleep(0.01)
        assert blocked == [True, False]
        theirs.close()
        await asyncio.sleep(0.01)
        assert closed == [""] and not link.send(Drain(1.0))

    asyncio.run(scene())


def test_a_bad_frame_closes_the_link_with_its_reason() -> None:
    async def scene() -> None:
        ours, theirs = socket.socketpair()
        link, closed, _ = make_link()
        await link.attach(ours)
        theirs.sendall(b"\x00\x00\x00\x01\xc1")
        await asyncio.sleep(0.02)
        assert len(closed) == 1 and closed[0].startswith("bad frame")
        theirs.close()

    asyncio.run(scene())
