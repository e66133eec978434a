"""Does the store keep order and each acknowledged record through kills, full disks and queues?"""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flyball.ledger.record import RecordError, encode
from flyball.ledger.verify import check_log
from flyball.serve.log.reader import open_log
from flyball.serve.log.store import LedgerStore, Pushback
from flyball.serve.log.writer import LedgerError
from support import records

NEVER_S = 3600.0


def wait_until(is_so: Callable[[], bool], timeout_s: float = 10.0) -> None:
    end = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def assert_sound(folder: Path, size: int) -> None:
    log = open_log(folder)
    assert [found.record.id for found in log.records()] == [f"c{i}" for i in range(size)]
    report = check_log(log.read)
    assert report.problems == ()
    assert report.size == size


def test_records_are_acknowledged_in_order_and_stay(tmp_path: Path) -> None:
    acked: list[int] = []
    store = LedgerStore(tmp_path, on_acked=acked.append)
    for number in range(2500):
        assert store.next_index == number
        store.append(records.config(number))
    wait_until(lambda: store.acked == 2500)
    assert acked == sorted(acked)
    assert acked[-1] == 2499
    assert store.close() == 0
    assert_sound(tmp_path, 2500)
    again = LedgerStore(tmp_path)
    assert (again.recovery.size, again.acked, again.next_index) == (2500, 2500, 2500)
    assert again.close() == 0


def test_the_checkpoint_follows_within_its_interval(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path, checkpoint_interval_s=0.05)
    store.append(records.config(0))
    wait_until(lambda: open_log(tmp_path).checkpoint.size == 1)
    store.append(records.config(1))
    wait_until(lambda: open_log(tmp_path).checkpoint.size == 2)
    assert store.close() == 0


def test_close_writes_what_waits(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path, linger_s=NEVER_S, checkpoint_interval_s=NEVER_S)
    time.sleep(0.05)
    for number in range(700):
        store.append(records.config(number))
    assert store.close() == 0
    assert_sound(tmp_path, 700)


def test_a_full_queue_pushes_back_and_takes_nothing(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path, queue_max=5, linger_s=NEVER_S)
    time.sleep(0.05)
    for number in range(4):
        store.append(records.config(number))
    with pytest.raises(Pushback, match="4 records wait"):
        store.append_encoded([b"x", b"y"])
    store.append(records.config(4))
    with pytest.raises(Pushback, match=f"5 records wait for the log in {tmp_path}"):
        store.append(records.config(5))
    assert store.next_index == 5
    assert store.close() == 0
    assert_sound(tmp_path, 5)


def test_batches_from_other_processes(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path)
    for first in range(0, 3000, 100):
        store.append_encoded([encode(records.config(first + i)) for i in range(100)])
    with pytest.raises(RecordError, match="over 65535 bytes"):
        store.append_encoded([b"x" * 65_536])
    assert store.close() == 0
    assert_sound(tmp_path, 3000)


def test_a_record_too_large_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path)
    with pytest.raises(RecordError, match="record c9"):
        store.append(records.config(9, size=70_000))
    store.append(records.config(0))
    assert store.close() == 0
    assert_sound(tmp_path, 1)


def test_a_second_writer_is_refused_by_name_until_the_first_closes(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path)
    with pytest.raises(LedgerError, match=f"being written by process {os.getpid()}"):
        LedgerStore(tmp_path)
    assert store.close() == 0
    assert LedgerStore(tmp_path).close() == 0


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match=r"file/log cannot be used: Not a directory"):
        LedgerStore(tmp_path / "file" / "log")


def test_a_refused_opening_lets_the_lock_go(tmp_path: Path) -> None:
    LedgerStore(tmp_path).close()
    with pytest.raises(LedgerError, match="belongs to"):
        LedgerStore(tmp_path, origin="other")
    assert LedgerStore(tmp_path).close() == 0


# -- kill -9 --------------------------------------------------------------------------------------

CHILD = """
import os, sys
from pathlib import Path
from flyball.ledger.record import encode
from flyball.model.decision import ConfigSet
from flyball.serve.log.store import LedgerStore, Pushback
store = LedgerStore(
    Path(sys.argv[1]), linger_s=0.001, checkpoint_interval_s=0.002, queue_max=3000,
    on_acked=lambda index: os.write(1, b"%d\\n" % index),
)
os.write(1, b"open\\n")
while True:
    number = store.next_index
    record = ConfigSet(id=f"c{number}", at=float(number), digest="d", in_force=True, reason="")
    try:
        store.append(record)
    except Pushback:
        pass
"""


def test_kill_9_at_random_points_loses_nothing_acknowledged(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    told = 0
    for _ in range(20):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        time.sleep(chance.uniform(0.0, 0.06))
        child.send_signal(signal.SIGKILL)
        lines = child.stdout.read().split(b"\n")[:-1]
        child.wait()
        child.stdout.close()
        told = int(lines[-1]) + 1 if lines else told
        store = LedgerStore(tmp_path)
        size = store.recovery.size
        assert store.close() == 0
        assert size >= told
        told = size
    assert told > 1000
    assert_sound(tmp_path, told)


# -- full disk ------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "flyball-test", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here (that takes root)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_told_and_overcome_without_loss(small_disk: Path) -> None:
    faults: list[tuple[bool, str]] = []
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 700_000)
    store = LedgerStore(
        small_disk / "log", queue_max=100, on_fault=lambda yes, why: faults.append((yes, why))
    )
    number = 0
    while number < 260:  # about 260 kB twice: more than is free with the ballast, less without
        try:
            store.append(records.config(number, size=1000))
            number += 1
        except Pushback:
            if faults:
                break
            time.sleep(0.001)
    wait_until(lambda: bool(faults))
    available, why = faults[0]
    assert not available
    assert errno.errorcode[errno.ENOSPC] in why
    assert "records wait" in why
    assert store.fault
    time.sleep(0.6)  # one try in vain
    assert len(faults) == 1
    ballast.unlink()
    wait_until(lambda: len(faults) == 2)
    assert faults[1] == (True, "")
    assert store.fault == ""
    assert store.close() == 0
    assert_sound(small_disk / "log", number)


def test_opening_on_a_full_disk_names_the_cause_and_the_next_step(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "ballast").write_bytes(b"x" * 2_000_000)
    with pytest.raises(LedgerError, match=r"ENOSPC\)\. Free space there") as told:
        LedgerStore(small_disk / "log")
    assert str(small_disk) in str(told.value)
    (small_disk / "ballast").unlink()
    assert LedgerStore(small_disk / "log").close() == 0


def test_close_on_a_full_disk_says_what_is_lost(small_disk: Path) -> None:
    store = LedgerStore(small_disk / "log", linger_s=NEVER_S)
    time.sleep(0.05)
    (small_disk / "ballast").touch()
    try:
        (small_disk / "ballast").write_bytes(b"x" * 2_000_000)
    except OSError as error:
        assert error.errno == errno.ENOSPC
    for number in range(50):
        store.append(records.config(number, size=1000))
    began = time.monotonic()
    assert store.close() == 50
    assert time.monotonic() - began < 5.0
