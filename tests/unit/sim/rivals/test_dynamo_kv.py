"""Is the cost Dynamo's, in blocks, with its ties and its queue?"""

import pytest

from flyball.sim.rivals.dynamo_kv import DynamoKv
from flyball.sim.rivals.router import Wait
from support import rivals


def test_cost_by_hand() -> None:
    router, views = DynamoKv(rivals.setting(3)), rivals.views(3)
    rivals.sent(router, rivals.ask((1, 2, 3)), views[0])
    views[0].prefill_tokens, views[0].held_tokens = 160.0, 320.0
    views[1].held_tokens = 80.0
    request = rivals.ask((1, 2, 3, 4))  # 256 tokens = 16 blocks of 16
    # 0: prefill (160 + 256)/16 = 26, less 192/16 = 12 cached -> 14; decode 320/16 + 16 = 36.
    # 1: prefill 16; decode 5 + 16. 2: 16 + 16.
    assert router.costs(request, views) == pytest.approx([50.0, 37.0, 32.0])
    assert rivals.shares(router, views, lambda: rivals.ask((1, 2, 3, 4)), 10) == [0, 0, 10]
    views[0].prefill_tokens = views[0].held_tokens = 0.0
    assert router.costs(request, views)[0] == pytest.approx(4.0 + 16.0)
    # Half the credit, half the discount; load scale 0 leaves the decode blocks.
    half = DynamoKv(rivals.setting(3), {"device_credit": 0.5})
    half.affinity = router.affinity
    assert half.costs(request, views)[0] == pytest.approx(10.0 + 16.0)
    light = DynamoKv(rivals.setting(3), {"prefill_load_scale": 0})
    assert light.costs(request, views) == pytest.approx([16.0, 21.0, 16.0])


def test_ties_are_drawn_and_scrapes_not_read() -> None:
    router, views = DynamoKv(rivals.setting(2)), rivals.views(2)
    rivals.scraped(views[0], waiting=100, kv_usage=1.0)
    first, second = rivals.shares(router, views)
    assert 110 < first < 190 and first + second == 300


def test_it_queues_when_every_endpoint_has_sixteen_steps_to_do() -> None:
    router, views = DynamoKv(rivals.setting(2)), rivals.views(2)
    views[0].prefill_tokens = views[1].prefill_tokens = 16.0 * 2048
    assert not isinstance(router.pick(0.0, rivals.ask(), views), Wait)
    views[0].prefill_tokens = views[1].prefill_tokens = 16.0 * 2048 + 1
    assert isinstance(router.pick(0.0, rivals.ask(), views), Wait)
    views[1].prefill_tokens = 0.0
    assert router.pick(0.0, rivals.ask(), views) is views[1]


def test_temperature_softens() -> None:
    router, views = DynamoKv(rivals.setting(2), {"temperature": 1.0}), rivals.views(2)
    views[1].held_tokens = 1600.0
    first, _second = rivals.shares(router, views, picks=1000)
    # Costs scaled by their spread: 1 : exp(-1) = 731 : 269.
    assert 690 < first < 770
    assert sum(rivals.shares(router, rivals.views(2))) == 300


def test_an_endpoint_that_leaves_has_no_cache() -> None:
    router, views = DynamoKv(rivals.setting(1)), rivals.views(1)
    rivals.sent(router, rivals.ask((1, 2)), views[0])
    router.left(views[0])
    assert router.costs(rivals.ask((1, 2)), views) == [16.0]
