"""What do views, asks and the base rule say before anything is known?"""

import pytest

from flyball.governor.events import AttemptFailed
from flyball.sim.rivals.least_request import LeastRequest
from flyball.sim.rivals.round_robin import RoundRobin
from flyball.sim.rivals.router import Router
from support import rivals


def test_an_endpoint_never_scraped_reads_as_idle() -> None:
    (view,) = rivals.views(1)
    assert (view.waiting, view.running, view.kv_usage) == (0, 0, 0.0)
    rivals.scraped(view, waiting=3, running=2, kv_usage=0.5)
    assert (view.waiting, view.running, view.kv_usage) == (3, 2, 0.5)


def test_draws_are_even_among_the_best_alone() -> None:
    router = RoundRobin(rivals.setting(3))
    views = rivals.views(3)
    drawn = [router.draw_best(views, [1.0, 0.5, 1.0]).index for _ in range(400)]
    assert drawn.count(1) == 0
    assert 150 < drawn.count(0) < 250
    assert router.draw_one(views[2:]).index == 2


def test_failures_go_to_the_client_unless_the_rule_says_otherwise() -> None:
    router = LeastRequest(rivals.setting(2))
    request = rivals.sent(router, rivals.ask(), rivals.views(1)[0])
    event = AttemptFailed(at=1.0, request_id="r", endpoint=0, cause="reset")
    assert router.retry_s(1.0, request, event) is None
    router.attempts_max = 2
    assert router.retry_s(1.0, request, event) == 0.0


def test_a_rule_without_a_name_is_none() -> None:
    with pytest.raises(ValueError, match="no rival is named ''"):
        Router(rivals.setting(1))


def test_restart_forgets() -> None:
    router = RoundRobin(rivals.setting(2))
    views = rivals.views(2)
    assert router.pick(0.0, rivals.ask(), views).index == 0
    router.restart(rivals.fleet(2))
    assert router.pick(0.0, rivals.ask(), views).index == 0
