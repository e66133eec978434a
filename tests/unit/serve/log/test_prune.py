"""Do old entries leave the disk, does the rest stay provable, and does a kill do no harm?"""

import os
import time
from pathlib import Path

import pytest

from flyball.ledger.checkpoint import parse
from flyball.ledger.record import encode
from flyball.ledger.verify import COSIGNED, check_log
from flyball.serve.log import prune as pruning
from flyball.serve.log.prune import RetentionThread, prune
from flyball.serve.log.reader import MINIMUM, files_in, open_log
from flyball.serve.log.wal import segment_starts
from flyball.serve.log.writer import LedgerError, LogWriter
from support import records
from support.signers import LOG, ORIGIN, signed

STEP = 300  # entries between two checkpoints; an entry is one second


def write(folder: Path, count: int, start: int = 0) -> None:
    writer = LogWriter(folder, origin=ORIGIN, signers=[LOG], segment_entries_max=512)
    for begin in range(start, start + count, STEP):
        end = min(begin + STEP, start + count)
        batch = [encode(records.config(number)) for number in range(begin, end)]
        while batch:
            part = batch[: writer.room(len(batch))]
            writer.commit(part)
            writer.absorb(part)
            batch = batch[len(part) :]
        writer.checkpoint()
    writer.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "log", 3000)
    assert segment_starts(tmp_path / "log")[0] >= 2048
    return tmp_path / "log"


def first_at(index: int) -> float:
    return records.config(index).at


def bundles(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "tile" / "entries").glob("[0-9]*[0-9]"))


def test_old_bundles_go_and_the_rest_is_sound(folder: Path) -> None:
    assert prune(folder, first_at(1000)) == 768
    assert bundles(folder)[0] == "003"
    assert check_log(files_in(folder), pruned_below=768).is_sound
    log = open_log(folder)
    assert (log.minimum, log.size) == (768, 3000)
    assert next(iter(log.records())).index == 768
    assert log.find(records.config(5).id) == []
    (found,) = log.find(records.config(900).id)
    assert log.prove(found) is not None
    assert [run.first for run in log.runs_back()][-1] == 768


def test_nothing_young_goes(folder: Path) -> None:
    before = bundles(folder)
    assert prune(folder, first_at(200)) == 0
    assert bundles(folder) == before
    assert not (folder / MINIMUM).exists()


def test_the_minimum_never_falls(folder: Path) -> None:
    assert prune(folder, first_at(1500)) == 1280
    assert prune(folder, first_at(600)) == 1280
    assert prune(folder, first_at(1900)) == 1792
    assert bundles(folder)[0] == "007"


def test_a_pruned_log_is_opened_and_written_on(folder: Path) -> None:
    root = parse((folder / "checkpoint").read_text()).root
    prune(folder, first_at(2000))
    write(folder, 500, 3000)
    assert check_log(files_in(folder), pruned_below=1792).is_sound
    older = [signed(3000, root)]
    assert check_log(files_in(folder), older=older, pruned_below=1792).is_sound


def test_what_was_not_cosigned_stays(folder: Path) -> None:
    (folder / COSIGNED).write_text(signed(600, bytes(32)))
    assert prune(folder, first_at(2000)) == 512


@pytest.mark.parametrize("killed_after", [0, 1, 5])
def test_a_kill_midway_leaves_files_too_many_and_the_next_pass_removes_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    left = killed_after
    real = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        nonlocal left
        if left == 0:
            raise OSError(5, "killed")
        left -= 1
        real(path, missing_ok)

    monkeypatch.setattr(pruning.Path, "unlink", unlink)
    with pytest.raises(OSError, match="killed"):
        prune(folder, first_at(1500))
    monkeypatch.setattr(pruning.Path, "unlink", real)
    assert check_log(files_in(folder), pruned_below=1280).is_sound
    write(folder, 100, 3000)
    assert prune(folder, first_at(1900)) == 1792
    assert bundles(folder)[0] == "007"
    assert sorted(os.listdir(folder / "tile" / "0"))[0] == "007"


def test_a_missing_tile_that_was_not_pruned_is_still_damage(folder: Path) -> None:
    (folder / "tile" / "0" / "004").unlink()
    with pytest.raises(LedgerError, match="tile/0/004"):
        LogWriter(folder, origin=ORIGIN, signers=[LOG])


def test_a_minimum_that_is_no_number_is_told(folder: Path) -> None:
    (folder / MINIMUM).write_text("soon\n")
    with pytest.raises(LedgerError, match="holds no index"):
        open_log(folder)
    with pytest.raises(LedgerError, match="holds no index"):
        LogWriter(folder, origin=ORIGIN, signers=[LOG])


def test_the_thread_prunes_and_tells_faults(folder: Path, tmp_path: Path) -> None:
    faults: list[str] = []
    thread = RetentionThread(folder, 100.0, lambda: first_at(1100), faults.append)
    ends = time.monotonic() + 10
    while not (folder / MINIMUM).exists():
        assert time.monotonic() < ends
        time.sleep(0.01)
    thread.stop()
    assert open_log(folder).minimum == 768 and faults == []
    RetentionThread(tmp_path / "none", 100.0, lambda: 0.0, faults.append).stop()
    assert "There is no log in" in faults[0]
