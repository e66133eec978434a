"""Whatever another site sends, is each revocation put in force once, and freshness never lied?"""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from flyball.authority.revocation.feed import Cursor, Kind, digest, make_beat, make_entry
from flyball.authority.revocation.revocation import sign_event
from flyball.authority.revocation.signer import Signer
from flyball.serve.feeds import follow
from flyball.serve.feeds.follow import Follower
from flyball.serve.feeds.store import FeedStore
from support.oversight import ADA, NORTH, revocation, until


class Site:
    """A feed as it is told by a script: entries of `lines`, then beats 1 s of its clock apart."""

    def __init__(self, count: int, by: Signer = NORTH) -> None:
        self.by = by
        self.lines: list[bytes] = []
        self.up_s = 100.0
        self.order = [*range(count)]
        self.is_silent = False
        self.nonces: list[str] = []
        self.beats_told = 0
        for _ in range(count):
            self.add()
        self.order = [*range(count)]

    def add(self) -> None:
        previous = digest(self.lines[-1]) if self.lines else ""
        raw = sign_event(revocation(f"{len(self.lines):04x}"), ADA)
        self.lines.append(make_entry(raw, len(self.lines) + 1, previous, self.by))
        self.order.append(len(self.lines) - 1)

    async def follow(self, after: int, nonce: str) -> AsyncGenerator[tuple[Kind, bytes], None]:
        self.nonces.append(nonce)
        if self.is_silent:
            raise OSError("nobody there")
        for index in [one for one in self.order if one >= after]:
            yield "entry", self.lines[index]
        told = len(self.lines)
        while not self.is_silent:
            head = digest(self.lines[-1]) if self.lines else ""
            yield "beat", make_beat(len(self.lines), head, nonce, self.up_s, self.by)
            self.beats_told += 1
            await asyncio.sleep(0.005)
            while told < len(self.lines):
                yield "entry", self.lines[told]
                told += 1


class World:
    """One follower and all that it tells. The clock is the test's."""

    def __init__(self, site: Site, folder: Path, at: float = 1000.0) -> None:
        self.site, self.at = site, at
        self.came: list[int] = []
        self.heard: list[tuple[int, float]] = []
        self.told: list[str] = []
        self.store = FeedStore(folder / "north.feed")
        cursor = Cursor("north", NORTH.public)
        self.restored = len(cursor.restore(self.store.lines()))
        self.follower = Follower(
            site,
            cursor,
            self.store,
            on_event=lambda feed, sequence, event: self.came.append(sequence),
            on_heard=lambda feed, sequence, at: self.heard.append((sequence, at)),
            now=lambda: self.at,
            tell=lambda code, text: self.told.append(code),
        )
        self.task = asyncio.create_task(self.follower.run())

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.store.close()


def test_all_comes_once_and_is_kept(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(Site(600), tmp_path)
        await until(lambda: world.heard)
        world.site.add()
        await until(lambda: world.heard[-1][0] == 601)
        assert world.came == [*range(1, 602)] and world.told == []
        assert (world.follower.name, world.follower.sequence) == ("north", 601)
        await world.end()
        again = World(world.site, tmp_path)
        await until(lambda: again.heard)
        assert (again.restored, again.came) == (601, [])
        await again.end()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("order", "fault"),
    [([0, 0, 1, 1, 2, 0, 3], ""), ([0, 2, 1, 3], "feed-gap"), ([0, 1, 3], "feed-gap")],
)
def test_what_comes_twice_or_out_of_order(tmp_path: Path, order: list[int], fault: str) -> None:
    """Repeats are passed over; after a gap nothing is fresh until all was read again."""

    async def run() -> None:
        site = Site(4)
        site.order = order
        world = World(site, tmp_path)
        if fault:
            await until(lambda: fault in world.told)
            assert world.heard == []
            site.order = [*range(4)]
            await until(lambda: "feed-heard" in world.told)
        await until(lambda: world.heard)
        assert world.came == [1, 2, 3, 4] and list(world.store.lines()) == site.lines
        await world.end()

    asyncio.run(run())


def test_a_wrong_key_is_refused_said_once_and_never_fresh(tmp_path: Path) -> None:
    async def run() -> None:
        site = Site(3, Signer.new("north"))
        world = World(site, tmp_path)
        await until(lambda: len(site.nonces) > 3)
        assert world.told == ["feed-forged"] and world.came == [] and world.heard == []
        assert len(set(site.nonces)) == len(site.nonces), "each connection asks anew"
        await world.end()

    asyncio.run(run())


def test_a_site_cut_off_grows_old_and_is_heard_again(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(Site(1), tmp_path)
        await until(lambda: world.heard)
        world.site.is_silent = True
        await until(lambda: "feed-silent" in world.told)
        count, heard_at = len(world.heard), world.follower.heard_at
        world.at += 60.0
        await asyncio.sleep(0.2)
        assert len(world.heard) == count and world.follower.heard_at == heard_at
        world.site.add()
        world.site.is_silent = False
        await until(lambda: world.heard[-1] == (2, 1060.0))
        await world.end()

    asyncio.run(run())


def test_a_beat_that_lay_in_a_buffer_counts_from_when_it_was_said(tmp_path: Path) -> None:
    """We stood still for 30 s; the beats read afterwards were said before."""

    async def run() -> None:
        world = World(Site(1), tmp_path)
        await until(lambda: world.heard)
        world.at += 30.0
        world.site.up_s += 1.0
        count = world.site.beats_told
        await until(lambda: world.site.beats_told > count + 2)
        assert world.follower.heard_at == 1001.0
        world.site.up_s += 500.0
        await until(lambda: world.follower.heard_at == 1030.0)
        await world.end()

    asyncio.run(run())


def test_a_connection_is_anchored_anew_before_clocks_drift(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "ANCHOR_S_MAX", 10.0)

    async def run() -> None:
        world = World(Site(1), tmp_path)
        await until(lambda: world.heard)
        world.site.up_s += 20.0
        await until(lambda: len(world.site.nonces) == 2)
        assert world.told == []
        await world.end()

    asyncio.run(run())


@pytest.mark.parametrize("is_shorter", [True, False])
def test_a_site_with_another_past_is_not_fresh_but_what_it_revokes_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_shorter: bool
) -> None:
    monkeypatch.setattr(follow, "SALVAGE_S", 0.05)

    async def run() -> None:
        first = World(Site(5), tmp_path)
        await until(lambda: first.heard)
        await first.end()
        other = Site(2 if is_shorter else 9)
        world = World(other, tmp_path)
        await until(lambda: len(world.came) == len(other.lines))
        assert world.told[0] == ("feed-regressed" if is_shorter else "feed-forked")
        other.add()
        await until(lambda: len(world.came) == len(other.lines))
        assert sorted(world.came) == [*range(1, len(other.lines) + 1)], "each was told once"
        assert world.heard == [] and list(world.store.lines()) == first.site.lines
        await world.end()

    asyncio.run(run())


def test_a_full_disk_is_said_and_tried_again(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(Site(1), tmp_path)
        await until(lambda: world.heard)
        world.store._entries_max = 1  # a disk that takes no more
        world.site.add()
        await until(lambda: "feed-not-kept" in world.told)
        assert world.came == [1, 2], "it is in force all the same"
        world.store._entries_max = 9
        await until(lambda: list(world.store.lines()) == world.site.lines)
        await world.end()

    asyncio.run(run())
