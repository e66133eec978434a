"""Is the copy in object storage a sound log at every moment, and never one log over another?"""

import os
import random
import signal
import time
from itertools import count
from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore

from flyball.ledger.record import encode
from flyball.ledger.trust import trust_of
from flyball.ledger.verify import check_log
from flyball.serve.log.mirror import Mirror, MirrorThread
from flyball.serve.log.objects import ObjectLog
from flyball.serve.log.prune import prune
from flyball.serve.log.store import LedgerStore
from flyball.serve.log.writer import LedgerError, LogWriter
from support import records
from support.signers import LOG, ORIGIN

TRUST = trust_of([LOG.key], [], 0)


def write(folder: Path, numbers: range, origin: str = ORIGIN) -> None:
    writer = LogWriter(folder, origin=origin, signers=[LOG], segment_entries_max=256)
    for number in numbers:
        it = records.intent(number)
        batch = [encode(it), encode(records.outcome(it))]
        while batch:
            room = writer.room(len(batch))
            writer.commit(batch[:room])
            writer.absorb(batch[:room])
            batch = batch[room:]
    writer.checkpoint()
    writer.close()


def copy_in(store: MemoryStore | LocalStore) -> ObjectLog:
    return ObjectLog("memory:///", store)


def size_of(copy: ObjectLog) -> int:
    report = check_log(copy.read)
    assert report.is_sound, report.problems
    return report.size


def test_the_copy_follows_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    copy = copy_in(MemoryStore())
    end = 0
    for step in (1, 3, 120, 4, 130, 400):
        write(tmp_path / "log", range(end, end + step))
        end += step
        assert Mirror(tmp_path / "log", copy).catch_up() == 2 * end == size_of(copy)
    partial = [path for path in copy.below("tile/") if ".p/" in path]
    assert len(partial) <= 3 * 3, "partial tiles of full ones stay behind"


def test_another_log_is_never_written_over(tmp_path: Path) -> None:
    copy = copy_in(MemoryStore())
    write(tmp_path / "log", range(200))
    Mirror(tmp_path / "log", copy).catch_up()
    write(tmp_path / "other", range(1, 300))
    with pytest.raises(LedgerError, match="does not follow from"):
        Mirror(tmp_path / "other", copy).catch_up()
    write(tmp_path / "older", range(100))
    with pytest.raises(LedgerError, match="does not follow from"):
        Mirror(tmp_path / "older", copy).catch_up()
    assert size_of(copy) == 400


def test_what_is_pruned_leaves_the_copy_too(tmp_path: Path) -> None:
    copy, folder = copy_in(MemoryStore()), tmp_path / "log"
    write(folder, range(900))
    mirror = Mirror(folder, copy)
    mirror.catch_up()
    for number in (300, 600):
        minimum = prune(folder, records.intent(number).at)
        mirror.catch_up()
        assert minimum and check_log(copy.read, pruned_below=minimum).is_sound
        assert copy.read("tile/entries/000") is None
    write(folder, range(900, 1000))
    Mirror(folder, copy).catch_up()
    assert check_log(copy.read, pruned_below=minimum).is_sound


def test_a_flipped_byte_in_any_object_is_found(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    copy = copy_in(MemoryStore())
    write(tmp_path / "log", range(200))
    Mirror(tmp_path / "log", copy).catch_up()
    for path in copy.below(""):
        good = copy.read(path) or b""
        bad = bytearray(good)
        bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
        copy.write(path, bytes(bad))
        try:
            assert not check_log(copy.read, TRUST).is_sound, path
        except ValueError:
            assert path == "checkpoint"
        copy.write(path, good)
    assert size_of(copy) == 400


class Refusing(ObjectLog):
    """Storage that refuses at first."""

    refusals = 2

    def write(self, path: str, data: bytes) -> None:
        if self.refusals:
            self.refusals -= 1
            raise LedgerError("no route")
        super().write(path, data)


def test_the_thread_tells_of_a_fault_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flyball.serve.log.mirror.EVERY_S", 0.01)
    store = LedgerStore(tmp_path / "log", checkpoint_interval_s=0.01)
    told: list[str] = []
    copy = Refusing("memory:///", MemoryStore())
    thread = MirrorThread(tmp_path / "log", copy, told.append)
    for number in range(300):
        store.append(records.config(number))
        time.sleep(0.001)
    assert store.close() == 0
    thread.stop()
    assert size_of(copy) == 300
    assert told == ["no route", ""]


def test_a_kill_between_any_two_writes_leaves_a_sound_copy(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    write(folder, range(130))
    store = tmp_path / "copy"
    store.mkdir()
    number = 0
    while True:
        number += 1
        write(folder, range(130 + 30 * number, 160 + 30 * number))
        child = os.fork()
        if not child:
            copy = copy_in(LocalStore(str(store)))
            real, turn = copy.write, count(1)

            def put(path: str, data: bytes) -> None:
                if next(turn) == number:  # noqa: B023 - the child never sees another turn
                    os.kill(os.getpid(), signal.SIGKILL)
                real(path, data)  # noqa: B023

            copy.write = put  # type: ignore[method-assign]
            Mirror(folder, copy).catch_up()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if (store / "checkpoint").exists():
            size_of(copy_in(LocalStore(str(store))))
        if not os.WIFSIGNALED(status):
            break
    assert number > 4
