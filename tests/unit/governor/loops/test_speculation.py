"""Are as many tokens guessed as pay at the present batch, and never one that does not?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.loops.speculation import (
    ACCEPTANCE,
    GUESSES_MAX,
    accepted,
    best_guesses,
    step_seconds,
)
from support import fleets, steering

H100 = fleets.H100


def test_the_tokens_of_a_step_are_a_geometric_sum() -> None:
    assert accepted(0.5, 2) == pytest.approx(1.0 + 0.5 + 0.25)
    assert accepted(0.0, 5) == 1.0 and accepted(1.0, 5) == 6.0


def test_a_small_batch_guesses_more_than_a_large_one() -> None:
    small = best_guesses(H100, 1.0, 1000.0, 0.8, GUESSES_MAX)
    large = best_guesses(H100, 200.0, 200_000.0, 0.8, GUESSES_MAX)
    assert small > large
    assert best_guesses(H100, 1.0, 1000.0, 0.0, GUESSES_MAX) == 0


@given(st.floats(1.0, 256.0), st.floats(0.0, 4e5), st.floats(0.0, 1.0))
def test_it_is_never_slower_than_not_to_guess(batch: float, kv: float, acceptance: float) -> None:
    count = best_guesses(H100, batch, kv, acceptance, GUESSES_MAX)
    with_guesses = accepted(acceptance, count) / step_seconds(H100, batch, kv, count)
    assert with_guesses >= 1.0 / step_seconds(H100, batch, kv, 0) - 1e-9


def test_without_a_measured_acceptance_nothing_is_wished() -> None:
    state = steering.state(rates={"chat": 5.0})
    assert steering.wished(state, steering.context("speculation")) == {}
    state.meters[(ACCEPTANCE, "big")] = (0.0, 0.8)
    assert set(steering.wished(state, steering.context("speculation"))) == {"big"}
