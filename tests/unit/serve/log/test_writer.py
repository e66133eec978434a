"""Does the log survive a kill at every single write, and refuse to build on damage?"""

import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from flyball.ledger.checkpoint import parse
from flyball.ledger.note import Signer, verify_note
from flyball.ledger.record import encode
from flyball.ledger.verify import check_log
from flyball.serve.log.reader import open_log
from flyball.serve.log.wal import segment_path, segment_starts
from flyball.serve.log.writer import LedgerError, LogWriter
from support import records

KEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
BATCH = 100


def writer_of(folder: Path, **bounds: Any) -> LogWriter:
    return LogWriter(folder, origin="test/log", **bounds)


def entries(first: int, number: int = BATCH) -> list[bytes]:
    return [encode(records.config(first + i)) for i in range(number)]


def write(writer: LogWriter, number: int = BATCH) -> None:
    left = number
    while left:
        part = entries(writer.size, writer.room(min(left, BATCH)))
        writer.commit(part)
        writer.absorb(part)
        writer.flush()
        left -= len(part)


def assert_sound(folder: Path, size: int) -> None:
    log = open_log(folder)
    assert [found.record.id for found in log.records()] == [f"c{i}" for i in range(size)]
    report = check_log(log.read)
    assert report.problems == ()
    assert report.size == size


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 1000])
def test_written_closed_and_opened_again(tmp_path: Path, size: int) -> None:
    writer = writer_of(tmp_path)
    write(writer, size)
    writer.checkpoint()
    writer.close()
    again = writer_of(tmp_path)
    assert (again.recovery.size, again.recovery.torn_bytes) == (size, 0)
    write(again, 300)
    again.checkpoint()
    again.close()
    assert_sound(tmp_path, size + 300)


def test_committed_without_a_checkpoint_comes_back(tmp_path: Path) -> None:
    writer = writer_of(tmp_path)
    write(writer, 700)
    writer.close()
    assert parse((tmp_path / "checkpoint").read_text()).size == 0
    writer_of(tmp_path).close()
    assert_sound(tmp_path, 700)


def test_full_segments_are_removed_and_begin_on_a_bundle(tmp_path: Path) -> None:
    writer = writer_of(tmp_path, segment_entries_max=300)
    write(writer, 5000)
    writer.checkpoint()
    writer.close()
    starts = segment_starts(tmp_path)
    assert len(starts) == 1
    assert starts[0] % 256 == 0
    assert starts[0] > 4000
    assert_sound(tmp_path, 5000)
    again = writer_of(tmp_path)
    assert (again.size, again.recovery.replayed) == (5000, 5000 - starts[0])
    again.close()


def test_partial_tiles_go_when_the_full_one_is_there(tmp_path: Path) -> None:
    writer = writer_of(tmp_path)
    for _ in range(3):
        write(writer, 100)
        writer.checkpoint()
    writer.close()
    assert not (tmp_path / "tile/0/000.p").exists()
    assert not (tmp_path / "tile/entries/000.p").exists()
    assert (tmp_path / "tile/0/001.p/44").stat().st_size == 44 * 32
    assert_sound(tmp_path, 300)


def test_a_signed_checkpoint(tmp_path: Path) -> None:
    signer = Signer.parse(KEY)
    writer = writer_of(tmp_path, signers=[signer])
    write(writer, 10)
    writer.checkpoint()
    writer.close()
    note = (tmp_path / "checkpoint").read_text()
    assert parse(verify_note(note, [signer.key]).text).size == 10


def test_a_torn_tail_is_cut_and_told(tmp_path: Path) -> None:
    writer = writer_of(tmp_path)
    write(writer, 100)
    writer.checkpoint()
    write(writer, 100)
    writer.close()
    path = segment_path(tmp_path, 0)
    path.write_bytes(path.read_bytes()[:-1])
    again = writer_of(tmp_path)
    assert again.recovery.size == 100
    assert again.recovery.torn_bytes > 100
    write(again, 50)
    again.checkpoint()
    again.close()
    assert_sound(tmp_path, 150)


