"""Does a person get a key, see what waits, and confirm as the second one, from the command line?"""

import json
from pathlib import Path

import pytest

from flyball.authority.revocation.signer import Signer, key_text
from flyball.cli.people import command, show_state
from support.doors import ran, shut, the_door


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "ada.key"
    code, out, _ = ran(command, "new-key", "ada", "--key", str(path))
    assert code == 0 and path.stat().st_mode & 0o777 == 0o600
    assert out.strip() == key_text(Signer.parse(path.read_text()).public)
    before = path.read_text()
    code, _, err = ran(command, "new-key", "ada", "--key", str(path))
    assert code == 2 and "never written over" in err and path.read_text() == before
    assert ran(command, "new-key", "a/b", "--key", str(tmp_path / "x"))[0] == 2
    assert ran(command, "new-key", "ada", "--key", str(tmp_path / "no" / "x"))[0] == 2


def test_what_waits_is_shown_and_confirmed_by_a_second_person(tmp_path: Path) -> None:
    from flyball.cli.override import command as override
    from flyball.cli.stop import command as stop

    with the_door(tmp_path, two_persons=("stop", "override")) as door:
        code, out, _ = ran(stop, "all", "--reason", "fire", *door.by("bob"))
        assert code == 0 and "waits for a second person" in out
        order = out.split()[-1]
        assert order in ran(command, "show", *door.by("vic"))[1]
        code, _, err = ran(command, "confirm", order, *door.by("bob"))
        assert code == 1 and "a second person must confirm" in err
        code, out, err = ran(command, "confirm", order, *door.by("apo"))
        assert code == 0 and out.startswith("stop all in force")
        assert "bob asks: stop all (fire)" in err
        assert ran(command, "confirm", order, *door.by("apo"))[0] == 1
        _, out, _ = ran(override, "loop:power", "hold", "--reason", "r", *door.by("bob"))
        assert ran(command, "confirm", out.split()[-1], *door.by("ada"))[0] == 0
        code, out, _ = ran(show_state, "-o", "json", *door.by("ada"))
        assert code == 0 and json.loads(out)["you"] == {"name": "ada", "role": "admin"}


@pytest.mark.parametrize("words", [("show",), ("confirm", "x")])
def test_nobody_there_is_code_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    code, out, err = ran(command, *words, *shut(tmp_path))
    assert code == 2 and out == "" and "--url" in err
