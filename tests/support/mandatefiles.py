"""Which files does somebody at a terminal have who grants, holds or approves mandates?"""

from pathlib import Path

from click.testing import CliRunner, Result

from flyball.authority.revocation.signer import Signer, key_text
from flyball.cli import main
from support.mandates import APPROVER, ROOT


def run(*arguments: str | Path, typed: str | None = None) -> Result:
    return CliRunner().invoke(
        main, [str(one) for one in arguments], input=typed, catch_exceptions=False
    )


def key_file(folder: Path, signer: Signer) -> Path:
    path = folder / f"{signer.name}.key"
    path.write_text(signer.private_text() + "\n")
    path.chmod(0o600)
    return path


def granted_file(folder: Path, *more: str | Path) -> Path:
    """A mandate for `https://idp.example|anna`, in a file."""
    done = run(
        "mandate", "grant", "--root-key", key_file(folder, ROOT), "--person",
        "https://idp.example|anna", *more,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    path = folder / "mandate"
    path.write_text(done.stdout)
    return path


TRUST = (
    "--root", f"1={key_text(ROOT.public)}", "--approver", f"ann={key_text(APPROVER.public)}",
)  # fmt: skip
