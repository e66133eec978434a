"""Does `flyball` list its commands fast, find each one, and help who mistypes?"""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import flyball
from flyball.cli import COMMANDS, main

FOLDER = Path(flyball.__file__).parent / "cli"


def test_help_lists_every_command_with_its_line() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    said = " ".join(result.output.split())
    for name, line in COMMANDS.items():
        assert f" {name} {line}" in said


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_found_and_explains_itself(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {name} ")


def test_no_command_is_left_out_of_the_list() -> None:
    found = {
        file.stem
        for file in FOLDER.glob("*.py")
        if isinstance(getattr(import_module(f"flyball.cli.{file.stem}"), "command", None),
                      click.Command)
    }  # fmt: skip
    parts = {
        file
        for group in FOLDER.glob("*.py")
        for entry in getattr(import_module(f"flyball.cli.{group.stem}"), "COMMANDS", {}).values()
        if isinstance(entry, tuple)
        for file in entry[:1]
    }
    assert found == set(COMMANDS) | parts
    assert not parts & set(COMMANDS)


@pytest.mark.parametrize(
    ("typed", "said"),
    [("sevre", "Did you mean 'serve'?"), ("nothing-like-it", "No such command"), ("--no", "--no")],
)
def test_a_typing_error_is_exit_2_with_a_hint(typed: str, said: str) -> None:
    result = CliRunner().invoke(main, [typed])
    assert result.exit_code == 2
    assert said in result.output


def test_the_version_is_the_packages() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.output == f"flyball, version {flyball.__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    # What makes help slow is imports: so they are counted, not the time.
    code = (
        "import sys; from flyball.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'aiohttp', 'highspy', 'msgspec', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
