"""Are scores, shedding and staleness llm-d's?"""

import pytest

from flyball.model.faults import Refusal
from flyball.sim.rivals.epp_default import EppDefault, queue_scores
from support import rivals


def test_scores_by_hand() -> None:
    router, views = EppDefault(rivals.setting(3)), rivals.views(3)
    rivals.scraped(views[0], waiting=0, kv_usage=0.9)
    rivals.scraped(views[1], waiting=2, kv_usage=0.5)
    rivals.scraped(views[2], waiting=4, kv_usage=0.1)
    rivals.sent(router, rivals.ask((1, 2, 3)), views[1])
    request = rivals.ask((1, 2, 3, 4))
    # Queue 2 * (4-q)/4, KV 2 * (1-u), prefix 3 * 3/4 at endpoint 1 only.
    expected = [2.0 + 0.2, 1.0 + 1.0 + 2.25, 0.0 + 1.8]
    assert router.scores(request, views) == pytest.approx(expected)
    assert rivals.shares(router, views, lambda: rivals.ask((1, 2, 3, 4)), 20) == [0, 20, 0]
    # Without the weight of the prefix: 2.2, 2.0, 1.8.
    tuned = EppDefault(rivals.setting(3), {"prefix_weight": 0})
    assert rivals.shares(tuned, views, picks=20) == [20, 0, 0]


def test_equal_queues_score_one() -> None:
    views = rivals.views(2)
    assert queue_scores(views) == [1.0, 1.0]
    assert queue_scores([rivals.scraped(view, waiting=7) for view in views]) == [1.0, 1.0]


def test_ties_are_drawn() -> None:
    router, views = EppDefault(rivals.setting(2)), rivals.views(2)
    first, second = rivals.shares(router, views)
    assert 110 < first < 190 and first + second == 300


def test_scores_use_the_last_scrape_however_old() -> None:
    router, views = EppDefault(rivals.setting(2)), rivals.views(2)
    rivals.scraped(views[0], waiting=5, at=0.0)
    rivals.scraped(views[1], waiting=0, at=0.0)
    chosen = [router.pick(1000.0, rivals.ask(), views) for _ in range(20)]
    assert all(one is views[1] for one in chosen)


def test_saturation_by_hand() -> None:
    router, views = EppDefault(rivals.setting(3)), rivals.views(3)
    rivals.scraped(views[0], waiting=2, kv_usage=0.6, at=10.0)
    rivals.scraped(views[1], waiting=6, kv_usage=0.4, at=10.0)
    # max(2/5, .6/.8) = .75; max(6/5, .5) = 1.2; never scraped = 1.
    assert router.saturation(10.0, views) == pytest.approx((0.75 + 1.2 + 1.0) / 3)
    assert router.saturation(10.2, views) == pytest.approx((0.75 + 1.2 + 1.0) / 3)
    assert router.saturation(10.2, rivals.views(1)) == 1.0
    fresh = rivals.scraped(rivals.views(1)[0], at=0.0)
    assert router.saturation(0.2, [fresh]) == 0.0  # just not yet
    # After 200 ms all are stale, and stale means saturated.
    assert router.saturation(10.21, views) == 1.0


def test_only_negative_priority_is_shed() -> None:
    router, views = EppDefault(rivals.setting(1)), rivals.views(1)
    rivals.scraped(views[0], waiting=5, at=0.0)
    refusal = router.pick(0.0, rivals.ask(priority=-1), views)
    assert isinstance(refusal, Refusal) and refusal.fault.status == 429
    assert router.pick(0.0, rivals.ask(priority=0), views) is views[0]
    rivals.scraped(views[0], waiting=4, at=0.0)
    assert router.pick(0.0, rivals.ask(priority=-1), views) is views[0]


def test_a_fixed_index_and_one_that_leaves() -> None:
    tuned = {"prefix_auto_tune": 0, "prefix_blocks_per_server": 2}
    router, views = EppDefault(rivals.setting(1), tuned), rivals.views(1)
    rivals.sent(router, rivals.ask((1, 2, 3)), views[0])
    assert router.affinity.match(rivals.ask((1, 2, 3))) == {0: 2}
    router.left(views[0])
    assert router.affinity.match(rivals.ask((1, 2, 3))) == {}
