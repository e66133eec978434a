"""Does it fall back until it has learnt, and then pack by headroom?"""

import numpy as np
import pytest

from flyball.governor.events import Served
from flyball.model.faults import Refusal
from flyball.sim.rivals.epp_predicted import EppPredicted
from flyball.sim.rivals.router import EndpointView
from support import rivals


def taught(ttft_per_waiting_s: float = 0.2, **tuned: float) -> EppPredicted:
    """Has learnt: TTFT = ttft_per_waiting_s * waiting, TPOT = 0.02 s."""
    router = EppPredicted(rivals.setting(3), {"tier_epsilon": 0.0, **tuned})
    chance = np.random.default_rng(1)
    for _ in range(128):
        features = np.array(
            [chance.random(), 375.0, chance.integers(0, 9), chance.integers(0, 30), 0.0, 0.0]
        )
        router.ttft.learn(features, ttft_per_waiting_s * features[2])
        router.tpot.learn(features, 0.02)
    return router


def test_fallback_is_kv_queue_prefix_one_to_one_to_one() -> None:
    router, views = EppPredicted(rivals.setting(2)), rivals.views(2)
    rivals.scraped(views[0], waiting=0, kv_usage=0.9)
    rivals.scraped(views[1], waiting=1, kv_usage=0.2)
    # 1 + .1 against 0 + .8: with the default weights 2:2 too, but a whole prefix turns it: 1.8.
    assert rivals.shares(router, views, picks=10) == [10, 0]
    rivals.sent(router, rivals.ask((1, 2)), views[1])
    assert rivals.shares(router, views, lambda: rivals.ask((1, 2)), 10) == [0, 10]


def test_the_tightest_that_keeps_the_promise_is_likeliest() -> None:
    router, views = taught(), rivals.views(3)
    for view, waiting in zip(views, (0, 4, 8), strict=True):
        rivals.scraped(view, waiting=waiting)
    # Predicted TTFT 0, 0.8, 1.6 s against 1 s: room 1.0 and 0.2; the third is out. Weights
    # 1 - 0.8 * 1 + .01 = .21 and 1.01: shares 52 and 248 of 300.
    first, _second, third = rivals.shares(router, views)
    assert third == 0 and 30 < first < 80


def test_without_room_the_nearest_to_its_promise() -> None:
    router, views = taught(ttft_per_waiting_s=1.0), rivals.views(3)
    for view, waiting in zip(views, (2, 5, 9), strict=True):
        rivals.scraped(view, waiting=waiting, kv_usage=0.5)
    first, second, third = rivals.shares(router, views)
    # Beyond by 1, 4 and 8 s: weights 1.01, 1.01 - .8 * 3/7 = .667, .21.
    assert first > second > third > 0


def test_sheddable_work_needs_room_or_a_free_endpoint() -> None:
    router, views = taught(ttft_per_waiting_s=1.0), rivals.views(3)
    for view in views:
        rivals.scraped(view, waiting=5, running=3, kv_usage=0.5)
    refusal = router.pick(0.0, rivals.ask(priority=-1), views)
    assert isinstance(refusal, Refusal) and refusal.fault.status == 429
    assert isinstance(router.pick(0.0, rivals.ask(), views), EndpointView)
    rivals.scraped(views[2], waiting=5, running=3, kv_usage=0.01)  # cold
    assert isinstance(router.pick(0.0, rivals.ask(priority=-1), views), EndpointView)


def test_a_held_prefix_wins_unless_waiting_costs_too_much() -> None:
    router, views = taught(), rivals.views(3)
    rivals.sent(router, rivals.ask((1, 2, 3, 4, 5)), views[2])
    for view in views:
        rivals.scraped(view, waiting=1)

    def make() -> object:
        return rivals.ask((1, 2, 3, 4, 5))

    assert rivals.shares(router, views, make, 20) == [0, 0, 20]
    strict = taught(ttft_penalty_s_max=0.1)
    rivals.sent(strict, rivals.ask((1, 2, 3, 4, 5)), views[2])
    rivals.scraped(views[2], waiting=4)  # 0.6 s later than the others
    assert sum(rivals.shares(strict, views, make, 60)[:2]) > 0


def test_answers_teach() -> None:
    router, views = EppPredicted(rivals.setting(1)), rivals.views(1)
    request = rivals.ask()
    router.pick(0.0, request, views)
    rivals.sent(router, request, views[0], at=1.0)
    request.first_byte_at = 1.5
    router.first_byte(1.5, request, views[0])
    event = Served(at=2.5, request_id="r", status=200, output_tokens=11)
    router.served(2.5, request, views[0], event)
    assert (router.ttft.seen, router.tpot.seen) == (1, 1)
    router.served(2.5, request, views[0], event)
    assert router.tpot.seen == 1


@pytest.mark.parametrize("cause", ["reset", "deadline", "gone"])
def test_failures_teach_nothing(cause: str) -> None:
    router, views = EppPredicted(rivals.setting(1)), rivals.views(1)
    request = rivals.ask()
    router.pick(0.0, request, views)
    rivals.sent(router, request, views[0])
    router.failed(1.0, request, views[0], cause)
    router.first_byte(1.0, request, views[0])
    assert router.ttft.seen == 0
