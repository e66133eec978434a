"""Are the loops of the scenarios' fleets quiet as built, and loud where an incident says so?"""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flyball.cli.diagnose_files import load_loops
from flyball.diagnosis.codes.codes import level_of
from flyball.diagnosis.topology.topology import topology
from flyball.sim.incidents import wiring


def grave(folder: Path, loops: object) -> set[str]:
    file = folder / "loops.yaml"
    with file.open("w") as out:
        YAML(typ="safe").dump(loops, out)
    return {one.kind for one in topology(load_loops(str(file))) if level_of(one) == "error"}


@pytest.mark.parametrize(
    "loops",
    [
        wiring.pool(),
        wiring.pool(wiring.COST, wiring.CONTEXT),
        wiring.fleet(),
        wiring.fleet(router_gain=0.013, scale_gain=0.45, budget=37.5),
    ],
)
def test_sound_fleets_are_quiet(tmp_path: Path, loops: object) -> None:
    assert grave(tmp_path, loops) == set()


@pytest.mark.parametrize(
    ("loops", "kind"),
    [
        (wiring.pool(wiring.HEALTH_CHECK, wiring.TARGETS), "sign"),
        (wiring.pool(wiring.writer("other", 15.0)), "direct"),
        (wiring.pool(wiring.ROLLOUT, wiring.ROLLOUT_DOES), "temporal"),
        ({"version": "v1", "loops": wiring.THREADS, "effects": wiring.THREADS_DO}, "signal"),
        ({"version": "v1", "loops": wiring.VERTICAL, "effects": wiring.VERTICAL_DOES}, "signal"),
        (wiring.fleet(scale_gain=2.6), "temporal"),
    ],
)
def test_a_fault_shows(tmp_path: Path, loops: object, kind: str) -> None:
    assert kind in grave(tmp_path, loops)


def test_an_autoscaler_by_hand() -> None:
    loop = wiring.autoscaler(gain=0.2, start_s=60.0)
    assert loop["reads"][0]["gain"] == 0.2
    assert loop["delay_s"] == 60.0
