"""Does a log stay one line of history for its witnesses, whoever is killed and whenever?"""

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball.ledger.trust import Trust, judge, parse_trust
from flyball.ledger.verify import COSIGNED, check_log
from flyball.serve.log.audit import audit_folder
from flyball.serve.log.reader import files_in
from support.signers import LOG, WITNESSES


class Witness:
    """A `flyball witness` process on a port that it keeps over restarts."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder / f"w{number}"
        self.key = folder / f"w{number}.key"
        self.key.write_text(WITNESSES[number].private_text())
        self.key.chmod(0o600)
        self.url = ""
        self.start("0")

    def start(self, port: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flyball", "witness", str(self.folder), "--key", str(self.key),
             "--log-key", LOG.key.text(), "--port", port or self.url.rpartition(":")[2]],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def witnesses(tmp_path: Path) -> Iterator[list[Witness]]:
    found = [Witness(tmp_path, number) for number in range(3)]
    yield found
    for one in found:
        one.kill()


def policy(folder: Path, witnesses: list[Witness]) -> Trust:
    lines = [f"log {LOG.key.text()}"]
    lines += [f"witness w{i} {WITNESSES[i].key.text()} {w.url}" for i, w in enumerate(witnesses)]
    text = "\n".join([*lines, "group g 2 w0 w1 w2", "quorum g", ""])
    (folder / "trust.policy").write_text(text)
    (folder / "log.key").write_text(LOG.private_text())
    return parse_trust(text)


def cosigned_size(folder: Path, trust: Trust) -> int:
    try:
        found = judge((folder / COSIGNED).read_bytes().decode(), trust)
    except FileNotFoundError:
        return 0
    assert found.has_quorum  # never anything less stands under that name
    return found.checkpoint.size


def load(found, seconds: float) -> None:
    """Requests one after the other for so long; what breaks off is the kill's doing."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            found.ask()
        except OSError:
            return


def until(condition, seconds: float, what: str) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.02)


def test_kills_of_gateway_and_witnesses_leave_one_history(
    engines, gateway, tmp_path: Path, witnesses: list[Witness]
) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    trust = policy(tmp_path, witnesses)
    kept: list[str] = []
    fleet = engines(1)
    log = tmp_path / "log"
    ledger = "  keys: [log.key]\n  trust: trust.policy\n"
    for _ in range(5):
        before = cosigned_size(log, trust)
        found = gateway(fleet, extra="", ledger=ledger)
        until(lambda b=before: cosigned_size(log, trust) > b, 20, "cosigned again")
        load(found, chance.uniform(0.1, 0.8))
        victim = chance.choice(witnesses)
        victim.kill()
        load(found, chance.uniform(0.1, 0.5))
        found.signal(signal.SIGKILL)
        found.process.wait(10)
        victim.start()
        kept.append((log / COSIGNED).read_bytes().decode())
        assert cosigned_size(log, trust) >= before
    found = gateway(fleet, extra="", ledger=ledger)
    load(found, 0.3)
    assert found.end() == 0
    report = check_log(files_in(log), trust, older=kept)
    assert report.problems == ()
    assert report.cosigned is not None and report.cosigned.checkpoint.size == report.size
    assert audit_folder(log)[0] == []


def test_a_log_set_back_to_an_older_copy_is_cosigned_no_more(
    engines, gateway, tmp_path: Path, witnesses: list[Witness]
) -> None:
    trust = policy(tmp_path, witnesses)
    fleet = engines(1)
    log = tmp_path / "log"
    ledger = "  keys: [log.key]\n  trust: trust.policy\n"
    found = gateway(fleet, extra="", ledger=ledger)
    load(found, 0.3)
    assert found.end() == 0
    shutil.copytree(log, tmp_path / "copy")
    found = gateway(fleet, extra="", ledger=ledger)
    load(found, 0.5)
    assert found.end() == 0
    newest = (log / COSIGNED).read_bytes().decode()
    shutil.rmtree(log)
    shutil.copytree(tmp_path / "copy", log)
    found = gateway(fleet, extra="", ledger=ledger)
    found.until("warning ledger-cosign: no quorum of witnesses: .*set back to an older copy")
    assert found.end() == 0
    problems = check_log(files_in(log), trust, older=[newest]).problems
    assert any("rolled back" in one or "forked" in one for one in problems), problems
