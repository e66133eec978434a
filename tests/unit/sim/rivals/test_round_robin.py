"""Does each eligible endpoint get its turn?"""

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
