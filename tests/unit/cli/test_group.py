"""Is a wrong command named with the nearest right one, in every group?"""

import pytest
from click.testing import CliRunner

from flyball.cli import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serv"], "Did you mean 'serve'?"),
        (["mandate", "grnt"], "Did you mean 'grant'?"),
        (["incident", "scor"], "Did you mean 'score'?"),
        (["mandate", "zzz"], "No such command 'zzz'."),
    ],
)
def test_a_wrong_command_is_told_with_the_nearest(words: list[str], said: str) -> None:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize("group", ["mandate", "incident"])
def test_the_commands_of_a_group_are_listed_and_answer(group: str) -> None:
    listed = CliRunner().invoke(main, [group, "--help"]).output
    names = [line.split()[0] for line in listed.partition("Commands:")[2].splitlines() if line]
    assert len(names) > 3
    for name in names:
        assert CliRunner().invoke(main, [group, name, "--help"]).exit_code == 0
