"""Does each standard trouble strike whom it should, and nobody where it has no meaning?"""

from flyball.sim.experiments.fleets import FLEETS
from flyball.sim.experiments.troubles import TROUBLES, troubles_of


def test_a_tenth_of_the_replicas_is_lost_the_fast_ones_first() -> None:
    (lost,) = TROUBLES["loss"].strikes(FLEETS["tiers"])
    assert (lost["target"], lost["for_s"]) == ("h100-0", 120.0)


def test_only_a_fleet_of_several_sites_is_partitioned() -> None:
    assert "partition" not in troubles_of(FLEETS["mixed"])
    assert "partition" in troubles_of(FLEETS["tiers"])
    (cut,) = TROUBLES["partition"].strikes(FLEETS["tiers"])
    assert cut["target"] == FLEETS["tiers"].partition


def test_all_others_strike_everywhere() -> None:
    for fleet in FLEETS.values():
        assert {"spike", "loss", "outage", "slow", "budget"} <= set(troubles_of(fleet))
