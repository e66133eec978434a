"""Do requests follow the weights, and sessions stay in their pool?"""

import numpy as np
import pytest

from flyball.sim.rivals.pool_split import PoolSplit
from flyball.sim.rivals.router import EndpointView, Setting
from support import fleets, rivals


def unlike() -> tuple[Setting, list[EndpointView]]:
    """Two H100 and two L40S."""
    fleet = fleets.fleet(h100=2, l40s=2)
    pools = {pool.name: pool for pool in fleet.pools}
    setting = Setting(fleet=fleet, chance=np.random.default_rng(1), block_tokens=64)
    views = [EndpointView(i, e.name, pools[e.pool]) for i, e in enumerate(fleet.endpoints)]
    return setting, views


def fast_share(tuned: dict[str, float]) -> float:
    setting, views = unlike()
    counts = rivals.shares(PoolSplit(setting, tuned), views, picks=2000)
    fast = views[0].pool.profile.name
    return (
        sum(n for n, one in zip(counts, views, strict=True) if one.pool.profile.name == fast) / 2000
    )


def test_tight_classes_and_others_follow_count_and_speed_each_by_its_own_rule() -> None:
    _, views = unlike()
    steps = {one.pool.name: one.pool.profile.decode_step_s(32, 48_000) for one in views}
    quick, slow = sorted(1.0 / step for step in steps.values())[::-1]
    expected = quick / (quick + slow)
    is_tight = 0.0 < fleets.CHAT.promise.ttft_s <= 1.0
    mine, other = ("tight_exponent", "other_exponent")[:: 1 if is_tight else -1]
    assert fast_share({mine: 0.0}) == pytest.approx(0.5, abs=0.05)
    assert fast_share({}) == pytest.approx(expected, abs=0.05)
    assert fast_share({mine: 2.0}) > expected + 0.05
    assert fast_share({other: 0.0}) == pytest.approx(expected, abs=0.05)


def test_a_session_stays_in_its_pool_and_sessions_are_shared_out() -> None:
    setting, views = unlike()
    router = PoolSplit(setting)
    seen: dict[str, set[str]] = {}
    for number in range(60):
        for _ in range(3):
            request = rivals.ask(session_hint=f"s{number}", session_source="header")
            picked = router.pick(0.0, request, views)
            assert isinstance(picked, EndpointView)
            seen.setdefault(f"s{number}", set()).add(picked.pool.name)
    assert all(len(pools) == 1 for pools in seen.values())
    assert len(set.union(*seen.values())) == 2


def test_a_pool_that_is_gone_gets_nothing() -> None:
    setting, views = unlike()
    only = [one for one in views if one.pool.name == views[0].pool.name]
    for _ in range(50):
        assert PoolSplit(setting).pick(0.0, rivals.ask(), only) in only
