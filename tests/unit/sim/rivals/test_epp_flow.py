"""Does the gate hold, shed by priority, and let through one request a tick?"""

import pytest

from flyball.sim.rivals.epp_flow import EppFlow
from flyball.sim.rivals.router import EndpointView, Wait
from support import rivals


def arrive(router: EppFlow, at: float, views: list[EndpointView]) -> bool:
    """Whether an arrival lets one pass."""
    request = rivals.ask()
    router.band(request)
    return not isinstance(router.pick(at, request, views), Wait)


def passes(router: EppFlow, at: float, views: list[EndpointView], most: int = 99) -> int:
    """How many pass at this moment before the first must wait."""
    for count in range(most):
        if isinstance(router.pick(at, rivals.ask(), views), Wait):
            return count
    return most


def test_saturated_waits_for_the_ttl() -> None:
    router, views = EppFlow(rivals.setting(1)), rivals.views(1)
    request = rivals.ask()
    router.band(request)
    assert router.pick(0.0, request, views) == Wait(60.0)  # never scraped = saturated
    rivals.scraped(views[0], kv_usage=0.79, at=1.0)
    assert arrive(router, 1.0, views)
    rivals.scraped(views[0], kv_usage=0.80, at=1.0)
    assert not arrive(router, 1.0, views)
    assert router.held_max == 5000


def test_while_nobody_waits_every_arrival_passes() -> None:
    router, views = EppFlow(rivals.setting(1)), rivals.views(1)
    rivals.scraped(views[0], at=10.0)
    assert all(arrive(router, 10.0, views) for _ in range(30))


def test_one_each_tick_so_many_on_one_scrape() -> None:
    router, views = EppFlow(rivals.setting(1)), rivals.views(1)
    assert not arrive(router, 9.9, views)  # shut
    rivals.scraped(views[0], at=10.0)
    assert passes(router, 10.0, views) == 0  # open: the next tick counts
    assert passes(router, 10.0005, views) == 0
    assert passes(router, 10.003, views) == 3  # 1, 2 and 3 ms
    assert arrive(router, 10.0031, views)  # an arrival lets one more pass
    assert passes(router, 10.0031, views) == 0
    assert passes(router, 10.053, views) == 50  # all on one scrape


def test_ticks_of_an_empty_queue_are_not_saved() -> None:
    router, views = EppFlow(rivals.setting(1)), rivals.views(1)
    assert not arrive(router, 9.9, views)
    rivals.scraped(views[0], at=10.0)
    assert passes(router, 10.0, views) == 0
    assert passes(router, 10.05, views, most=1) == 1  # the only one that waited
    rivals.scraped(views[0], at=11.0)
    assert arrive(router, 11.0, views)
    assert passes(router, 11.0, views) == 0


def test_stale_metrics_shut_the_gate() -> None:
    router, views = EppFlow(rivals.setting(1)), rivals.views(1)
    rivals.scraped(views[0], at=10.0)
    assert arrive(router, 10.2, views)
    assert not arrive(router, 10.21, views)
    assert passes(router, 10.4, views) == 0


def test_holdback_ceilings_by_rank() -> None:
    tuned = {"ceiling_min": 0.4, "ceiling_max": 0.9}
    router, views = EppFlow(rivals.setting(1), tuned), rivals.views(1)
    asks = {priority: rivals.ask(priority=priority) for priority in (7, 0, -1)}
    for request in asks.values():
        router.band(request)
    # 0.9 - i * (0.9 - 0.4) / 2.
    assert [router.ceiling(p) for p in (7, 0, -1)] == pytest.approx([0.9, 0.65, 0.4])
    rivals.scraped(views[0], kv_usage=0.4, at=1.0)  # saturation 0.5
    assert isinstance(router.pick(1.0, asks[-1], views), Wait)
    router.band(asks[0])
    assert router.pick(1.1, asks[0], views) is views[0]
    # The published default holds nothing back.
    plain = EppFlow(rivals.setting(1))
    assert [plain.band(request) for request in asks.values()] == [7, 0, -1]
    assert [plain.ceiling(p) for p in (7, 0, -1)] == [1.0, 1.0, 1.0]
