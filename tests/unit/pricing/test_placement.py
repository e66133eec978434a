"""Is a placement that makes no sense refused, with its place?"""

import pytest
from msgspec.structs import replace

from flyball.pricing.placement import Asset, Option, Placement, check
from support.placements import flow, placement, profiles

H100 = Asset(site_index=0, accelerator="H100-SXM", rent_max=4, usd_per_hour=8.0)
SOUND = placement([flow()], [H100])


def test_a_sound_one_passes_and_flows_have_names() -> None:
    check(SOUND)
    assert SOUND.flows[0].name == "chat from here"


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (replace(SOUND, flows=()), "no demand"),
        (replace(SOUND, flows=(flow(sites=2),)), "chat from here: 2 round trips for 1 sites"),
        (replace(SOUND, flows=(flow(rate=-1.0),)), "negative"),
        (replace(SOUND, flows=(flow(served_min=1.1),)), "served_min"),
        (replace(SOUND, assets=(replace(H100, site_index=1),)), "H100-SXM: no site 1"),
        (replace(SOUND, assets=(replace(H100, owned=-1),)), "H100-SXM: a count or price"),
        (replace(SOUND, options=(Option(asset_index=3, profile=profiles()[0]),)), "no asset 3"),
        (replace(SOUND, options=()), "nothing to place it on"),
        (replace(SOUND, in_time=1.0), "in_time"),
        (replace(SOUND, z=-1.0), "z"),
    ],
)
def test_what_cannot_be_is_refused(broken: Placement, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check(broken)
