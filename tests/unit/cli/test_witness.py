"""Does `flyball witness` make keys, serve as a process, survive SIGKILL, and tell mistakes?"""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flyball.cli import main
from flyball.ledger.note import COSIGNATURE, ED25519, Signer, VerifierKey, verify_note
from flyball.ledger.proof import growth
from flyball.ledger.tiles import OpenTiles
from flyball.ledger.tree import leaf_hash, root_of
from flyball.ledger.witness import Submission
from support.signers import LOG, signed

LEAVES = [leaf_hash(b"%d" % number) for number in range(200)]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["witness", *map(str, arguments)], catch_exceptions=False)


def submission(old: int, size: int) -> bytes:
    edge = OpenTiles()
    for leaf in LEAVES[:size]:
        edge.append(leaf)
    proof = growth(old, size, dict(edge.partial_tiles()).get)
    return Submission(old, proof, signed(size, root_of(LEAVES[:size]))).text().encode()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "witness.key"
    assert run("--new-key", "witness.example/me", "--key", path).exit_code == 0
    return path


def test_a_new_key(tmp_path: Path) -> None:
    for kind, number in (("witness", COSIGNATURE), ("log", ED25519)):
        path = tmp_path / kind
        result = run("--new-key", "some.example/x", "--key", path, "--kind", kind)
        assert result.exit_code == 0
        public = VerifierKey.parse(result.stdout)
        assert (public.name, public.kind) == ("some.example/x", number)
        assert Signer.parse(path.read_text()).key == public
        assert path.stat().st_mode & 0o777 == 0o600
    again = run("--new-key", "some.example/x", "--key", tmp_path / "log")
    assert again.exit_code == 2 and "never written over" in again.stderr


class Process:
    def __init__(self, folder: Path, key: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flyball", "witness", str(folder), "--key", str(key),
             "--log-key", LOG.key.text(), "--port", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def ask(self, body: bytes) -> tuple[int, str]:
        request = urllib.request.Request(f"{self.url}/add-checkpoint", data=body)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def end(self, number: int) -> int:
        os.kill(self.process.pid, number)
        code = self.process.wait(10)
        assert self.process.stdout is not None and self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()
        return code


def test_a_witness_that_is_killed_forgets_nothing(tmp_path: Path, key: Path) -> None:
    public = Signer.parse(key.read_text()).key
    old = 0
    for size in (10, 70, 200):
        one = Process(tmp_path / "w", key)
        if old:
            assert one.ask(submission(0, old)) == (409, f"{old}\n")
        status, lines = one.ask(submission(old, size))
        assert status == 200
        text = signed(size, root_of(LEAVES[:size])).split("— ")[0]
        assert verify_note(text + lines, [public]).signed
        assert one.end(signal.SIGKILL) == -signal.SIGKILL
        old = size
    last = Process(tmp_path / "w", key)
    assert last.ask(submission(70, 200)) == (409, "200\n")
    assert last.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ([], "Give FOLDER, --key and --log-key"),
        (["--new-key", "x"], "Name the file"),
        (["--new-key", "x y", "--key", "K"], "no spaces"),
        (
            ["F", "--key", "/nowhere/key", "--log-key", LOG.key.text()],
            "/nowhere/key cannot be read",
        ),
    ],
)
def test_a_user_s_mistake_is_told(words: list[str], cause: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert cause in result.stderr


def test_keys_of_the_wrong_type_are_told(tmp_path: Path, key: Path) -> None:
    log_key = tmp_path / "log.key"
    run("--new-key", "log.example/x", "--key", log_key, "--kind", "log")
    result = run(tmp_path / "w", "--key", log_key, "--log-key", LOG.key.text())
    assert result.exit_code == 2 and "holds a log's key" in result.stderr
    witness = Signer.parse(key.read_text()).key.text()
    result = run(tmp_path / "w", "--key", key, "--log-key", witness)
    assert result.exit_code == 2 and "a log has 0x01" in result.stderr
    result = run(tmp_path / "w", "--key", key, "--log-key", "nonsense")
    assert result.exit_code == 2 and "not of the form" in result.stderr


def test_an_address_that_is_taken_is_told(tmp_path: Path, key: Path) -> None:
    one = Process(tmp_path / "w", key)
    port = one.url.rpartition(":")[2]
    result = run(tmp_path / "v", "--key", key, "--log-key", LOG.key.text(), "--port", port)
    assert one.end(signal.SIGTERM) == 0
    assert result.exit_code == 2 and "cannot listen on" in result.stderr
