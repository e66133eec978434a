"""Is one flipped byte in any file of a log's folder found, and is a sound folder let pass?"""

import random
import shutil
import threading
import time
from pathlib import Path

import pytest

from flyball.ledger.note import NoteError
from flyball.ledger.record import encode
from flyball.ledger.trust import trust_of
from flyball.ledger.verify import COSIGNED, check_log
from flyball.serve.log.audit import audit_folder
from flyball.serve.log.reader import files_in
from flyball.serve.log.store import LedgerStore
from flyball.serve.log.wal import segment_path
from flyball.serve.log.writer import LogWriter
from support import records
from support.signers import LOG, ORIGIN, WITNESS_KEYS, WITNESSES

TRUST = trust_of([LOG.key], WITNESS_KEYS[:3], 2)


def entries(start: int, count: int) -> list[bytes]:
    found = []
    for number in range(start, start + count):
        it = records.intent(number)
        found += [encode(it), encode(records.outcome(it))]
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with earlier partial tiles, two segments and a cosigned checkpoint a little older."""
    folder = tmp_path_factory.mktemp("audit") / "log"
    writer = LogWriter(folder, origin=ORIGIN, signers=[LOG], segment_entries_max=256)
    for start in range(0, 300, 20):
        batch = entries(start, 20)
        while batch:
            part = batch[: writer.room(len(batch))]
            writer.commit(part)
            writer.absorb(part)
            batch = batch[len(part) :]
        writer.checkpoint()
        if start == 280:
            continue
        note = (folder / "checkpoint").read_text()
        text = note.split("\n\n")[0] + "\n"
        lines = "".join(one.line(text, 1) for one in WITNESSES[:2])
        (folder / COSIGNED).write_text(note + lines)
    writer.close()
    return folder


def problems_of(folder: Path) -> list[str]:
    try:
        report = check_log(files_in(folder), TRUST)
        return [*report.problems, *audit_folder(folder)[0]]
    except (NoteError, UnicodeDecodeError) as error:
        return [str(error)]


def stored(folder: Path) -> list[Path]:
    return sorted(one for one in folder.rglob("*") if one.is_file() and one.name != "lock")


def test_a_sound_folder_is_let_pass(whole: Path) -> None:
    assert problems_of(whole) == []
    names = [one.relative_to(whole).as_posix() for one in stored(whole)]
    assert len([name for name in names if ".p/" in name]) > 3
    assert any(name.startswith("wal/") for name in names) and COSIGNED in names


def test_a_flipped_byte_in_any_stored_file_is_found(whole: Path, tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    folder = tmp_path / "log"
    shutil.copytree(whole, folder)
    for path in stored(folder):
        good = path.read_bytes()
        for place in (0, len(good) - 1, *chance.sample(range(len(good)), min(12, len(good)))):
            bad = bytearray(good)
            bad[place] ^= 1 << chance.randrange(8)
            path.write_bytes(bytes(bad))
            assert problems_of(folder), f"{path}, byte {place}"
        path.write_bytes(good)
    assert problems_of(folder) == []


@pytest.mark.parametrize("cut", [1, 40])
def test_a_file_cut_short_is_found(whole: Path, tmp_path: Path, cut: int) -> None:
    folder = tmp_path / "log"
    shutil.copytree(whole, folder)
    for path in stored(folder):
        good = path.read_bytes()
        path.write_bytes(good[:-cut])
        assert problems_of(folder), path
        path.write_bytes(good)


def test_a_file_of_another_place_is_named(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    shutil.copytree(whole, folder)
    (folder / "tile" / "notes.txt").write_text("x")
    assert audit_folder(folder) == (["tile/notes.txt is no file of a log."], [])


def test_what_a_kill_left_beyond_the_checkpoint_is_a_remark(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, origin=ORIGIN, signers=[LOG])
    writer.commit(entries(0, 5))
    writer.absorb(entries(0, 5))
    writer.checkpoint()
    writer.commit(entries(5, 5))
    writer.close()
    path = segment_path(tmp_path, 0)
    path.write_bytes(path.read_bytes()[:-3])
    problems, remarks = audit_folder(tmp_path)
    assert problems == []
    assert len(remarks) == 1 and "of a record not acknowledged" in remarks[0]


def test_a_segment_rewritten_with_good_checksums_is_found(whole: Path, tmp_path: Path) -> None:
    from flyball.serve.log.wal import frame, frames, segment_starts

    folder = tmp_path / "log"
    shutil.copytree(whole, folder)
    first = segment_starts(folder)[-1]
    path = segment_path(folder, first)
    runs = frames(path.read_bytes(), first)[0]
    forged = [[b"{}", *runs[0].entries()[1:]], *(run.entries() for run in runs[1:])]
    path.write_bytes(b"".join(frame(run.first, e) for run, e in zip(runs, forged, strict=True)))
    assert f"entry {first} is not the one in the log" in problems_of(folder)[0]


def test_a_log_under_way_gives_no_false_alarm(tmp_path: Path) -> None:
    """A gateway writes, seals and replaces partial tiles while somebody verifies."""
    folder = tmp_path / "log"
    store = LedgerStore(folder, origin=ORIGIN, signers=[LOG], checkpoint_interval_s=0.005)
    is_done = threading.Event()

    def write() -> None:
        for number in range(6_000):
            store.append(records.config(number))
            if number % 20 == 0:
                time.sleep(0.002)
        is_done.set()

    writer = threading.Thread(target=write)
    writer.start()
    sizes = []
    while not is_done.is_set():
        report = check_log(files_in(folder), trust_of([LOG.key], [], 0))
        assert [*report.problems, *audit_folder(folder)[0]] == []
        sizes.append(report.size)
    writer.join()
    assert store.close() == 0
    assert len(set(sizes)) > 2
