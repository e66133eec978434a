"""Does the plan see what each pool has, may get, may lose, and shares?"""

import msgspec
import pytest

from flyball.governor.governor import Governor
from flyball.governor.period.capacity import CLOCKS, capacity
from flyball.governor.state import State
from flyball.model.fleet import Fleet
from flyball.model.loop import LoopPolicy
from support import fleets


def state_of(*loops: LoopPolicy, watts: float = float("inf")) -> State:
    """Four endpoints of each pool, one of them off; both sites may draw `watts`."""
    fleet = fleets.fleet(h100=4, l40s=4)
    sites = tuple(msgspec.structs.replace(site, power_watts_max=watts) for site in fleet.sites)
    fleet = Fleet(sites=sites, pools=fleet.pools, endpoints=fleet.endpoints)
    state = Governor(fleet, fleets.policy(loops=loops)).state
    for endpoint in state.view.endpoints:
        endpoint.draining = endpoint.name.endswith("-3")
    return state


def test_without_loops_there_is_what_runs() -> None:
    found = capacity(state_of())
    assert [pool.gpu_s_max for pool in found.pools] == [3.0, 3.0]
    assert [pool.kv_tokens_max for pool in found.pools] == [3 * 397_000.0, 3 * 185_000.0]
    assert (found.supplies, found.group_names) == ([], [])


def test_what_runs_anyway_stands_idle_at_the_sites_limit() -> None:
    found = capacity(state_of(watts=1000.0))
    assert found.site_watts_max == [1000.0 - 3 * 120.0, 1000.0 - 3 * 60.0]
    assert capacity(state_of(watts=100.0)).site_watts_max == [0.0, 0.0]


def test_replicas_may_stop_and_start_where_autoscaling_runs() -> None:
    loop = LoopPolicy(
        name="autoscaling", scopes=("big",), limit_low=1.0, start_s=90.0, horizon_s=900.0
    )
    found = capacity(state_of(loop))
    assert [pool.gpu_s_max for pool in found.pools] == [1.0, 3.0]
    run, start = found.supplies
    assert (run.kind, run.replicas_max, run.gpu_s) == ("run", 2.0, 1.0)
    assert (start.kind, start.replicas_max, start.gpu_s) == ("start", 1.0, pytest.approx(0.9))
    assert run.usd_per_s == pytest.approx(3.0 / 3600.0) and run.watts == 120.0
    assert start.kv_tokens == pytest.approx(0.9 * 397_000.0)


def test_a_ramp_bounds_what_may_change_within_the_horizon() -> None:
    loop = LoopPolicy(
        name="autoscaling", limit_low=0.0, start_s=10.0, horizon_s=100.0, rate_per_s=1.0 / 600.0
    )
    found = capacity(state_of(loop))
    # Relative: of three replicas a sixth in 100 s.
    assert found.pools[0].gpu_s_max == pytest.approx(2.5)
    assert [s.replicas_max for s in found.supplies[:2]] == pytest.approx([0.5, 0.5])


def test_a_start_longer_than_the_horizon_brings_nothing() -> None:
    found = capacity(state_of(LoopPolicy(name="autoscaling", start_s=500.0, horizon_s=100.0)))
    assert all(s.gpu_s == 0.0 for s in found.supplies if s.kind == "start")


def test_models_share_a_number_of_replicas_awake() -> None:
    found = capacity(state_of(LoopPolicy(name="residency", limit_high=4.0)))
    assert [pool.gpu_s_max for pool in found.pools] == [0.0, 0.0]
    assert found.group_units_max == [4.0]
    assert {s.group_index for s in found.supplies} == {0}
    assert sum(s.replicas_max for s in found.supplies) == 8.0
    assert all(s.usd_per_s == 0.0 and s.units == 1.0 for s in found.supplies)


def test_under_a_power_limit_replicas_run_at_one_clock_or_another() -> None:
    found = capacity(state_of(LoopPolicy(name="power", scopes=("big",)), watts=2000.0))
    assert [(p.name, p.clock) for p in found.pools] == [
        ("big", 1.0),
        ("small", 1.0),
        *(("big", clock) for clock in CLOCKS[1:]),
    ]
    assert found.pools[0].gpu_s_max == 0.0 and found.pools[1].gpu_s_max == 3.0
    assert [s.gpu_s for s in found.supplies] == list(CLOCKS)
    assert found.group_units_max == [3.0], "each replica at one clock at a time"
    assert capacity(state_of(LoopPolicy(name="power"))).supplies == [], "no limit, no choice"
