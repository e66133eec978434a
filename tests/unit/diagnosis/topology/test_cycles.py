"""Are all simple cycles found, each once, and is the search bounded?"""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.diagnosis.topology.cycles import components, simple_cycles


def brute(neighbours: list[list[int]], length_max: int) -> set[tuple[int, ...]]:
    """Every order of every subset that begins with its least node."""
    found = set()
    for size in range(2, length_max + 1):
        for order in permutations(range(len(neighbours)), size):
            steps = zip(order, (*order[1:], order[0]), strict=True)
            if order[0] == min(order) and all(b in neighbours[a] for a, b in steps):
                found.add(order)
    return found


@given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(
            st.lists(st.integers(0, n - 1), unique=True, max_size=n), min_size=n, max_size=n
        )
    ),
    st.integers(2, 6),
)
def test_the_cycles_are_those_of_brute_force(neighbours: list[list[int]], longest: int) -> None:
    found = simple_cycles(neighbours, length_max=longest)
    assert found.is_whole
    assert len(set(found.found)) == len(found.found)
    assert set(found.found) == brute(neighbours, longest)


def test_a_bound_that_is_met_is_said() -> None:
    whole = [[j for j in range(8) if j != i] for i in range(8)]
    few = simple_cycles(whole, count_max=10)
    assert len(few.found) == 10 and not few.is_whole
    assert not simple_cycles(whole, steps_max=50).is_whole


def test_components_are_those_that_reach_each_other() -> None:
    assert components([[1], [2], [0], [4], [3], [0]]) == [[0, 1, 2], [3, 4]]
    assert components([[0], []]) == []


def test_an_edge_to_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="not there"):
        simple_cycles([[1]])
