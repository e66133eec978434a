"""Does `flyball resume` let go on what was stopped, for those who may?"""

from pathlib import Path

from flyball.cli.resume import command
from flyball.governor.events import StopSet
from support.doors import ran, the_door


def test_it_goes_on(tmp_path: Path) -> None:
    with the_door(tmp_path) as door:
        code, out, _ = ran(command, "class:c", "--reason", "over", *door.by("bob"))
        assert code == 0 and out.startswith("resume class:c in force")
        code, _, err = ran(command, "class:c", "--reason", "over", *door.by("apo"))
        assert code == 1 and "may not resume" in err
        assert [one.is_stopped for one in door.around.events if isinstance(one, StopSet)] == [False]
