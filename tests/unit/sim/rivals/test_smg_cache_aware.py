"""Are threshold, balance, retries and breaker those of SMG's command line?"""

import pytest

from flyball.governor.events import AttemptFailed, Served
from flyball.model.faults import Refusal
from flyball.sim.rivals.smg_cache_aware import SmgCacheAware
from support import rivals

LONG = tuple(range(10))


def failure(status: int = 503, attempt: int = 1) -> AttemptFailed:
    return AttemptFailed(at=1.0, request_id="r", endpoint=0, cause="status", status=status)


def test_a_match_above_the_threshold_wins_over_load() -> None:
    router, views = SmgCacheAware(rivals.setting(3)), rivals.views(3)
    rivals.sent(router, rivals.ask(LONG[:4]), views[2])
    views[2].in_flight = 60
    # 4 of 10 blocks > 0.3, and 60 - 0 is not above 64.
    assert router.pick(0.0, rivals.ask(LONG), views) is views[2]


def test_at_the_threshold_the_first_of_the_least_loaded() -> None:
    router, views = SmgCacheAware(rivals.setting(3)), rivals.views(3)
    rivals.sent(router, rivals.ask(LONG[:3]), views[2])  # 3 of 10 is not above 0.3
    assert rivals.shares(router, views, lambda: rivals.ask(LONG), 5) == [5, 0, 0]
    views[0].in_flight = 1
    assert rivals.shares(router, views, lambda: rivals.ask(LONG), 5) == [0, 5, 0]


def test_imbalance_needs_both_thresholds() -> None:
    router, views = SmgCacheAware(rivals.setting(2)), rivals.views(2)
    rivals.sent(router, rivals.ask(LONG), views[0])
    views[0].in_flight, views[1].in_flight = 65, 0
    assert router.pick(0.0, rivals.ask(LONG), views) is views[1]
    views[0].in_flight = 64
    assert router.pick(0.0, rivals.ask(LONG), views) is views[0]
    views[0].in_flight, views[1].in_flight = 195, 130  # 65 apart, but just 1.5 times
    assert router.pick(0.0, rivals.ask(LONG), views) is views[0]


def test_equal_matches_are_drawn() -> None:
    router, views = SmgCacheAware(rivals.setting(2)), rivals.views(2)
    for view in views:
        rivals.sent(router, rivals.ask(LONG), view)
    first, _second = rivals.shares(router, views, lambda: rivals.ask(LONG))
    assert 110 < first < 190


def test_retries_grow_by_half_up_to_five_tries() -> None:
    router, request = SmgCacheAware(rivals.setting(1)), rivals.ask()
    for attempt, base_s in ((1, 0.05), (2, 0.075), (4, 0.16875)):
        request.attempt = attempt
        waits = [router.retry_s(1.0, request, failure()) for _ in range(50)]
        assert all(0.8 * base_s <= (wait or 0.0) <= 1.2 * base_s for wait in waits)
        assert len(set(waits)) > 1
    request.attempt = 5
    assert router.retry_s(1.0, request, failure()) is None
    request.attempt = 1
    assert router.retry_s(1.0, request, failure(status=400)) is None


def test_ten_failures_open_the_circuit() -> None:
    router, views = SmgCacheAware(rivals.setting(2)), rivals.views(2)
    rivals.sent(router, rivals.ask(LONG), views[0])
    for _ in range(10):
        router.failed(1.0, rivals.ask(), views[0], "gone")
    assert router.pick(1.0, rivals.ask(LONG), views) is views[0]
    for _ in range(10):
        router.failed(1.0, rivals.ask(), views[0], "reset")
    assert router.pick(2.0, rivals.ask(LONG), views) is views[1]
    refusal = router.pick(2.0, rivals.ask(LONG), views[:1])
    assert isinstance(refusal, Refusal) and refusal.code == "no_endpoint"
    assert router.pick(61.0, rivals.ask(LONG), views) is views[0]
    router.served(61.0, rivals.ask(), views[0], Served(at=61.0, request_id="r", status=200))
    router.left(views[0])
    assert router.affinity.match(rivals.ask(LONG)) == {}


@pytest.mark.parametrize(("name", "value"), [("cache_threshold", 0.5)])
def test_the_library_defaults_can_be_set(name: str, value: float) -> None:
    router, views = SmgCacheAware(rivals.setting(2), {name: value}), rivals.views(2)
    rivals.sent(router, rivals.ask(LONG[:5]), views[1])
    assert router.pick(0.0, rivals.ask(LONG), views) is views[0]
