"""Is an event durable before it is told, told once, and is the chain continued after a restart?"""

import asyncio
import time
from pathlib import Path

import pytest

from flyball.authority.revocation.feed import Cursor
from flyball.authority.revocation.revocation import sign_event
from flyball.serve.feeds.own import FeedDamaged, OwnFeed
from support.oversight import ADA, NORTH, revocation


def opened(folder: Path) -> OwnFeed:
    return OwnFeed(folder / "own.feed", NORTH, time.monotonic)


def test_events_are_numbered_once_and_restored(tmp_path: Path) -> None:
    raws = [sign_event(revocation(id=str(n)), ADA) for n in range(20)]

    async def run() -> None:
        feed = opened(tmp_path)
        told = await asyncio.gather(*(feed.publish(raw) for raw in raws))
        assert sorted(told) == [(n, True) for n in range(1, 21)]
        assert await feed.publish(raws[3]) == (feed.sequence_of("3"), False)
        cursor = Cursor("north", NORTH.public)
        for line in feed.lines(0):
            cursor.take(line)
        assert cursor.hear(feed.beat("n")[1], "n").sequence == 20
        feed.store.close()
        again = opened(tmp_path)
        assert len(again.events) == 20 and again.head == feed.head
        assert await again.publish(raws[0]) == (again.sequence_of("0"), False)
        assert await again.publish(sign_event(revocation(id="x"), ADA)) == (21, True)
        cursor.take(again.lines(20)[0])

    asyncio.run(run())


def test_waiting_ends_with_the_next_event(tmp_path: Path) -> None:
    async def run() -> None:
        feed = opened(tmp_path)
        await feed.more(0, 0.01)
        waiting = asyncio.create_task(feed.more(0, 30.0))
        await asyncio.sleep(0)
        await feed.publish(sign_event(revocation(), ADA))
        await asyncio.wait_for(waiting, 5.0)

    asyncio.run(run())


def test_a_damaged_past_is_not_continued(tmp_path: Path) -> None:
    async def run() -> None:
        feed = opened(tmp_path)
        for _ in range(3):
            await feed.publish(sign_event(revocation(), ADA))
        feed.store.close()

    asyncio.run(run())
    path = tmp_path / "own.feed"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(FeedDamaged, match="copy that any peer keeps"):
        opened(tmp_path)
