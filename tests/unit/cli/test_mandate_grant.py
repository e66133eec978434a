"""Does `grant` print a token, or an opaque key for one, and keep no secret where it must not?"""

from pathlib import Path

from flyball.serve.identity.register import Register
from support.mandatefiles import granted_file, key_file, run
from support.mandates import ROOT, Signer, verifier


def test_a_token_that_verifies(tmp_path: Path) -> None:
    import time

    path = granted_file(
        tmp_path, "--operation", "chat", "--budget-usd", "2.5", "--depth", "2", "--for", "90m",
        "--tenant", "acme", "--jurisdiction", "EU", "--autonomy", "1",
    )  # fmt: skip
    mandate = verifier().verify(path.read_text().strip(), time.time())
    assert mandate.human == "https://idp.example|anna" and mandate.acr == "operator"
    assert mandate.spends[0].limit_micro_usd == 2_500_000 and mandate.depth_left == 2
    assert mandate.expires_at - mandate.not_before == 5_400 and mandate.tenant == "acme"


def test_an_opaque_key_stands_for_it(tmp_path: Path) -> None:
    register = tmp_path / "register.json"
    path = granted_file(tmp_path, "--register", register, "--opaque")
    key = path.read_text().strip()
    assert key.startswith("sk-") and not key.startswith("sk-fly-")
    assert key not in register.read_text() and register.stat().st_mode & 0o777 == 0o600
    token = Register(register).token_of(key)
    assert token.startswith("sk-fly-")
    told = run("mandate", "list", "--register", register, "-o", "json")
    assert token not in told.output and key not in told.output


def test_mistakes(tmp_path: Path) -> None:
    root = key_file(tmp_path, ROOT)
    (tmp_path / "x").write_text("x")
    for arguments, code, words in (
        ((), 2, "say who"),
        (("--person", "nobody"), 1, "mandate_malformed"),
        (("--person", "a|b", "--opaque"), 2, "--register"),
        (("--person", "a|b", "--for", "soon"), 2, "span of time"),
        (("--person", "a|b", "--for", "400d"), 1, "366 days"),
        (("--id-token", tmp_path / "x"), 2, "--issuer"),
        (
            ("--id-token", tmp_path / "x", "--issuer", "http://a.example", "--client-id", "c"), 2,
            "https",
        ),
    ):  # fmt: skip
        done = run("mandate", "grant", "--root-key", root, *arguments)
        assert (done.exit_code, words in done.stderr) == (code, True), done.stderr
        assert "Traceback" not in done.output and done.stdout == ""
    named = key_file(tmp_path, Signer.new("boss"))
    done = run("mandate", "grant", "--root-key", named, "--person", "a|b")
    assert done.exit_code == 1 and "number" in done.stderr
    root.chmod(0o644)
    done = run("mandate", "grant", "--root-key", root, "--person", "a|b")
    assert done.exit_code == 2 and "chmod 600" in done.stderr
