"""Does `flyball verify` say sound of a sound log alone, with keys, quorum, ids and older claims?"""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flyball.cli import main
from flyball.ledger.note import split_note
from flyball.ledger.verify import COSIGNED
from flyball.model.decision import Warrant
from flyball.serve.log.mirror import Mirror
from flyball.serve.log.objects import ObjectLog
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


# -- several logs of one gateway, and object storage ----------------------------------------------


def parts(tmp_path: Path) -> list[Path]:
    """Two logs under one key, with requests numbered in turn between them."""
    folders = [tmp_path / "eu", tmp_path / "us"]
    stores = [LedgerStore(folder, origin=ORIGIN, signers=[LOG]) for folder in folders]
    for number in range(1, 101):
        at = records.T0 + number
        name = f"req_{int(at * 1000):011x}00{number:06x}abcde"
        it = records.intent(at=at, id=name)
        stores[number % 2].append(it)
        stores[number % 2].append(records.outcome(it))
    assert all(store.close() == 0 for store in stores)
    return folders


def test_logs_of_one_gateway_are_whole_together_and_not_alone(tmp_path: Path) -> None:
    eu, us = parts(tmp_path)
    name = f"req_{int((records.T0 + 7) * 1000):011x}00{7:06x}abcde"
    result = run(eu, us, *KEYS, "--id", name)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("log       ") == 2
    assert "decisions 100: 100 computed again" in result.stdout
    told = json.loads(run(eu, us, *KEYS, "-o", "json").stdout)
    assert told["ok"] and [one["size"] for one in told["logs"]] == [100, 100]
    alone = run(eu, *KEYS)
    assert alone.exit_code == 1 and "have no record in the gateway run 00abcde" in alone.stdout
    none = run(eu, us, *KEYS, "--id", "req_none")
    assert none.exit_code == 1 and none.stdout.count("No entry is about req_none") == 2


def test_an_intent_after_its_revocation_is_found_across_logs(tmp_path: Path) -> None:
    own, eu = tmp_path / "own", tmp_path / "eu"
    for folder, found in (
        (own, [records.revocation(records.T0 + 10.0)]),
        (
            eu,
            [
                late := records.intent(20, warrant=Warrant(chain=records.CHAIN)),
                records.outcome(late),
            ],
        ),
    ):
        store = LedgerStore(folder, origin=ORIGIN, signers=[LOG])
        for record in found:
            store.append(record)
        assert store.close() == 0
    result = run(own, eu, *KEYS)
    assert result.exit_code == 1
    assert "was placed 10.00 s after https://id.example|mari revoked" in result.stdout
    assert run(eu, *KEYS).exit_code == 0


def test_a_copy_in_object_storage(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    url = f"file://{tmp_path}/copy"
    Mirror(folder, ObjectLog(url)).catch_up()
    result = run(url, *KEYS, *WITNESS_KEYS)
    assert result.exit_code == 0, result.output
    assert "cosigned  500 entries" in result.stdout
    assert run("s3a:/nothing", *KEYS).exit_code == 2
