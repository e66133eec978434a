"""Does every record reach the log in order, and is the core told when none can be taken?"""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from flyball.governor.commands import Notice
from flyball.ledger.record import encode
from flyball.ledger.trust import parse_trust
from flyball.ledger.verify import check_log
from flyball.model.decision import ConfigSet
from flyball.serve.log.reader import open_log
from flyball.serve.log.recording import Recorder
from flyball.serve.log.signing import Signing
from flyball.serve.log.store import LedgerStore
from flyball.serve.log.writer import LedgerError
from support.signers import LOG, ORIGIN, WITNESSES
from support.witnesses import witness_on


def record(number: int, size: int = 0) -> ConfigSet:
    return ConfigSet(id=f"c{number}", at=float(number), digest="", in_force=True, reason="x" * size)


def ids(folder: Path) -> list[str]:
    return [entry.record.id for entry in open_log(folder).records()]


class Scene:
    """A recorder on a folder, with what it told."""

    def __init__(self, folder: Path, **bounds: Any) -> None:
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


def test_with_keys_and_witnesses_the_checkpoint_is_signed_and_cosigned(tmp_path: Path) -> None:
    logs = {ORIGIN: [LOG.key]}
    with witness_on(tmp_path / "w", [WITNESSES[0]], logs) as witness:
        lines = [
            f"log {LOG.key.text()}",
            f"witness w {WITNESSES[0].key.text()} {witness.url}",
            "quorum w",
        ]
        trust = parse_trust("\n".join(lines))

        async def run() -> None:
            scene = Scene(tmp_path / "log", signing=Signing(ORIGIN, (LOG,), trust))
            for number in range(50):
                scene.recorder.record(record(number))
            assert scene.recorder.close() == 0
            await asyncio.sleep(0)
            assert scene.notices == []

        asyncio.run(run())
    report = check_log(open_log(tmp_path / "log").read, trust)
    assert report.is_sound and report.size == 50
    assert report.cosigned is not None and report.cosigned.checkpoint.size == 50


def test_a_lost_quorum_is_a_warning_and_recording_goes_on(tmp_path: Path) -> None:
    lines = [
        f"log {LOG.key.text()}",
        f"witness w {WITNESSES[0].key.text()} http://127.0.0.1:9",
        "quorum w",
    ]
    signing = Signing(ORIGIN, (LOG,), parse_trust("\n".join(lines)))

    async def run() -> None:
        scene = Scene(tmp_path, signing=signing)
        scene.recorder.record(record(1))
        for _ in range(500):
            await asyncio.sleep(0.02)
            if scene.notices:
                break
        assert [one.code for one in scene.notices] == ["ledger-cosign"]
        assert scene.notices[0].level == "warning" and scene.changes == []
        assert scene.recorder.close() == 0

    asyncio.run(run())
    assert ids(tmp_path) == ["c1"]


def test_records_past_their_retention_go(tmp_path: Path) -> None:
    async def run(**bounds: float) -> None:
        scene = Scene(tmp_path, **bounds)
        for number in range(600 if not bounds else 0):
            scene.recorder.record(record(number))
        await asyncio.sleep(0.1)
        assert scene.recorder.close() == 0

    asyncio.run(run())
    asyncio.run(run(retention_s=3600.0))  # these records are of 1970
    assert open_log(tmp_path).minimum == 0  # all of them are in the open segment: not sealed yet
    assert len(ids(tmp_path)) == 600


def test_what_waits_for_records_is_done_once_they_are_durable_and_in_order(tmp_path: Path) -> None:
    async def run() -> None:
        scene = Scene(tmp_path)
        done: list[tuple[str, int]] = []
        scene.recorder.when_durable(lambda: done.append(("nothing", scene.recorder.acked)))
        assert done == [("nothing", 0)]
        for number in range(3):
            scene.recorder.record(record(number))
            scene.recorder.when_durable(
                lambda n=number: done.append((f"c{n}", scene.recorder.acked))  # type: ignore[misc]
            )
        assert len(done) == 1, "no record is durable as soon as it is queued"
        for _ in range(200):
            if len(done) == 4:
                break
            await asyncio.sleep(0.01)
        assert [name for name, _ in done] == ["nothing", "c0", "c1", "c2"]
        assert all(acked > n for n, (_, acked) in enumerate(done[1:]))
        assert scene.recorder.close() == 0

    asyncio.run(run())
