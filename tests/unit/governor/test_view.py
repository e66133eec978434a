"""Is the matrix refreshed when state changes, and are peers, boards and reloads taken in?"""

from flyball.governor.view import FleetView
from flyball.model.prices import PoolPrice, PriceBoard
from flyball.model.signals import EngineSample, PeerLoad
from support import fleets


def test_only_dirty_columns_are_computed_again() -> None:
    view = FleetView(fleets.fleet(), fleets.policy())
    before = view.fresh_rows(1.0).copy()
    view.endpoints[0].running = 100
    assert (view.fresh_rows(1.0) == before).all(), "nobody said that it changed"
    view.dirty.add(0)
    after = view.fresh_rows(1.0)
    assert (after[:, 0] != before[:, 0]).any()
    assert (after[:, 1:] == before[:, 1:]).all()


def test_peers_add_their_work_and_leave_it_again() -> None:
    view = FleetView(fleets.fleet(), fleets.policy())
    load = PeerLoad(endpoint=2, running=4, pending=1, pending_prefill_tokens=300, kv_tokens=5000)
    view.take_peers((load,))
    assert view.endpoints[2].load == 5
    view.take_peers(())
    assert view.endpoints[2].load == 0


def test_own_loads_are_what_peers_are_told() -> None:
    view = FleetView(fleets.fleet(), fleets.policy())
    view.endpoints[1].running, view.endpoints[1].kv = 3, 900.0
    told = view.own_loads()
    assert [(load.endpoint, load.running, load.kv_tokens) for load in told] == [(1, 3, 900.0)]


def test_an_expired_board_leaves_the_rows() -> None:
    view = FleetView(fleets.fleet(), fleets.policy())
    plain = view.fresh_rows(1.0).copy()
    prices = (PoolPrice(pool="big", usd_per_gpu_second=1.0),)
    view.take_board(PriceBoard(version=1, made_at=1.0, valid_until=2.0, pools=prices))
    assert (view.fresh_rows(1.5) != plain).any()
    view.dirty.add(0)
    assert (view.fresh_rows(3.0) == plain).all()
    assert view.board.version == 0


def test_the_audit_counts_stale_readings() -> None:
    view = FleetView(fleets.fleet(metrics=True), fleets.policy())
    view.endpoints[0].take_sample(10.0, EngineSample(running=0, waiting=0))
    view.audit_trust(10.1)
    assert view.stale_count == 3
    assert abs(view.age_s(0) - 0.1) < 1e-9


def test_an_endpoint_that_drains_is_not_counted_as_stale() -> None:
    """Most replicas of a fleet that was scaled in are off: that says nothing of the others."""
    view = FleetView(fleets.fleet(metrics=True), fleets.policy())
    for state in view.endpoints[1:]:
        state.draining = True
    view.endpoints[0].take_sample(9.95, EngineSample(running=0, waiting=0))
    view.audit_trust(10.0)
    assert (view.stale_count, view.audited_count, view.untrusted) == (0, 1, "")
    view.audit_trust(20.0)
    assert (view.stale_count, view.untrusted) == (1, "stale")
