"""Does `flyball verify` say sound of a sound log alone, with keys, quorum, ids and older claims?"""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flyball.cli import main
from flyball.ledger.note import split_note
from flyball.ledger.verify import COSIGNED
from flyball.serve.log.store import LedgerStore
from support import records
from support.signers import AT, LOG, ORIGIN, WITNESSES, signer

KEYS = ["--key", LOG.key.text()]
WITNESS_KEYS = [word for one in WITNESSES[:3] for word in ("--witness-key", one.key.text())]


def write(folder: Path, numbers: range) -> None:
    store = LedgerStore(folder, origin=ORIGIN, signers=[LOG])
    for number in numbers:
        it = records.intent(number)
        store.append(it)
        store.append(records.outcome(it))
    assert store.close() == 0


def cosign(folder: Path, count: int) -> None:
    note = (folder / "checkpoint").read_text()
    text, _ = split_note(note)
    (folder / COSIGNED).write_text(note + "".join(w.line(text, AT) for w in WITNESSES[:count]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "log"
    write(folder, range(100))
    shutil.copy(folder / "checkpoint", folder.parent / "older")
    write(folder, range(100, 250))
    cosign(folder, 2)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "log")
    shutil.copy(made.parent / "older", tmp_path / "older")
    return tmp_path / "log"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, arguments)], catch_exceptions=False)


def test_a_sound_log(folder: Path) -> None:
    wanted = records.intent(7).id
    result = run(folder, *KEYS, *WITNESS_KEYS, "--older", folder.parent / "older", "--id", wanted)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "sound"
    assert "signed    log.example/eu" in result.stdout
    assert "cosigned  500 entries by witness.example/w0, witness.example/w1" in result.stdout
    assert f"record    {wanted}: entries 14, 15, proven" in result.stdout
    assert result.stderr == ""


def test_without_keys_it_is_said_that_nobody_vouches(folder: Path) -> None:
    result = run(folder)
    assert result.exit_code == 0
    assert "No --key was given" in result.stderr
    assert "signed    not checked" in result.stdout


def test_json(folder: Path) -> None:
    result = run(folder, *KEYS, *WITNESS_KEYS, "-o", "json", "--id", records.intent(7).id)
    told = json.loads(result.stdout)
    assert told["ok"] and told["size"] == 500 and told["problems"] == []
    assert told["cosigned"] == {
        "size": 500,
        "by": {"witness.example/w0": AT, "witness.example/w1": AT},
    }
    assert [one["index"] for one in told["found"][records.intent(7).id]] == [14, 15]


@pytest.mark.parametrize(
    ("quorum", "code"),
    [([], 0), (["--quorum", "2"], 0), (["--quorum", "3"], 1), (["--quorum", "0"], 0)],
)
def test_the_quorum(folder: Path, quorum: list[str], code: int) -> None:
    result = run(folder, *KEYS, *WITNESS_KEYS, *quorum)
    assert result.exit_code == code
    assert ("No checkpoint met the quorum: 3 of 3" in result.stdout) == bool(code)


def test_a_policy_file(folder: Path, tmp_path: Path) -> None:
    policy = tmp_path / "trust.policy"
    lines = [f"witness w{i} {one.key.text()}" for i, one in enumerate(WITNESSES[:3])]
    policy.write_text(
        "\n".join([f"log {LOG.key.text()}", *lines, "group g 2 w0 w1 w2", "quorum g", ""])
    )
    assert run(folder, "--trust", policy).exit_code == 0
    policy.write_text(policy.read_text().replace("g 2", "g all"))
    assert run(folder, "--trust", policy).exit_code == 1
    policy.write_text("what\n")
    result = run(folder, "--trust", policy)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "line 1: not a line of a trust policy" in result.stderr


def test_another_s_key(folder: Path) -> None:
    result = run(folder, "--key", signer(ORIGIN, 50, LOG.key.kind).key.text())
    assert result.exit_code == 1
    assert "PROBLEM   The checkpoint: no trusted key signed this" in result.stdout


def test_a_flipped_byte(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name == "lock":
            continue
        good = path.read_bytes()
        path.write_bytes(good[:-2] + bytes([good[-2] ^ 4]) + good[-1:])
        assert run(folder, *KEYS, *WITNESS_KEYS).exit_code in (1, 2), path
        path.write_bytes(good)


def test_a_log_rewritten_with_its_own_key_is_found_by_who_kept_a_checkpoint(tmp_path: Path) -> None:
    write(tmp_path / "log", range(100))
    shutil.copy(tmp_path / "log" / "checkpoint", tmp_path / "older")
    shutil.rmtree(tmp_path / "log")
    write(tmp_path / "log", range(1, 120))
    result = run(tmp_path / "log", *KEYS, "--older", tmp_path / "older")
    assert result.exit_code == 1
    assert "The log was forked" in result.stdout
    shutil.rmtree(tmp_path / "log")
    write(tmp_path / "log", range(50))
    result = run(tmp_path / "log", *KEYS, "--older", tmp_path / "older")
    assert result.exit_code == 1
    assert "The log was rolled back: it has 100 entries, the older checkpoint has 200" in (
        result.stdout
    )


def test_an_id_that_is_not_there(folder: Path) -> None:
    result = run(folder, *KEYS, "--id", "req_nobody")
    assert result.exit_code == 1
    assert "PROBLEM   No entry is about req_nobody." in result.stdout


def test_an_intent_without_an_outcome(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path / "log", origin=ORIGIN, signers=[LOG])
    store.append(records.intent(1))
    store.append(records.intent(500))
    assert store.close() == 0
    result = run(tmp_path / "log", *KEYS)
    assert result.exit_code == 1
    assert f"PROBLEM   {records.intent(1).id} has an intent but no outcome" in result.stdout


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["--key", "nonsense"], "a verifier key is not of the form"),
        (["--witness-key", WITNESSES[0].key.text()], "give --key too"),
        ([*KEYS, "--quorum", "1"], "cannot come of 0 witnesses"),
        (["--key", WITNESSES[0].key.text()], "type 0x04; a log has 0x01"),
        ([*KEYS, "--older", "/nowhere/x"], "/nowhere/x cannot be read"),
    ],
)
def test_a_user_s_mistake_is_told_without_a_traceback(
    folder: Path, words: list[str], cause: str
) -> None:
    result = run(folder, *words)
    assert result.exit_code == 2
    assert cause in result.stderr
    assert result.stdout == ""


def test_no_log_there(tmp_path: Path) -> None:
    result = run(tmp_path / "none")
    assert result.exit_code == 2
    assert "There is no log in" in result.stderr


def test_a_pruned_log_is_sound_only_with_the_verifier_s_consent(folder: Path) -> None:
    """Entries 0 to 255: the verifier says himself that he accepts their absence."""
    shutil.rmtree(folder / "wal")  # as in a copy: a gateway prunes only what it has sealed
    (folder / "minimum").write_text("256\n")
    result = run(folder, *KEYS)
    assert result.exit_code == 1 and "--pruned-below 256" in result.stdout
    assert run(folder, *KEYS, "--pruned-below", "256").exit_code == 0
    for level in ("entries", "0"):
        (folder / "tile" / level / "000").unlink()
    assert run(folder, *KEYS, "--pruned-below", "256").exit_code == 0
    assert run(folder, *KEYS, "--pruned-below", "255").exit_code == 1
