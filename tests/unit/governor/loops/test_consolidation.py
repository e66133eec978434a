"""Are replicas parked only where the energy saved is worth more than the room lost?"""

from msgspec.structs import replace

from flyball.governor.loops.consolidation import saving
from flyball.model.prices import PoolPrice, PriceBoard
from support import fleets, steering


def board(usd_per_joule: float) -> PriceBoard:
    pools = (PoolPrice(pool="big", usd_per_joule=usd_per_joule),)
    return PriceBoard(version=1, made_at=0.0, valid_until=1e9, pools=pools)


def test_the_same_work_on_fewer_replicas_draws_less() -> None:
    power = fleets.H100.power
    assert saving(power, 16, 2) > saving(power, 16, 4) > 0.0
    assert saving(power, 0, 4) == 0.0 and saving(power, 50, 1) == 0.0


def test_at_a_high_price_of_a_joule_quiet_replicas_are_parked() -> None:
    found = {}
    for usd in (0.0, 1e-4):
        state = steering.state(fleets.fleet(h100=4, l40s=0), {"chat": 32.0})
        for endpoint in state.view.endpoints:
            endpoint.running = 4
        state.view.take_board(board(usd))
        one = steering.context("consolidation", scopes=("big",))
        found[usd] = steering.wished(state, one, 30)["big"]
    assert found[1e-4].value < found[0.0].value
    assert len(found[1e-4].targets) == 4 - found[1e-4].value


def test_a_pool_that_autoscaling_counts_is_left_to_it() -> None:
    state = steering.state(fleets.fleet(h100=4), {"chat": 1.0})
    state.policy = replace(state.policy, loops=steering.enforced("autoscaling").loops)
    assert steering.wished(state, steering.context("consolidation")) == {}
