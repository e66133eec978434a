"""Does the gate hold, shed by priority, and let through one request a tick?"""

import pytest

from flyball.sim.rivals.epp_flow import EppFlow
from flyball.sim.rivals.router import EndpointView, Wait
from support import rivals


def passes(router: EppFlow, at: float, views: list[EndpointView], most: int = 99) -> int:
    """How many pass at this moment before the first must wait."""
    for count in range(most):
        if isinstance(router.pick(at, rivals.ask(), views), Wait):
            return count
    return most


def test_saturated_waits_for_the_ttl() -> None:
    router, views = EppFlow(rivals.setting(1)), rivals.views(1)
    router.band(rivals.ask())
    assert router.pick(0.0, rivals.ask(), views) == Wait(60.0)  # never scraped = saturated
    rivals.scraped(views[0], kv_usage=0.79, at=1.0)
    assert router.pick(1.0, rivals.ask(), views) is views[0]
    assert router.held_max == 5000


def test_one_each_tick_so_many_on_one_scrape() -> None:
    router, views = EppFlow(rivals.setting(1)), rivals.views(1)
    router.band(rivals.ask())
    assert passes(router, 9.9, views) == 0  # shut
    rivals.scraped(views[0], at=10.0)
    # The gate opens: the 100 ms since it was last looked at count as one scrape interval, 50 + 1.
    assert passes(router, 10.0, views) == 51
    assert passes(router, 10.0005, views) == 0
    assert passes(router, 10.003, views) == 3  # 1, 2 and 3 ms later


def test_stale_metrics_shut_the_gate() -> None:
    router, views = EppFlow(rivals.setting(1)), rivals.views(1)
    router.band(rivals.ask())
    rivals.scraped(views[0], at=10.0)
    assert passes(router, 10.1, views, 1) == 1
    assert passes(router, 10.21, views) == 0


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
    assert router.pick(1.1, asks[0], views) is views[0]
    # The published default holds nothing back.
    plain = EppFlow(rivals.setting(1))
    assert [plain.band(request) for request in asks.values()] == [7, 0, -1]
    assert [plain.ceiling(p) for p in (7, 0, -1)] == [1.0, 1.0, 1.0]
