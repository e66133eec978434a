"""Does the class whose lateness costs most per second of work go first?"""

from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.loops.priority import SAME_RATIO, ranks
from support import steering

indices = st.dictionaries(st.sampled_from("abcdef"), st.floats(1e-6, 1e3), max_size=6)


@given(indices)
def test_a_higher_index_never_has_a_later_rank(some: dict[str, float]) -> None:
    found = ranks(some)
    for one in some:
        for other in some:
            if some[one] > some[other]:
                assert found[one] <= found[other]
            if some[one] > some[other] * SAME_RATIO**2:
                assert found[one] < found[other]


def test_near_equals_share_a_rank() -> None:
    assert ranks({"a": 1.0, "b": 0.95, "c": 0.5}) == {"a": 0, "b": 0, "c": 1}
    assert ranks({}) == {}


def test_classes_of_unlike_worth_are_told_apart() -> None:
    state = steering.state(rates={"chat": 1.0, "batch": 1.0})
    found = steering.wished(state, steering.context("priority"))
    assert found["chat"].value < found["batch"].value
    assert set(found) == {"chat", "batch"}, "the others are not asked for"
