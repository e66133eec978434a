"""Does `flyball mandate` name its commands and load each only when it is run?"""

import subprocess
import sys

from flyball.cli.mandate import COMMANDS
from support.mandatefiles import run


def test_help_names_all() -> None:
    told = run("mandate", "--help")
    assert told.exit_code == 0
    shown = " ".join(told.stdout.split())
    assert all(name in shown and text in shown for name, (_, text) in COMMANDS.items())
    for name in COMMANDS:
        assert run("mandate", name, "--help").exit_code == 0
    assert run("mandate", "grnt").exit_code == 2


def test_help_needs_no_cryptography() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from flyball.cli import main;"
        "CliRunner().invoke(main, ['mandate', '--help']);"
        "sys.exit(any(name in sys.modules for name in ('biscuit_auth', 'cryptography', 'jwt')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
