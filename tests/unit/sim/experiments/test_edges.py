"""Is the edge found from any start, with few runs?"""

from hypothesis import given
from hypothesis import strategies as st

from flyball.sim.experiments.edges import HIGHEST, LOWEST, edge


@given(st.integers(LOWEST - 1, HIGHEST), st.integers(-300, 300))
def test_the_edge_is_found_from_any_start(last: int, start: int) -> None:
    asked: list[int] = []

    def passes(step: int) -> bool:
        asked.append(step)
        return step <= last

    assert edge(passes, start) == last
    assert all(LOWEST <= step <= HIGHEST for step in asked)
    assert len(asked) == len(set(asked)) <= 16


def test_a_near_guess_needs_few_runs() -> None:
    asked: list[int] = []
    edge(lambda step: bool(asked.append(step)) or step <= 12, 10)
    assert len(asked) <= 5
