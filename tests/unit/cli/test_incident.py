"""Are incidents made, run, and scored from the command line, and is a mistake explained?"""

from click.testing import CliRunner

from flyball.cli import main
from flyball.cli.incident import COMMANDS


def test_help_names_all() -> None:
    done = CliRunner().invoke(main, ["incident", "--help"])
    assert done.exit_code == 0
    assert all(name in done.output for name in COMMANDS)


def test_an_unknown_command_is_a_mistake() -> None:
    assert CliRunner().invoke(main, ["incident", "solve"]).exit_code == 2
