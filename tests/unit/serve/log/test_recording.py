"""Does every record reach the log in order, and is the core told when none can be taken?"""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from flyball.governor.commands import Notice
from flyball.ledger.record import encode
from flyball.model.decision import ConfigSet
from flyball.serve.log.reader import open_log
from flyball.serve.log.recording import Recorder
from flyball.serve.log.store import LedgerStore
from flyball.serve.log.writer import LedgerError


def record(number: int, size: int = 0) -> ConfigSet:
    return ConfigSet(id=f"c{number}", at=float(number), digest="", in_force=True, reason="x" * size)


def ids(folder: Path) -> list[str]:
    return [entry.record.id for entry in open_log(folder).records()]


class Scene:
    """A recorder on a folder, with what it told."""

    def __init__(self, folder: Path, **bounds: int) -> None:
        self.changes: list[tuple[bool, str]] = []
        self.notices: list[Notice] = []
        self.recorder = Recorder(
            folder,
            on_change=lambda available, detail: self.changes.append((available, detail)),
            on_notice=self.notices.append,
            **{"queue_max": 1000, **bounds},
        )


def test_records_of_both_kinds_are_kept_in_order(tmp_path: Path) -> None:
    async def run() -> None:
        scene = Scene(tmp_path)
        scene.recorder.record(record(1))
        scene.recorder.record_encoded([encode(record(2)), encode(record(3))])
        scene.recorder.record(record(4))
        assert scene.recorder.close() == 0
        assert scene.changes == [] and scene.recorder.detail == ""

    asyncio.run(run())
    assert ids(tmp_path) == ["c1", "c2", "c3", "c4"]


def test_a_full_queue_is_told_and_nothing_is_lost_or_reordered(tmp_path: Path) -> None:
    async def run() -> None:
        scene = Scene(tmp_path, queue_max=4)
        for number in range(200):
            scene.recorder.record(record(number))
        assert scene.changes[0][0] is False and "wait for room" in scene.changes[0][1]
        assert scene.recorder.detail
        while scene.recorder.detail:
            await asyncio.sleep(0.01)
        assert scene.changes[-1] == (True, "")
        scene.recorder.record(record(200))
        assert scene.recorder.close() == 0

    asyncio.run(run())
    assert ids(tmp_path) == [f"c{number}" for number in range(201)]


def test_beyond_the_last_bound_records_are_counted_as_lost(tmp_path: Path) -> None:
    async def run() -> None:
        scene = Scene(tmp_path, queue_max=2, kept_max=10)
        scene.recorder.record_encoded([encode(record(number)) for number in range(50)])
        assert scene.recorder.lost == 40
        while scene.recorder.detail:
            await asyncio.sleep(0.01)
        assert scene.recorder.close() == 40

    asyncio.run(run())
    assert len(ids(tmp_path)) == 10


def test_a_record_that_can_never_be_kept_is_told(tmp_path: Path) -> None:
    async def run() -> None:
        scene = Scene(tmp_path)
        scene.recorder.record(record(1, size=70_000))
        assert [notice.code for notice in scene.notices] == ["record-refused"]
        assert scene.recorder.close() == 1

    asyncio.run(run())


def test_a_fault_of_the_disk_comes_to_the_loop_and_goes(tmp_path: Path) -> None:
    async def run() -> None:
        scene = Scene(tmp_path)
        scene.recorder._on_fault(False, "No space left")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert scene.changes == [(False, "No space left")]
        scene.recorder._on_fault(True, "")
        await asyncio.sleep(0.01)
        assert scene.changes[1:] == [(True, "")]
        scene.recorder.close()

    asyncio.run(run())


def test_a_second_process_on_the_folder_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        scene = Scene(tmp_path)
        with pytest.raises(LedgerError, match="being written by"):
            Scene(tmp_path)
        scene.recorder.close()

    asyncio.run(run())


def test_all_acknowledged_records_survive_a_kill(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:

        async def run() -> None:
            scene = Scene(tmp_path)
            number = 0
            while True:
                scene.recorder.record(record(number))
                number += 1
                await asyncio.sleep(0)
                os.write(theirs, b"%d\n" % scene.recorder.acked)

        try:
            asyncio.run(run())
        finally:
            os._exit(1)
    os.close(theirs)
    told = b""
    while told.count(b"\n") < 3000:
        told += os.read(ours, 65536)
    os.kill(child, signal.SIGKILL)
    while chunk := os.read(ours, 65536):
        told += chunk
    os.waitpid(child, 0)
    acked = int(told.rsplit(b"\n", 2)[-2])
    store = LedgerStore(tmp_path)
    assert store.recovery.size >= acked > 0
    store.close()
    assert ids(tmp_path)[:acked] == [f"c{number}" for number in range(acked)]
