"""Can every fleet be built, with the replicas it says, and does its feed bind?"""

import pytest

from flyball.sim.build import build
from flyball.sim.experiments.contestants import DEFAULTS
from flyball.sim.experiments.fleets import FLEETS
from flyball.sim.experiments.trial import Trial, scenario


@pytest.mark.parametrize("name", FLEETS)
def test_a_fleet_stands_as_it_says(name: str) -> None:
    trial = Trial(fleet=name, mix="agents", contestant=DEFAULTS["governor"], step=0, seed=1)
    fleet, _ = build(scenario(trial))
    assert len(fleet.endpoints) == FLEETS[name].replicas == 8
    assert {site.name for site in fleet.sites} == set(FLEETS[name].sites)


def test_the_feed_is_below_what_the_fleet_can_draw() -> None:
    trial = Trial(fleet="feed", mix="agents", contestant=DEFAULTS["governor"], step=0, seed=1)
    fleet, _ = build(scenario(trial))
    full = sum(fleet.pool(one.pool).profile.power.full_watts for one in fleet.endpoints)
    idle = sum(fleet.pool(one.pool).profile.power.idle_watts for one in fleet.endpoints)
    assert idle < fleet.sites[0].power_watts_max < full


def test_only_fleets_of_several_sites_are_partitioned_and_their_classes_can_go_on() -> None:
    for fleet in FLEETS.values():
        assert bool(fleet.partition) == (len(fleet.sites) > 1)
        left = {s["jurisdiction"] for name, s in fleet.sites.items() if name != fleet.partition}
        for jurisdictions in fleet.resident.values():
            assert left & set(jurisdictions)
