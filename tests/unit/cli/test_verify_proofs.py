"""Is a record's proof written as a file that stands without the log, and is a false one refused?"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flyball.cli import main
from flyball.ledger.note import split_note
from flyball.ledger.proof import parse_proof
from flyball.ledger.verify import COSIGNED
from flyball.serve.log.store import LedgerStore
from support import records
from support.signers import AT, LOG, ORIGIN, WITNESSES

KEYS = ["--key", LOG.key.text()]
TRUSTED = [*KEYS, *(w for one in WITNESSES[:3] for w in ("--witness-key", one.key.text()))]
WANTED = records.intent(150).id


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Proofs of an intent and its outcome, entries 300 and 301 of 600."""
    folder = tmp_path_factory.mktemp("proofs")
    store = LedgerStore(folder / "log", origin=ORIGIN, signers=[LOG])
    for number in range(300):
        it = records.intent(number)
        store.append(it)
        store.append(records.outcome(it))
    assert store.close() == 0
    note = (folder / "log" / "checkpoint").read_text()
    text, _ = split_note(note)
    (folder / "log" / COSIGNED).write_text(
        note + "".join(one.line(text, AT) for one in WITNESSES[:2])
    )
    result = run(folder / "log", *TRUSTED, "--id", WANTED, "--proofs", folder / "out")
    assert result.exit_code == 0 and result.stderr.count("wrote ") == 2
    return folder / "out"


def test_a_proof_stands_alone(proofs: Path) -> None:
    assert sorted(path.name for path in proofs.iterdir()) == [
        f"{WANTED}-300.tlog-proof",
        f"{WANTED}-301.tlog-proof",
    ]
    result = run(proofs / f"{WANTED}-300.tlog-proof", *TRUSTED)
    assert result.exit_code == 0
    assert "record    entry 300 of log.example/eu at 600 entries" in result.stdout
    assert "cosigned  witness.example/w0, witness.example/w1" in result.stdout
    told = json.loads(run(proofs / f"{WANTED}-301.tlog-proof", *TRUSTED, "-o", "json").stdout)
    assert told["ok"] and told["record"]["id"] == WANTED
    assert told["cosigned_by"] == {"witness.example/w0": AT, "witness.example/w1": AT}


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("index 300", "index 301", "another root"),
        ("extra ", "extra AAAA", "not canonical base64|another root|not base64"),
        ("\n600\n", "\n601\n", "does not hold"),
        ("c2sp.org", "c3sp.org", "begins with"),
    ],
)
def test_a_changed_proof_is_refused(
    proofs: Path, tmp_path: Path, old: str, new: str, cause: str
) -> None:
    import re

    text = (proofs / f"{WANTED}-300.tlog-proof").read_text()
    assert old in text
    path = tmp_path / "x.tlog-proof"
    path.write_text(text.replace(old, new, 1))
    result = run(path, *TRUSTED)
    assert result.exit_code == 1
    assert re.search(cause, result.stdout)


def test_every_byte_of_a_proof_matters(proofs: Path, tmp_path: Path) -> None:
    raw = (proofs / f"{WANTED}-300.tlog-proof").read_bytes()
    path = tmp_path / "x.tlog-proof"
    for place in range(0, len(raw), 97):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        assert run(path, *TRUSTED, "--quorum", "2").exit_code != 0, place


def test_the_quorum_is_asked_of_a_proof_too(proofs: Path) -> None:
    result = run(proofs / f"{WANTED}-300.tlog-proof", *TRUSTED, "--quorum", "3")
    assert result.exit_code == 1
    assert "the quorum is not met: 3 of 3" in result.stdout
    assert run(proofs / f"{WANTED}-300.tlog-proof", *KEYS).exit_code == 0


def test_mistakes(proofs: Path, tmp_path: Path) -> None:
    assert "give --key or --trust" in run(proofs / f"{WANTED}-300.tlog-proof").stderr
    result = run(tmp_path / "none.tlog-proof", *KEYS)
    assert result.exit_code == 2 and "cannot be read" in result.stderr
    log = proofs.parent / "log"
    result = run(log, "--id", WANTED, "--proofs", tmp_path / "out")
    assert result.exit_code == 2 and "a proof needs a signed checkpoint" in result.stderr


def test_the_record_is_the_extra_data(proofs: Path) -> None:
    found = parse_proof((proofs / f"{WANTED}-300.tlog-proof").read_text())
    assert json.loads(found.extra)["id"] == WANTED
