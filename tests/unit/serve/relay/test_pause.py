"""Are pauses counted by length, and is garbage collected without the collector running?"""

import asyncio
import gc
import time

import pytest

from flyball.serve.relay.pause import BOUNDS_S, YOUNG_MAX, PauseMeter, Pauses


def test_quantiles_name_the_bound_above() -> None:
    pauses = Pauses()
    assert pauses.quantile(0.99) == 0.0
    for _ in range(98):
        pauses.add(0.00015)
    pauses.add(0.0015)
    pauses.add(3.0)
    assert pauses.quantile(0.5) == 0.0002
    assert pauses.quantile(0.99) == 0.002
    assert pauses.quantile(1.0) == pauses.longest_s == 3.0
    assert sum(pauses.counts) == pauses.total == 100
    assert len(pauses.counts) == len(BOUNDS_S) + 1


class Loop:
    """Something alive only through a reference to itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def restored_gc():
    yield
    gc.unfreeze()
    gc.enable()


def test_a_busy_loop_is_seen_and_counted_as_its_own(restored_gc) -> None:
    async def run() -> PauseMeter:
        meter = PauseMeter(asyncio.get_running_loop(), lambda: True, tick_s=0.002)
        meter.start()
        await asyncio.sleep(0.02)
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass
        await asyncio.sleep(0.02)
        meter.stop()
        return meter

    meter = asyncio.run(run())
    assert meter.lags.longest_s >= 0.04
    assert meter.own.longest_s >= 0.04
    recent = meter.take()
    assert max(recent) == meter.own.longest_s and len(recent) == meter.own.total
    assert meter.take() == []
    assert meter.own.total == meter.lags.total > 3


def test_a_sleeping_thread_is_late_but_not_at_work(restored_gc) -> None:
    async def run() -> PauseMeter:
        meter = PauseMeter(asyncio.get_running_loop(), lambda: True, tick_s=0.002)
        meter.start()
        await asyncio.sleep(0.01)
        time.sleep(0.05)
        await asyncio.sleep(0.01)
        meter.stop()
        return meter

    meter = asyncio.run(run())
    assert meter.lags.longest_s >= 0.04
    assert meter.own.longest_s < 0.02


def test_young_garbage_is_collected_while_collection_is_off(restored_gc) -> None:
    async def run() -> tuple[PauseMeter, int]:
        meter = PauseMeter(asyncio.get_running_loop(), lambda: False, tick_s=0.001)
        meter.start()
        assert not gc.isenabled()
        for _ in range(YOUNG_MAX + 1000):
            Loop()
        for _ in range(200):
            await asyncio.sleep(0.002)
            if meter.collections.total:
                break
        young = gc.get_count()[0]
        meter.stop()
        return meter, young

    meter, young = asyncio.run(run())
    assert meter.collections.total >= 1 and young < 1000
    assert gc.isenabled()
