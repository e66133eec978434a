"""Does a pool get the replicas that earn their cost, and does the right one go?"""

from support import fleets, steering


def test_replicas_follow_demand_up_and_down() -> None:
    state = steering.state(fleets.fleet(h100=8, l40s=0), {"chat": 120.0})
    one = steering.context("autoscaling", scopes=("big",))
    busy = steering.wished(state, one, 30)["big"].value
    steering.demand(state, {"chat": 20.0})
    quiet = steering.wished(state, one, 60)["big"].value
    assert 1.0 <= quiet < busy <= 8.0


def test_more_value_keeps_more_replicas_for_the_same_work() -> None:
    fleet = fleets.fleet(h100=8, l40s=0)
    found = {}
    for name in ("chat", "batch"):  # a hundredth of the worth
        state = steering.state(fleet, {name: 40.0})
        one = steering.context("autoscaling", scopes=("big",))
        found[name] = steering.wished(state, one, 30)["big"].value
    assert found["chat"] > found["batch"]


def test_one_that_is_asked_for_nothing_keeps_its_lowest_or_goes_to_nothing() -> None:
    state = steering.state(fleets.fleet(h100=4, l40s=0))
    for low in (1.0, 0.0):
        one = steering.context("autoscaling", scopes=("big",), limit_low=low)
        assert steering.wished(state, one, 2)["big"].value == 4.0, "quiet is not yet a fact"
        assert steering.wished(state, one, 5)["big"].value == low


def test_from_nothing_the_first_replica_is_urgent() -> None:
    state = steering.state(fleets.fleet(h100=4, l40s=0), {"chat": 2.0})
    for endpoint in state.view.endpoints:
        endpoint.draining = True
    one = steering.context("autoscaling", scopes=("big",), limit_low=0.0)
    wish = steering.wished(state, one)["big"]
    assert wish.present == 0.0 and wish.value >= 1.0 and wish.is_urgent


def test_the_one_with_the_least_work_and_the_coldest_cache_goes() -> None:
    state = steering.state(fleets.fleet(h100=4, l40s=0))
    big = state.view.endpoints
    big[0].session_tokens, big[1].session_tokens = 50_000.0, 100.0
    big[2].session_tokens, big[3].running = 9000.0, 30
    state.tallies["chat"].rate_per_s = 0.5
    one = steering.context("autoscaling", scopes=("big",))
    wish = steering.wished(state, one, 40)["big"]
    assert wish.value < 4.0
    assert wish.targets[0] == "big-1" and "big-0" not in wish.targets[:1]


def test_limits_and_scopes_of_the_operator_are_kept() -> None:
    state = steering.state(fleets.fleet(h100=4, l40s=4), {"chat": 500.0})
    one = steering.context("autoscaling", scopes=("big",), limit_high=3.0)
    found = steering.wished(state, one, 10)
    assert list(found) == ["big"] and found["big"].value == 3.0


def test_what_piles_up_counts_even_if_the_model_says_there_is_room() -> None:
    state = steering.state(fleets.fleet(h100=6, l40s=0), {"chat": 0.5})
    one = steering.context("autoscaling", scopes=("big",))
    for endpoint in state.view.endpoints[2:]:
        endpoint.draining = True
    calm = steering.wished(state, one, 20)["big"].value
    for endpoint in state.view.endpoints[:2]:
        endpoint.running = endpoint.pending = 250
    assert steering.wished(state, one)["big"].value > calm