def flip(path: Path, place: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(bytes(raw))


def cut(path: Path, place: int) -> None:
    path.write_bytes(path.read_bytes()[:place])


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (lambda log: flip(segment_path(log, 0), 50), "changed at byte 0"),
        (lambda log: cut(segment_path(log, 0), 50), "claims 200 entries, 0 are there"),
        (lambda log: segment_path(log, 0).unlink(), "the folder wal is empty"),
        (lambda log: cut(log / "checkpoint", 10), "checkpoint cannot be read"),
        (
            lambda log: (log / "checkpoint").write_text(f"test/log\n200\n{'A' * 43}=\n"),
            "do not give the root",
        ),
        (
            lambda log: segment_path(log, 0).rename(segment_path(log, 256)),
            "tile/0/000 is absent",
        ),
    ],
)
def test_damage_is_refused_by_name(
    tmp_path: Path, damage: Callable[[Path], object], cause: str
) -> None:
    writer = writer_of(tmp_path)
    write(writer, 200)
    writer.checkpoint()
    writer.close()
    damage(tmp_path)
    with pytest.raises(LedgerError, match=cause) as told:
        writer_of(tmp_path)
    assert str(tmp_path) in str(told.value)
    assert "keep it" in str(told.value)


def test_a_gap_between_segments_is_refused(tmp_path: Path) -> None:
    writer = writer_of(tmp_path)
    write(writer, 300)
    writer.close()
    segment_path(tmp_path, 512).touch()
    with pytest.raises(LedgerError, match="does not follow on"):
        writer_of(tmp_path)


def test_another_origin_is_refused(tmp_path: Path) -> None:
    writer_of(tmp_path).close()
    with pytest.raises(LedgerError, match="belongs to 'test/log', not 'other/log'"):
        LogWriter(tmp_path, origin="other/log")


# -- a kill at every single write -----------------------------------------------------------------

CALLS = ("pwrite", "fsync", "fdatasync", "ftruncate", "replace", "open", "unlink", "mkdir")


def kill_at(number: int) -> None:
    """Kill this process at its `number`-th call to the disk; a write is torn in the middle."""
    turn = count(1)
    for name in CALLS:
        real = getattr(os, name)

        def call(*args: Any, _real: Any = real, _name: str = name, **more: Any) -> Any:
            if next(turn) == number:
                if _name == "pwrite":
                    _real(args[0], bytes(args[1])[: len(args[1]) // 2], args[2])
                os.kill(os.getpid(), signal.SIGKILL)
            return _real(*args, **more)

        setattr(os, name, call)


def work_in_child(folder: Path, acked: int, number: int) -> tuple[int, bool]:
    """Write in a child killed at its `number`-th call; (entries acknowledged, whether killed)."""
    outlet, inlet = os.pipe()
    child = os.fork()
    if not child:
        kill_at(number)
        writer = writer_of(folder, segment_entries_max=256)
        for _ in range(5):
            part = entries(writer.size, writer.room(BATCH))
            writer.commit(part)
            os.write(inlet, b"%d\n" % (writer.size + len(part)))
            writer.absorb(part)
            writer.flush()
            writer.checkpoint()
        writer.close()
        os._exit(0)
    os.close(inlet)
    with os.fdopen(outlet) as told:
        lines = told.read().split()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return int(lines[-1]) if lines else acked, os.WIFSIGNALED(status)


def test_a_kill_at_every_write_loses_nothing_acknowledged(tmp_path: Path) -> None:
    acked, was_killed, number = 0, True, 0
    while was_killed:
        number += 1
        acked, was_killed = work_in_child(tmp_path, acked, number)
        writer = writer_of(tmp_path, segment_entries_max=256)
        assert writer.size >= acked, f"killed at call {number}"
        size = acked = writer.size
        writer.close()
        assert_sound(tmp_path, size)
    assert number > 60
