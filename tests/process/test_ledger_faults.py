"""Is nothing admitted that cannot be recorded, and does all go on by itself once it can?"""

import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
from collections import Counter
from pathlib import Path

import pytest

from flyball.ledger.verify import check_log
from flyball.model.decision import TurnedAway
from flyball.serve.log.reader import open_log


def is_ready(found) -> bool:
    try:
        return found.page("/readyz")["ready"]
    except urllib.error.HTTPError as refused:
        assert refused.code == 503 and "ledger" in json.loads(refused.read())["reason"]
        return False


def until(condition, seconds: float, what: str) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.02)


class Load:
    """Eight clients that ask until told to stop; `answers` counts statuses and codes."""

    def __init__(self, found) -> None:
        self.found = found
        self.answers: Counter[str] = Counter()
        self.is_stopping = False
        self.threads = [threading.Thread(target=self._ask) for _ in range(8)]
        for thread in self.threads:
            thread.start()

    def _ask(self) -> None:
        while not self.is_stopping:
            try:
                answer = self.found.ask()
            except OSError:
                self.answers["error"] += 1
                continue
            code = re.search(rb'"code":"(\w+)"', answer)
            self.answers[code[1].decode() if code else answer[9:12].decode()] += 1
            if code:
                time.sleep(0.05)

    def stop(self) -> None:
        self.is_stopping = True
        for thread in self.threads:
            thread.join(10)


def test_workers_admit_nothing_while_the_control_process_reads_no_records(engines, gateway) -> None:
    found = gateway(engines(2), workers=2)
    load = Load(found)
    found.signal(signal.SIGSTOP)
    until(lambda: load.answers["ledger_unavailable"] > 20, 60, f"refused: {load.answers}")
    assert not all(is_ready(found) for _ in range(20))
    found.signal(signal.SIGCONT)
    until(lambda: all(is_ready(found) for _ in range(10)), 15, "ready again")
    before = load.answers["200"]
    until(lambda: load.answers["200"] > before + 50, 15, "admits again")
    load.stop()
    assert set(load.answers) == {"200", "ledger_unavailable"}, load.answers
    assert found.end() == 0
    log = open_log(found.log)
    report = check_log(log.read)
    assert report.is_sound and not report.open_intents
    assert log.size >= 2 * load.answers["200"]


@pytest.fixture
def small_disk(tmp_path: Path):
    """A disk of 1 MiB at `log`."""
    folder = tmp_path / "log"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_refuses_requests_and_space_brings_them_back(
    engines, gateway, small_disk: Path, workers: int
) -> None:
    found = gateway(engines(2), workers=workers)
    (small_disk / "ballast").write_bytes(b"x" * (1 << 19))
    load = Load(found)
    until(lambda: load.answers["ledger_unavailable"] > 20, 30, f"refused: {load.answers}")
    assert not is_ready(found)
    found.until("error ledger: No space left")
    assert "flyball_ledger_available 0" in found.page("/metrics")
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    until(lambda: is_ready(found), 15, "ready again")
    before = load.answers["200"]
    until(lambda: load.answers["200"] > before + 20, 15, "admits again")
    load.stop()
    assert set(load.answers) == {"200", "ledger_unavailable"}, load.answers
    assert found.end() == 0
    report = check_log(open_log(found.log).read)
    assert report.is_sound and not report.open_intents


@pytest.mark.parametrize("workers", [1, 2])
def test_garbage_is_in_the_ledger_by_the_second_and_in_the_metrics_by_the_piece(
    engines, gateway, workers: int
) -> None:
    found = gateway(engines(1), workers=workers)
    ids = []
    for _ in range(60):
        with found.connect() as sock:
            sock.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n{"
            )
            answer = sock.recv(65536)
        ids.append(re.search(rb"x-flyball-request-id: (\S+)", answer)[1].decode())
    counted = 'flyball_decisions_total{outcome="refused",reason="bad_json"} 60'
    until(lambda: counted in found.page("/metrics"), 10, "counted")
    assert found.end() == 0
    log = open_log(found.log)
    assert check_log(log.read).is_sound
    kept = [r.record for r in log.records() if isinstance(r.record, TurnedAway)]
    assert sum(record.count for record in kept) == 60 and len(kept) <= 10 * workers
    named = {name for record in kept for name in record.ids}
    told = next(name for name in reversed(ids) if name in named)
    done = subprocess.run(
        [sys.executable, "-m", "flyball", "explain", told, "--log", str(found.log)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "turned away before any decision" in done.stdout
    assert "from 127.0.0.0/24" in done.stdout and "not valid JSON" in done.stdout
