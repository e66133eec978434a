"""Do the core's invariants hold whatever happens, in whatever order? (INV-1 to INV-5, INV-8)"""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.governor.policy import Pricing, Resilience
from support import fleets
from support.world import World

SEEDS = st.integers(min_value=0, max_value=2**32 - 1)


def world(seed: int, **changes: object) -> World:
    print(f"seed {seed}")
    return World(seed=seed, fleet=fleets.fleet(metrics=True), policy=fleets.policy(**changes))


@given(seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_every_attempt_has_one_intent_and_one_outcome(seed: int) -> None:
    played = world(seed).play(300).drain()
    intents = Counter((i.id, i.attempt) for i in played.intents)
    outcomes = Counter((o.id, o.attempts) for o in played.outcomes if o.attempts)
    assert intents == outcomes
    assert set(intents.values()) <= {1}
    final = Counter(o.id for o in played.outcomes if o.outcome != "retried")
    assert final == Counter(list(played.heads))


@given(seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_work_is_conserved(seed: int) -> None:
    played = world(seed).play(300).drain()
    assert not played.core.state.flights
    for endpoint in played.core.state.view.endpoints:
        assert (endpoint.running, endpoint.pending) == (0, 0)
        assert abs(endpoint.kv) < 1e-6
        assert abs(endpoint.kv_pending) < 1e-6
        assert abs(endpoint.pending_prefill) < 1e-6
        assert not any(endpoint.running_by_class.values())


@given(seed=SEEDS, mode=st.sampled_from(["observe", "enforce"]))
@settings(max_examples=40, deadline=None)
def test_nothing_is_placed_outside_its_jurisdictions(seed: int, mode: str) -> None:
    played = world(seed, mode=mode).play(300)
    where = {e.name: e.jurisdiction for e in played.core.state.view.endpoints}
    for intent in played.intents:
        head = played.heads[intent.id]
        place = where[intent.endpoint]
        if intent.class_name == "eu-chat":
            assert place == "EU"
        if head.jurisdiction_hint:
            assert place in head.jurisdiction_hint.split(",")


@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_the_same_events_give_the_same_bytes(seed: int) -> None:
    assert world(seed).play(300).log == world(seed).play(300).log


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_retries_stay_inside_the_budget_and_the_bound(seed: int) -> None:
    limits = Resilience(retry_budget_ratio=0.1, retry_budget_tokens_max=20.0, attempts_max=3)
    played = world(seed, resilience=limits).play(400)
    successes = sum(1 for o in played.outcomes if o.outcome == "served" and o.status < 400)
    retried = sum(1 for o in played.outcomes if o.outcome == "retried")
    assert retried <= 2.0 + 0.1 * successes + 1e-9
    assert max((i.attempt for i in played.intents), default=0) <= 3


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_propensities_are_a_distribution_over_what_could_have_been_drawn(seed: int) -> None:
    played = world(seed, pricing=Pricing(explore_ratio=0.1, near_equal_ratio=0.5)).play(200)
    for intent in played.intents:
        chosen = intent.candidates[0]
        assert 0.0 < chosen.propensity <= 1.0
        assert sum(c.propensity for c in intent.candidates) <= 1.0 + 1e-9
        assert intent.endpoint == chosen.endpoint


@pytest.mark.parametrize("ratio", [0.0, 0.2])
def test_propensity_is_the_frequency_with_which_a_candidate_is_drawn(ratio: float) -> None:
    """Draws over a grid: the share of picks of each endpoint equals the propensity recorded."""
    pricing = Pricing(explore_ratio=ratio, near_equal_ratio=0.5)
    policy = fleets.policy(pricing=pricing)
    picks: Counter[str] = Counter()
    told: dict[str, float] = {}
    grid = 400
    for step in range(grid):
        one = World(seed=step, fleet=fleets.fleet(), policy=policy)
        event = one.arrival()
        head = fleets.head(class_hint="chat", body_digest=0)
        from flyball.governor.events import RequestArrived

        one.feed(
            RequestArrived(at=1.0, request_id=event.request_id, head=head, draw=(step + 0.5) / grid)
        )
        intent = one.intents[0]
        picks[intent.endpoint] += 1
        if intent.rule != "probe":
            told.update({c.endpoint: c.propensity for c in intent.candidates if c.propensity})
    for endpoint, propensity in told.items():
        assert abs(picks[endpoint] / grid - propensity) < 0.01
