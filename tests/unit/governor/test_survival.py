"""Are the expected steps left those of the sessions seen, and the tail where few go beyond?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.dialects.agents import agent_steps
from flyball.governor.survival import BOUNDS, SESSIONS_KEPT, Survival


def test_without_a_guess_lengths_are_geometric() -> None:
    found = Survival()
    assert found.left(0) == pytest.approx(20.0, rel=0.02)
    assert found.left(100) == pytest.approx(20.0, rel=0.02)
    assert found.tail == pytest.approx(135, abs=2)  # ln 0.001 / ln 0.95


def test_a_guess_gives_its_mean_and_its_tail() -> None:
    steps = agent_steps()["claude-code"]
    shares = (np.arange(10_000) + 0.5) / 10_000
    lengths = np.interp(shares, [p for p, _ in steps], [n for _, n in steps])
    found = Survival(steps)
    assert found.left(0) == pytest.approx(lengths.mean(), rel=0.05)
    assert found.tail == pytest.approx(np.quantile(lengths, 0.999), rel=0.1)


@pytest.mark.parametrize("length", [1, 3, 10, 40])
def test_it_learns_lengths_unlike_its_guess(length: int) -> None:
    found = Survival()
    for _ in range(2000):
        found.ended(length)
    assert found.left(0) == pytest.approx(length, rel=0.2, abs=0.5)


def test_sessions_cut_short_do_not_count_as_ended() -> None:
    whole, cut = Survival(), Survival()
    for _ in range(100):
        whole.ended(10)
        cut.ended(10, is_whole=False)
    assert cut.left(0) > 2 * whole.left(0)
    assert cut.learnt == 0.0


def test_old_sessions_are_forgotten() -> None:
    found = Survival()
    for _ in range(3 * int(SESSIONS_KEPT)):
        found.ended(5)
    assert found.learnt <= SESSIONS_KEPT
    for _ in range(2 * int(SESSIONS_KEPT)):
        found.ended(50)
    assert found.left(0) > 35.0


@given(st.lists(st.integers(0, 10_000), max_size=60), st.integers(0, 20_000))
def test_figures_stay_finite_and_above_one(lengths: list[int], done: int) -> None:
    found = Survival()
    for length in lengths:
        found.ended(length)
    assert 1.0 <= found.left(done) <= 1e4 + 1.0
    assert 1 <= found.tail <= BOUNDS[-1]
