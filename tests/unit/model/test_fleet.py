"""Is a fleet whole, or refused with the name at fault?"""

import msgspec
import pytest

from flyball.model.fleet import Fleet
from support.fleets import fleet


def test_places_are_found_by_name() -> None:
    found = fleet()
    assert found.pool("small").site == "eu-edge"
    assert found.site_of(found.pool("small")).jurisdiction == "EU"
    with pytest.raises(KeyError):
        found.pool("none")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: {"sites": (*f.sites, f.sites[0])}, "two sites are named"),
        (lambda f: {"pools": (*f.pools, f.pools[0])}, "two pools are named"),
        (lambda f: {"endpoints": (*f.endpoints, f.endpoints[0])}, "two endpoints are named"),
        (lambda f: {"sites": f.sites[1:]}, "names an unknown site 'us-central'"),
        (lambda f: {"pools": f.pools[1:]}, "names an unknown pool 'big'"),
    ],
)
def test_a_fleet_with_holes_is_refused(change: object, told: str) -> None:
    found = fleet()
    with pytest.raises(ValueError, match=told):
        Fleet(**{**msgspec.structs.asdict(found), **change(found)})  # type: ignore[operator]
