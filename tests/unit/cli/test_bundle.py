"""Do `flyball bundle build|sign|log|verify|show|push|pull` do what they say, with exit codes?"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flyball.authority.bundles.bundle import decode
from flyball.authority.revocation.signer import Signer, key_text
from flyball.cli import main
from flyball.ledger.note import ED25519
from support.bundles import ALICE, BOB, PERMIT
from support.policies import EXAMPLE
from support.registry import registry_server
from support.signers import LOG, signer

TERMS = ("--name", "work", "--version", "1", "--expires", "2099-01-01T00:00:00Z")
SIGNED_BY = tuple(
    word for one in (ALICE, BOB) for word in ("--signer", f"{one.name}={key_text(one.public)}")
)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["bundle", *map(str, words)], catch_exceptions=False)


def key(folder: Path, one: Signer) -> Path:
    file = folder / f"{one.name}.key"
    file.write_text(one.private_text())
    file.chmod(0o600)
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The example's policies as a bundle, not signed."""
    made = tmp_path / "work.tar"
    assert run("build", EXAMPLE, "--to", made, *TERMS).exit_code == 0
    return made


def test_building_twice_gives_the_same_bytes(file: Path, tmp_path: Path) -> None:
    told = run("build", EXAMPLE, "--to", tmp_path / "again.tar", *TERMS, "-o", "json")
    assert json.loads(told.stdout)["digest"] == decode(file.read_bytes()).digest
    assert (tmp_path / "again.tar").read_bytes() == file.read_bytes()


def test_signed_logged_verified_and_carried(file: Path, tmp_path: Path) -> None:
    assert run("sign", file, "--key", key(tmp_path, ALICE)).exit_code == 0
    short = run("verify", file, *SIGNED_BY)
    assert short.exit_code == 1 and "signers: 1 known keys signed it, not 2" in short.stderr
    assert run("verify", file, *SIGNED_BY, "--least", "1").exit_code == 0
    told = run("sign", file, "--key", key(tmp_path, BOB), "-o", "json")
    assert len(json.loads(told.stdout)["signed_by"]) == 2
    trust, log_key = tmp_path / "trust", tmp_path / "log.key"
    trust.write_text(f"log {LOG.key.text()}\nquorum none\n")
    log_key.write_text(signer(LOG.key.name, 1, ED25519).private_text())
    assert "no_proof" in run("verify", file, *SIGNED_BY, "--trust", trust).stderr
    assert run("log", file, "--log", tmp_path / "log", "--key", log_key).exit_code == 0
    whole = run("verify", file, *SIGNED_BY, "--trust", trust, "-o", "json")
    assert whole.exit_code == 0 and json.loads(whole.stdout)["signers"] == ["alice", "bob"]
    with registry_server() as found:
        place = found.place("acme/work:1")
        assert run("push", file, place).stdout.startswith("sha256:")
        assert run("verify", place, *SIGNED_BY, "--trust", trust).exit_code == 0
        assert run("pull", place, "--to", tmp_path / "back.tar").exit_code == 0
    assert (tmp_path / "back.tar").read_bytes() == file.read_bytes()


def test_what_it_says(file: Path) -> None:
    told = run("show", file)
    assert told.exit_code == 0 and told.stdout.startswith("work, version 1\n")
    assert decode(file.read_bytes()).digest in told.stdout
    assert json.loads(run("show", file, "-o", "json").stdout)["manifest"]["version"] == 1


def test_a_bundle_that_fails_its_own_tests_is_not_built(tmp_path: Path) -> None:
    (tmp_path / "a.cedar").write_text(PERMIT)
    (tmp_path / "tests.yaml").write_text("tests: [{name: never, expect: deny}]")
    told = run("build", tmp_path, "--to", tmp_path / "b.tar", *TERMS)
    assert told.exit_code == 1 and "its own test 'never' fails" in told.stderr
    assert not (tmp_path / "b.tar").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--name", "a b"), "'a b' is no name"),
        (("--version", "0"), "0 is no version"),
        (("--expires", "soon"), "'soon' is no time in UTC"),
        (("--engine", "opa"), "unknown here"),
        (("--requires", "1"), "1 of 0 signers is no rule"),
    ],
)
def test_terms_that_make_no_sense(tmp_path: Path, words: tuple, told: str) -> None:
    found = run("build", EXAMPLE, "--to", tmp_path / "b.tar", *TERMS, *words)
    assert found.exit_code == 1 and told in found.stderr


def test_time_order_and_owner(file: Path, tmp_path: Path) -> None:
    late = run("verify", file, "--at", "2099-01-01T00:00:00Z", "-o", "json")
    assert late.exit_code == 1 and json.loads(late.stdout)["code"] == "expired"
    newer = tmp_path / "newer.tar"
    run("build", EXAMPLE, "--to", newer, *TERMS, "--version", "2")
    assert run("verify", newer, "--after", file).exit_code == 0
    assert "rollback" in run("verify", file, "--after", newer).stderr
    assert "tenant" in run("verify", file, "--tenant", "acme").stderr


def test_without_signers_it_says_what_that_means(file: Path) -> None:
    told = run("verify", file)
    assert told.exit_code == 0 and "Nobody's signature was asked for" in told.stderr


def test_what_cannot_be_had_or_used(file: Path, tmp_path: Path) -> None:
    assert run("show", tmp_path / "none").exit_code == 2
    assert run("sign", file, "--key", tmp_path / "none").exit_code == 2
    assert run("log", file, "--log", tmp_path / "l", "--key", tmp_path / "none").exit_code == 2
    assert run("pull", "oci+http://127.0.0.1:1/a:1", "--to", tmp_path / "x").exit_code == 2
    assert run("push", file, "oci+http://127.0.0.1:1/a:1").exit_code == 2
    assert run("push", file, "somewhere").exit_code == 2
    file.write_bytes(file.read_bytes()[:-5])
    for words in (("show", file), ("verify", file), ("push", file, "oci://h/a:1")):
        assert run(*words).exit_code == 1


def test_nobody_signs_twice(file: Path, tmp_path: Path) -> None:
    words = ("sign", file, "--key", key(tmp_path, ALICE))
    assert run(*words).exit_code == 0
    again = run(*words)
    assert again.exit_code == 1 and "signed_twice" in again.stderr
