"""Does `flyball schema` print the published schema?"""

from pathlib import Path

from click.testing import CliRunner

from flyball.cli import main

PUBLISHED = Path(__file__).parents[3] / "schema" / "flyball.v1.json"


def test_it_prints_what_is_published() -> None:
    found = CliRunner().invoke(main, ["schema"])
    assert (found.exit_code, found.stdout) == (0, PUBLISHED.read_text())
