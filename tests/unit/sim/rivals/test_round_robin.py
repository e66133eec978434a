"""Does each eligible endpoint get its turn?"""

from flyball.governor.events import AttemptFailed
from flyball.sim.rivals.round_robin import RoundRobin
from support import rivals


def test_turns() -> None:
    router, views = RoundRobin(rivals.setting(3)), rivals.views(3)
    turns = [router.pick(0.0, rivals.ask(), views).index for _ in range(5)]
    assert turns == [0, 1, 2, 0, 1]
    # Endpoint 2 may not be used now: the turn goes on with 0, and 2 is due after 1 again.
    assert router.pick(0.0, rivals.ask(), views[:2]).index == 0
    assert [router.pick(0.0, rivals.ask(), views).index for _ in range(2)] == [1, 2]


def test_load_and_stale_views_do_not_matter() -> None:
    router, views = RoundRobin(rivals.setting(2)), rivals.views(2)
    rivals.scraped(views[0], waiting=100, kv_usage=1.0)
    views[0].in_flight = 50
    assert rivals.shares(router, views, picks=10) == [5, 5]


def test_one_failure_takes_an_endpoint_out_for_ten_seconds() -> None:
    router, views = RoundRobin(rivals.setting(2)), rivals.views(2)
    router.failed(1.0, rivals.ask(), views[0], "gone")
    router.failed(1.0, rivals.ask(), views[0], "status")
    assert router.pick(1.0, rivals.ask(), views) is views[0]
    router.failed(1.0, rivals.ask(), views[0], "connect")
    assert [router.pick(at, rivals.ask(), views).index for at in (1.0, 2.0, 10.9)] == [1, 1, 1]
    assert router.pick(11.0, rivals.ask(), views) is views[0]
    for view in views:
        router.failed(12.0, rivals.ask(), view, "reset")
    assert rivals.shares(router, views, picks=10) == [5, 5]  # all out: all in


def test_more_failures_may_be_allowed() -> None:
    router, views = RoundRobin(rivals.setting(2), {"max_fails": 2}), rivals.views(2)
    for at in (0.0, 11.0):  # too far apart
        router.failed(at, rivals.ask(), views[0], "reset")
    assert router.pick(11.0, rivals.ask(), views) is views[0]
    router.failed(12.0, rivals.ask(), views[0], "reset")
    assert [router.pick(12.0, rivals.ask(), views).index for _ in range(2)] == [1, 1]


def test_only_what_was_not_sent_is_sent_again() -> None:
    router, request = RoundRobin(rivals.setting(2)), rivals.ask()
    request.attempt = 1
    for cause, wait_s in (("connect", 0.0), ("reset", None), ("stall", None)):
        event = AttemptFailed(at=1.0, request_id="r", endpoint=0, cause=cause)
        assert router.retry_s(1.0, request, event) == wait_s
    request.attempt = 2
    event = AttemptFailed(at=1.0, request_id="r", endpoint=1, cause="connect")
    assert router.retry_s(1.0, request, event) is None
