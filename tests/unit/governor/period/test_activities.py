"""Do the columns say what the formula of one request says, for every class, pool and mode?"""

import msgspec
import numpy as np
import pytest

from flyball.governor.governor import Governor
from flyball.governor.loops.speculation import ACCEPTANCE
from flyball.governor.period.activities import (
    LATE_VALUE_RATIO,
    MODES,
    classes_of,
    columns,
)
from flyball.governor.period.capacity import capacity
from flyball.governor.state import State
from flyball.model.fleet import Fleet
from flyball.pricing.arrays import Uses, read_uses
from flyball.pricing.problem import Columns, PoolCapacity
from flyball.pricing.work import ANSWER_TOKEN_BYTES, PROMPT_TOKEN_BYTES, Sizes, batch_max, work
from support import fleets


def busy(fleet: Fleet | None = None) -> State:
    """All four classes have demand, of unlike sizes."""
    state = Governor(fleet or fleets.fleet(), fleets.policy()).state
    for number, tally in enumerate(state.tallies.values()):
        tally.rate_per_s = 1.0 + number
        tally.input_tokens, tally.output_tokens = 300.0 + 700.0 * number, 50.0 + 90.0 * number
        tally.cached_ratio = 0.2 * number
    return state


def read(state: State, pools: list[PoolCapacity] | None = None) -> tuple[Columns, Uses]:
    pools = pools or capacity(state).pools
    classes = classes_of(state, state.policy.classes, (1.0, 2.0, 3.0, 4.0), {"batch": 3})
    every = np.ones(len(pools), np.bool_)
    found = columns(state, classes, pools, every, [-1, 0])
    return found, read_uses(found)


def mode_of(found: Columns) -> list[str]:
    return [found.modes[i] for i in np.frombuffer(found.mode_index, np.intp)]


def test_each_entry_is_the_work_of_one_request() -> None:
    state = busy()
    found, uses = read(state)
    assert set(mode_of(found)) == {"full"} and found.modes == MODES
    for row in range(len(found)):
        klass = state.policy.classes[uses.class_index[row]]
        pool = state.fleet.pools[uses.pool_index[row]]
        tally = state.tallies[klass.name]
        sizes = Sizes(tally.input_tokens, tally.output_tokens, tally.cached_ratio)
        batch = batch_max(pool.profile, sizes.kv_tokens, klass.promise.tpot_s)
        expected = work(pool.profile, sizes, max(1.0, batch))
        late = bool(klass.promise.tpot_s and batch < 1.0)
        if klass.promise.ttft_s:
            rtt_s = state.fleet.site_of(pool).rtt_s
            late |= rtt_s + pool.profile.mixed.base_s >= klass.promise.ttft_s
        assert uses.gpu_s[row] == pytest.approx(expected.gpu_s, rel=1e-12)
        assert uses.kv_token_s[row] == pytest.approx(expected.kv_token_s, rel=1e-12)
        assert uses.joules[row] == pytest.approx(expected.joules, rel=1e-12)
        value = klass.value_usd * (LATE_VALUE_RATIO if late else 1.0)
        assert uses.value_usd[row] == pytest.approx(value)
        assert uses.budget_index[row] == (3 if klass.name == "batch" else -1)
        assert uses.link_index[row] == (-1 if pool.name == "big" else 0)
        sent = tally.input_tokens * PROMPT_TOKEN_BYTES + tally.output_tokens * ANSWER_TOKEN_BYTES
        assert uses.link_bytes[row] == pytest.approx(sent)


def test_residency_leaves_out_what_policy_forbids() -> None:
    state = busy()
    _, uses = read(state)
    pairs = set(zip(uses.class_index.tolist(), uses.pool_index.tolist(), strict=True))
    eu = [klass.name for klass in state.policy.classes].index("eu-chat")
    assert (eu, 1) in pairs and (eu, 0) not in pairs
    assert len(pairs) == 7


def test_what_sessions_keep_warm_may_be_kept_or_computed_anew() -> None:
    state = busy()
    state.view.endpoints[0].session_tokens = 50_000.0
    state.view.endpoints[1].session_tokens = 1e12  # no more than the engine can hold
    found, uses = read(state)
    modes = np.array(mode_of(found))
    assert set(modes) == {"full", "recompute"}
    anew, kept = uses, {}
    for row in np.flatnonzero(modes == "full"):
        kept[uses.class_index[row], uses.pool_index[row]] = row
    for row in np.flatnonzero(modes == "recompute"):
        other = kept[uses.class_index[row], uses.pool_index[row]]
        assert anew.gpu_s[row] > uses.gpu_s[other] and anew.kv_token_s[row] < uses.kv_token_s[other]
    # Little's law: what all keep for as long as they keep it is what is warm now.
    plain = read(busy())[1]
    held = 0.0
    for number, rate in enumerate((1.0, 2.0, 3.0, 4.0)):
        own = [row for (c, _), row in kept.items() if c == number]
        without = [i for i in range(len(plain.gpu_s)) if plain.class_index[i] == number]
        held += rate * (uses.kv_token_s[own[0]] - plain.kv_token_s[without[0]])
    assert held == pytest.approx(50_000.0 + state.view.endpoints[1].kv_max)


def test_guessing_ahead_is_a_way_to_serve_where_acceptance_is_measured() -> None:
    state = busy()
    state.meters[(ACCEPTANCE, "small")] = (0.0, 0.9)
    found, uses = read(state)
    modes = np.array(mode_of(found))
    guessed = modes == "speculate"
    assert guessed.any() and set(uses.pool_index[guessed].tolist()) == {1}
    whole = {(uses.class_index[i], uses.pool_index[i]): i for i in np.flatnonzero(modes == "full")}
    for row in np.flatnonzero(guessed):
        assert uses.gpu_s[row] < uses.gpu_s[whole[uses.class_index[row], 1]]


def test_a_lower_clock_draws_less_for_the_same_work_and_is_later() -> None:
    state = busy()
    pools = capacity(state).pools
    slow = [msgspec.structs.replace(pool, clock=0.5) for pool in pools]
    _, uses = read(state, [*pools, *slow])
    rows = {
        (c, p): i
        for i, (c, p) in enumerate(
            zip(uses.class_index.tolist(), uses.pool_index.tolist(), strict=True)
        )
    }
    batch = [klass.name for klass in state.policy.classes].index("batch")
    for pool in (0, 1):
        at_full, at_half = rows[batch, pool], rows[batch, pool + 2]
        # No promise per token: the batch is the same, so the work is, in seconds of full clock.
        assert uses.gpu_s[at_half] == pytest.approx(uses.gpu_s[at_full])
        assert uses.joules[at_half] == pytest.approx(uses.joules[at_full] / 4.0)
        assert uses.kv_token_s[at_half] == pytest.approx(2.0 * uses.kv_token_s[at_full])
