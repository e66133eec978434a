"""Does the list name every scenario, for people and for programs?"""

import json

from click.testing import CliRunner

from flyball.cli import main
from flyball.sim.incidents.neutrals import NEUTRALS
from flyball.sim.incidents.scenarios import INCIDENTS


def test_both_forms_name_all() -> None:
    text = CliRunner().invoke(main, ["incident", "list"]).output
    rows = json.loads(CliRunner().invoke(main, ["incident", "list", "-o", "json"]).output)
    names = [one.name for one in (*INCIDENTS, *NEUTRALS)]
    assert [row["name"] for row in rows] == names
    assert [line.split()[0] for line in text.splitlines()] == names
