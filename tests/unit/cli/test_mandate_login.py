"""From a login at a provider to a mandate in that person's name?"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.idp import CLIENT, IdentityProvider
from support.mandatefiles import key_file, run
from support.mandates import ROOT, verifier


@pytest.fixture
def idp() -> Iterator[IdentityProvider]:
    one = IdentityProvider()
    yield one
    one.close()


def test_login_then_grant(tmp_path: Path, idp: IdentityProvider) -> None:
    out = tmp_path / "id-token"
    whom = ("--issuer", idp.issuer, "--client-id", CLIENT)
    done = run("mandate", "login", *whom, "--out", out)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.strip() == f"{idp.issuer}|anna" and "WDJB-MJHT" in done.stderr
    assert out.stat().st_mode & 0o777 == 0o600 and out.read_text().strip() not in done.output
    made = run("mandate", "grant", "--root-key", key_file(tmp_path, ROOT), "--id-token", out, *whom)
    assert made.exit_code == 0, made.stderr
    mandate = verifier().verify(made.stdout.strip(), time.time())
    assert mandate.human == f"{idp.issuer}|anna" and mandate.session == "s-9"
    assert mandate.amr == ("hwk",)


def test_refused(tmp_path: Path, idp: IdentityProvider) -> None:
    out = tmp_path / "id-token"
    whom = ("--issuer", idp.issuer, "--client-id", CLIENT, "--out", out)
    idp.answers = ["access_denied"]
    assert run("mandate", "login", *whom).exit_code == 1 and not out.exists()
    idp.answers, idp.claims = ["ok"], {"aud": "other"}
    done = run("mandate", "login", *whom)
    assert done.exit_code == 1 and "jwt_claims" in done.stderr and not out.exists()
    away = run(
        "mandate", "login", "--issuer", "http://127.0.0.1:1", "--client-id", "c", "--out", out
    )
    assert away.exit_code == 2
