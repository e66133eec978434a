"""Is a folder read into a bundle's files, and are odd options told as such?"""

import json
from pathlib import Path

import click
import pytest
from msgspec.structs import replace

from flyball.cli.bundle_input import (
    bundle_of,
    content_of,
    demands_of,
    now,
    refuse,
    summary,
    write,
)
from flyball.cli.file_shape import CannotUse
from support.bundles import PERMIT, SIGNERS, bundle
from support.signers import LOG

ALICE = f"alice={SIGNERS['alice']}"


def folder(tmp_path: Path, **files: str) -> Path:
    made = {"b.cedar": PERMIT, "tests.yaml": "tests: [{expect: allow}]"} | {
        name.replace("_", "."): text for name, text in files.items()
    }
    for name, text in made.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_a_folder_gives(tmp_path: Path) -> None:
    found = content_of(folder(tmp_path, a_cedar="// first", limits_json="{}"))
    assert found["policies.cedar"] == b"// first\n" + PERMIT.encode()
    assert json.loads(found["tests.json"]) == {"tests": [{"expect": "allow"}]}
    assert found["limits.json"] == b"{}" and found["entities.json"] == b"[]"
    assert b"entity Jurisdiction" in found["schema.cedarschema"]
    assert "obligations.json" not in found


def test_a_folder_that_will_not_do(tmp_path: Path) -> None:
    with pytest.raises(CannotUse, match=r"no \.cedar file"):
        content_of(tmp_path)
    folder(tmp_path)
    (tmp_path / "tests.json").write_text("{}")
    with pytest.raises(CannotUse, match="2 files of tests"):
        content_of(tmp_path)
    (tmp_path / "tests.json").unlink()
    (tmp_path / "tests.yaml").write_text("tests: [")
    with pytest.raises(CannotUse, match=r"tests\.yaml:1"):
        content_of(tmp_path)


def test_demands(tmp_path: Path) -> None:
    found = demands_of((ALICE, f"bob={SIGNERS['bob']}"), None, "acme", None)
    assert (found.least, found.tenant, found.check_proof) == (2, "acme", None)
    assert demands_of((ALICE,), 0, "", None).least == 0
    trust = tmp_path / "trust"
    trust.write_text(f"log {LOG.key.text()}\nquorum none\n")
    assert demands_of((), None, "", trust).check_proof is not None
    trust.write_text("nonsense")
    with pytest.raises(CannotUse, match="no trust policy"):
        demands_of((), None, "", trust)
    for odd in (("alice",), (ALICE, ALICE), ("alice=ed25519:x",)):
        with pytest.raises(click.UsageError):
            demands_of(odd, None, "", None)
    with pytest.raises(click.UsageError, match="cannot be met"):
        demands_of((ALICE,), 2, "", None)


def test_a_bundle_and_what_it_says(tmp_path: Path) -> None:
    write(tmp_path / "b.tar", bundle(tenant="acme").encode())
    found = summary(bundle_of(str(tmp_path / "b.tar")))
    assert found["digest"] == bundle(tenant="acme").digest and not found["is_logged"]
    assert found["signed_by"] == sorted([SIGNERS["alice"], SIGNERS["bob"]])
    odd = summary(replace(bundle(), envelope=b"[" * 3000))
    assert odd["signed_by"] == ["something that is no envelope"]
    with pytest.raises(CannotUse, match="cannot write"):
        write(tmp_path / "none" / "b.tar", b"")


def test_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from flyball.authority.bundles.archive import BundleError

    for code, wanted in (("unreachable", 2), ("no_bundle", 2), ("rollback", 1)):
        with pytest.raises(click.exceptions.Exit) as caught:
            refuse(BundleError(code, "so it is", "do that"))
        assert caught.value.exit_code == wanted
    assert "rollback: so it is\n    do that" in capsys.readouterr().err
    with pytest.raises(click.exceptions.Exit):
        bundle_of(str(tmp_path / "none"))


def test_times() -> None:
    assert now("1970-01-01T00:01:00Z") == 60 and now(None) > 1e9
    with pytest.raises(click.UsageError):
        now("yesterday")
