"""Is a torn tail told from a damaged middle, and does a segment come back as it was written?"""

import os
from pathlib import Path

import pytest

from flyball.ledger.tiles import unpack
from flyball.serve.log.wal import (
    Run,
    Segment,
    frame,
    frames,
    holds_frame,
    segment_path,
    segment_starts,
    write_all,
)


def entries_of(runs: list[Run]) -> list[bytes]:
    return [entry for run in runs for entry in unpack(run.raw)]


def test_frames_come_back() -> None:
    raw = frame(256, [b"a", b"bc"]) + frame(258, [b"d"])
    runs, end, size = frames(raw, 256)
    assert entries_of(runs) == [b"a", b"bc", b"d"]
    assert [run.first for run in runs] == [256, 258]
    assert (end, size) == (259, len(raw))


def test_a_tail_cut_at_any_byte_leaves_the_frames_before_it() -> None:
    whole, torn = frame(0, [b"a", b"bc"]), frame(2, [b"FBW1 in an entry", b"e"])
    for cut in range(len(torn)):
        runs, end, size = frames(whole + torn[:cut], 0)
        assert entries_of(runs) == [b"a", b"bc"]
        assert (end, size) == (2, len(whole))
        assert not holds_frame(whole + torn[:cut], size)


def test_any_flipped_byte_stops_the_reading_there() -> None:
    raw = frame(0, [b"abc"]) + frame(1, [b"d"])
    first = len(frame(0, [b"abc"]))
    for place in range(first):
        bad = bytearray(raw)
        bad[place] ^= 0x40
        runs, _, size = frames(bytes(bad), 0)
        assert (runs, size) == ([], 0)
        assert holds_frame(bytes(bad), 0)  # the second one is whole: damage, no torn tail


def test_a_frame_of_another_place_is_not_taken() -> None:
    assert frames(frame(5, [b"a"]), 0) == ([], 0, 0)
    assert frames(frame(0, [b"a"]) + frame(2, [b"b"]), 0)[1] == 1


def test_a_segment_appends_at_the_end_of_what_is_synced(tmp_path: Path) -> None:
    (tmp_path / "wal").mkdir()
    segment = Segment(tmp_path, 0)
    segment.append(0, [b"a"])
    kept = segment.bytes_synced
    segment.append(1, [b"torn"])
    segment.close()
    again = Segment(tmp_path, 0, kept)  # drops what follows
    again.append(1, [b"b"])
    again.close()
    assert entries_of(frames(segment_path(tmp_path, 0).read_bytes(), 0)[0]) == [b"a", b"b"]


def test_a_failed_append_changes_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "wal").mkdir()
    segment = Segment(tmp_path, 0)
    segment.append(0, [b"a"])
    before = segment.bytes_synced
    whole = segment._file
    segment._file = os.open(segment.path, os.O_RDONLY)  # a file that really refuses writes
    with pytest.raises(OSError):
        segment.append(1, [b"b"])
    assert segment.bytes_synced == before
    os.close(segment._file)
    segment._file = whole
    segment.append(1, [b"b"])
    segment.close()
    assert entries_of(frames(segment.path.read_bytes(), 0)[0]) == [b"a", b"b"]


def test_starts_are_sorted_and_strangers_ignored(tmp_path: Path) -> None:
    assert segment_starts(tmp_path) == []
    (tmp_path / "wal").mkdir()
    for name in ("0000000000000512", "0000000000000000", "notes.txt"):
        (tmp_path / "wal" / name).touch()
    assert segment_starts(tmp_path) == [0, 512]


def test_write_all_raises_where_nothing_more_fits() -> None:
    file = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space left"):
        write_all(file, b"x" * 10, 0)
    os.close(file)
