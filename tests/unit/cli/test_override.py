"""Does `flyball override` take a loop or an endpoint out of the governor's hands?"""

import json
from pathlib import Path

from flyball.cli.override import command
from flyball.governor.events import EndpointDraining
from support.doors import ran, the_door


def test_loops_and_endpoints(tmp_path: Path) -> None:
    with the_door(tmp_path) as door:
        words = ("loop:power", "hold", "--for", "60", "--reason", "r")
        code, out, _ = ran(command, *words, *door.by("bob"))
        assert code == 0 and out.startswith("override loop:power in force")
        assert door.around.acts[0].for_s == 60.0
        words = ("endpoint:p-1", "drained", "--reason", "r", "-o", "json")
        code, out, _ = ran(command, *words, *door.by("ada"))
        assert code == 0 and json.loads(out)["act"] == "override"
        assert isinstance(door.around.events[0], EndpointDraining)
        code, _, err = ran(command, "endpoint:p-7", "drained", "--reason", "r", *door.by("ada"))
        assert code == 1 and "no endpoint named 'p-7'" in err
