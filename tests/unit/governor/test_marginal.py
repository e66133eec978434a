"""Do marginal prices rise with load, follow the hardware, and see harm to others?"""

from flyball.governor.endpoint import EndpointState
from flyball.governor.marginal import ROWS, refresh
from flyball.model.prices import PoolPrice
from support import fleets


def state(pool: int = 0) -> EndpointState:
    fleet = fleets.fleet(1, 1)
    return EndpointState(pool, fleet.endpoints[pool], fleet.pools[pool], pool, fleet.sites[pool])


def row(
    one: EndpointState, at: float = 1.0, price: PoolPrice | None = None, arriving: float = 0.0
) -> dict[str, float]:
    return dict(zip(ROWS, refresh(one, at, fleets.policy(), price, arriving), strict=True))


def test_an_idle_endpoint_has_its_profiles_own_latency() -> None:
    idle = row(state())
    assert abs(idle["ttft_base"] - (0.040 + 6.7e-3)) < 1e-9
    assert abs(idle["tpot_base"] - (6.7e-3 + 20e-6)) < 1e-9
    assert abs(idle["ttft_per_token"] - (25e-6 + 6.7e-3 / 2048)) < 1e-12


def test_unlike_hardware_has_unlike_prices() -> None:
    fast, slow = row(state(0)), row(state(1))
    assert slow["ttft_per_token"] > 3 * fast["ttft_per_token"]
    assert slow["tpot_base"] > 3 * fast["tpot_base"]


def test_everything_rises_with_load() -> None:
    one = state()
    idle = row(one)
    one.running, one.kv, one.pending, one.pending_prefill = 64, 60_000.0, 4, 4_000.0
    one.running_by_class = {0: 64}
    busy = row(one)
    assert busy["ttft_base"] > idle["ttft_base"] + 4_000 * 25e-6
    assert busy["tpot_base"] > idle["tpot_base"] + 64 * 20e-6


def test_full_slots_and_full_kv_mean_waiting() -> None:
    one = state()
    before = row(one)["ttft_base"]
    one.running = 256
    assert row(one)["ttft_base"] > before + 0.005
    other = state()
    other.running, other.kv, other.pending_prefill = 50, 390_000.0, 20_000.0
    assert row(other)["ttft_base"] > row(state())["ttft_base"] + 20_000 * 25e-6


def test_harm_is_felt_where_others_are_near_their_promise() -> None:
    one = state(1)
    one.running, one.running_by_class = 200, {0: 200}
    near = row(one)["harm_base"]
    one.kv = 150_000.0  # their TPOT now stands close to the 60 ms promised
    nearer = row(one)["harm_base"]
    assert nearer > near >= 0.0
    assert row(state(1))["harm_base"] == 0.0


def test_those_about_to_arrive_are_counted_while_the_endpoint_is_busy() -> None:
    one = state()
    one.pending, one.pending_prefill = 40, 40_000.0
    assert row(one, arriving=0.1)["harm_per_token"] > row(one)["harm_per_token"]


def test_plan_prices_and_energy_are_added_once() -> None:
    one = state()
    plain = row(one)
    price = PoolPrice(pool="big", usd_per_gpu_second=0.01)
    priced = row(one, price=price)
    assert abs(priced["usd_per_token"] - plain["usd_per_token"] - 0.01 * 25e-6) < 1e-12
    assert priced["harm_per_token"] == plain["harm_per_token"]


def test_evicting_live_sessions_has_a_price_only_when_the_cache_is_short() -> None:
    one = state()
    assert row(one)["usd_per_kv"] == 0.0
    one.session_tokens = 390_000.0
    assert row(one)["usd_per_kv"] > 0.0


def test_slow_start_opens_slots_one_after_the_other() -> None:
    one = state()
    one.running = 20
    one.slow_start_until = 11.0
    early, late = row(one, at=1.0)["ttft_base"], row(one, at=10.9)["ttft_base"]
    assert early > late


def test_distrust_widens_the_logistic() -> None:
    one = state()
    assert row(one)["ttft_trust"] == 1.0
    one.ttft_error = 0.5
    assert row(one)["ttft_trust"] < 1.0
