"""Does shared hardware go to the models whose work is worth most, without changing its mind?"""

from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.loops.residency import allotted
from flyball.governor.loops.worth import Work, relief
from support import fleets, steering

works = st.lists(
    st.builds(Work, st.floats(0.0, 6.0), st.floats(0.01, 2.0), st.floats(0.001, 1.0)),
    min_size=2,
    max_size=4,
)


@given(works, st.integers(0, 8))
def test_units_are_never_exceeded_and_no_exchange_would_pay(some: list[Work], units: int) -> None:
    limits = [4] * len(some)
    shares = allotted(some, [0] * len(some), limits, units, 0.0)
    assert sum(shares) <= units and all(0 <= share <= 4 for share in shares)
    for giver, share in enumerate(shares):
        for taker, other in enumerate(shares):
            if giver != taker and share and other < limits[taker]:
                assert relief(some[taker], other + 1) <= relief(some[giver], share) + 1e-12


def test_what_is_awake_stays_unless_the_other_earns_clearly_more() -> None:
    nearly = [Work(2.0, 0.5, 1.0), Work(2.0, 0.5, 1.05)]
    assert allotted(nearly, [2, 0], [2, 2], 2, 0.1)[0] >= 1
    assert allotted(nearly, [1, 1], [2, 2], 2, 0.1) == [1, 1]
    clearly = [Work(2.0, 0.5, 0.1), Work(2.0, 0.5, 1.0)]
    assert allotted(clearly, [2, 0], [2, 2], 2, 0.1) == [0, 2]


def test_pools_of_one_entry_share_its_units() -> None:
    state = steering.state(fleets.fleet(h100=3, l40s=3), {"chat": 30.0, "eu-chat": 5.0})
    one = steering.context("residency", limit_high=3.0)
    found = steering.wished(state, one, 3)
    assert sum(wish.value for wish in found.values()) <= 3.0
    assert found["small"].value >= 1.0, "only there may the EU's work run"
    gone = [wish for wish in found.values() if wish.value < wish.present]
    assert all(len(wish.targets) == wish.present - wish.value for wish in gone)
