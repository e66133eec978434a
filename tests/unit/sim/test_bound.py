"""Is the bound what can be computed by hand, never below what a run achieves, and monotone?"""

import random
from math import inf

import pytest
from msgspec.structs import replace

from flyball.dialects.profiles import profile
from flyball.model.fleet import Endpoint, Fleet, Pool, Site
from flyball.sim.bound import Demand, headroom, rate_max, value_max

H100 = profile("h100/llama-3.1-8b")
CHAT = Demand(
    name="chat",
    rate=10.0,
    value_usd=0.01,
    answer=200.0,
    answer_context=200.0 * 1100.0,
    fresh=1000.0,
    fresh_context=500_000.0,
    fresh_dropped=1000.0,
    fresh_context_dropped=500_000.0,
    tpot_s=0.06,
)


def fleet(*replicas: tuple[str, str, int]) -> Fleet:
    """Pools of (profile, jurisdiction, count), each at a site of its own."""
    sites = [Site(name=f"s{i}", jurisdiction=law) for i, (_, law, _) in enumerate(replicas)]
    pools = [
        Pool(name=f"p{i}", site=f"s{i}", models=("m",), engine="vllm", profile=profile(name))
        for i, (name, _, _) in enumerate(replicas)
    ]
    ends = [
        Endpoint(name=f"p{i}-{j}", pool=f"p{i}", url="")
        for i, (_, _, count) in enumerate(replicas)
        for j in range(count)
    ]
    return Fleet(sites=tuple(sites), pools=tuple(pools), endpoints=tuple(ends))


def pool_of(one: Fleet) -> Pool:
    return one.pools[0]


def test_a_replica_s_rate_is_what_its_time_leaves() -> None:
    # By hand: the slowest allowed pace, 1 / 60 ms, leaves 1 - 6.7/60 of the time to the work.
    c, m = H100.decode, H100.mixed
    work = 200 * c.per_seq_s + 220_000 * c.per_kv_token_s
    work += 1000 * m.per_prefill_token_s + 500_000 * m.per_prefill_context_s
    expected = (1.0 - c.base_s / 0.06) / work
    found = rate_max(pool_of(fleet(("h100/llama-3.1-8b", "EU", 1))), CHAT)
    # The KV of so many at once must fit, or the pace must rise: here it fits just not.
    assert found <= expected
    assert found == pytest.approx(expected, rel=0.25)
    roomy = replace(H100, limits=replace(H100.limits, kv_tokens_max=10**9, seqs_max=10**6))
    pool = replace(pool_of(fleet(("h100/llama-3.1-8b", "EU", 1))), profile=roomy)
    assert rate_max(pool, CHAT) == pytest.approx(expected, rel=1e-9)


def test_a_pace_that_no_step_can_keep_gives_nothing() -> None:
    pool = pool_of(fleet(("l40s/llama-3.1-8b", "EU", 1)))
    assert rate_max(pool, replace(CHAT, tpot_s=0.0232)) == 0.0
    assert rate_max(pool, replace(CHAT, tpot_s=0.0234)) > 0.0


def test_the_room_between_steps_is_shared_with_what_is_kept() -> None:
    pool = pool_of(fleet(("h100/llama-3.1-8b", "EU", 1)))
    session = replace(CHAT, fresh=100.0, fresh_context=100_000.0, resident=200_000.0)
    kept, dropped = rate_max(pool, session, "kept"), rate_max(pool, session, "dropped")
    assert kept < rate_max(pool, replace(session, resident=0.0), "kept")
    assert kept * session.resident < H100.limits.kv_tokens_max
    assert dropped == pytest.approx(rate_max(pool, CHAT))


def test_more_replicas_serve_more_and_the_sum_of_pools_is_used() -> None:
    h100 = ("h100/llama-3.1-8b", "EU", 1)
    one = headroom(fleet(h100), [CHAT])
    assert headroom(fleet(h100, h100), [CHAT]) == pytest.approx(2.0 * one, rel=3e-3)
    rate = rate_max(pool_of(fleet(h100)), CHAT)
    assert one == pytest.approx(rate / CHAT.rate, rel=3e-3)
    few, many = replace(CHAT, rate=rate / 2.0), replace(CHAT, rate=rate * 2.0)
    assert value_max(fleet(h100), [few]) == pytest.approx(rate / 2.0 * 0.01, rel=1e-3)
    assert value_max(fleet(h100), [many]) == pytest.approx(rate * 0.01, rel=1e-3)


def test_a_class_bound_to_a_jurisdiction_runs_only_there() -> None:
    both = fleet(("h100/llama-3.1-8b", "EU", 1), ("h100/llama-3.1-8b", "US", 1))
    free = headroom(both, [CHAT])
    at_home = headroom(both, [replace(CHAT, jurisdictions=("EU",))])
    assert at_home == pytest.approx(free / 2.0, rel=3e-3)
    nowhere = replace(CHAT, jurisdictions=("CH",))
    assert headroom(both, [CHAT, nowhere]) < 1e-2
    assert value_max(both, [nowhere]) == 0.0


def test_the_dearer_class_is_served_first_where_not_all_can_be() -> None:
    here = fleet(("h100/llama-3.1-8b", "EU", 1))
    rate = rate_max(pool_of(here), CHAT)
    both = [replace(CHAT, rate=rate), replace(CHAT, name="dear", value_usd=0.05, rate=rate)]
    assert value_max(here, both) == pytest.approx(rate * 0.05, rel=1e-3)
    assert headroom(here, both) == pytest.approx(0.5, rel=5e-3)


def test_nothing_asked_for_is_nothing() -> None:
    here = fleet(("h100/llama-3.1-8b", "EU", 1))
    assert headroom(here, []) == 0.0 == value_max(here, [replace(CHAT, rate=0.0)])


def test_an_easier_load_has_never_less_headroom() -> None:
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    here = fleet(("h100/llama-3.1-8b", "EU", 2), ("l40s/llama-3.1-8b", "EU", 3))
    for _ in range(10):
        one = replace(
            CHAT,
            answer=rng.uniform(1, 500),
            answer_context=rng.uniform(1e3, 1e6),
            fresh=rng.uniform(10, 5000),
            tpot_s=rng.choice([0.03, 0.06, inf]),
        )
        easier = replace(one, fresh=one.fresh / 2, answer_context=one.answer_context / 2)
        more, less = (headroom(here, [kind, CHAT]) for kind in (easier, one))
        assert more >= less * (1 - 3e-3), f"seed {seed}"
