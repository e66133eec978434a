"""Is a request without any record found by its number, and nothing else blamed?"""

import random

from hypothesis import given
from hypothesis import strategies as st

from flyball.ledger.runs import GAPS_MAX, Gap, Runs
from flyball.model.decision import Record
from flyball.serve.relay.clock import Clock
from support import records
from support.records import T0


def name(count: int, at: float = T0) -> str:
    return f"req_{int(at * 1000):011x}02{count:06x}1abcd"


def story(count: int, at: float = T0) -> Record:
    return records.intent(id=name(count, at), at=at)


def gaps(found: list[Record], is_cut: bool = False) -> list[Gap]:
    runs = Runs(is_cut)
    for record in found:
        runs.add(record)
    return list(runs.gaps())


def test_the_ids_are_those_that_a_gateway_gives() -> None:
    clock = Clock(2)
    ids = [clock.request_id(T0) for _ in range(3)]
    whole: list[Record] = [records.intent(id=one) for one in ids]
    assert gaps(whole) == []
    found = gaps([whole[0], whole[2]])
    assert [(gap.count, gap.at_end) for gap in found] == [(1, True)]


def test_a_gap_in_the_midst_is_not_one_at_the_end() -> None:
    found = [story(n, T0 + n) for n in range(1, 200) if n not in (50, 51, 190)]
    midst, end = gaps(found)
    assert (midst.count, midst.at_end, end.count, end.at_end) == (2, False, 1, True)
    assert midst.text == "2 requests have no record in the gateway run 021abcd."
    assert "held at the gate" in end.text


def test_a_run_begins_with_one_unless_what_came_before_was_pruned() -> None:
    late = [story(n, T0 + n) for n in range(100, 300)]
    assert [gap.count for gap in gaps(late)] == [99]
    assert gaps(late, is_cut=True) == []


def test_those_turned_away_are_counted_and_excused() -> None:
    away = records.turned_away(count=40, id=name(2), ids=tuple(name(n) for n in range(2, 34)))
    found = [story(1), away, *(story(n, T0 + n) for n in range(42, 200))]
    assert gaps(found) == []
    assert [gap.count for gap in gaps([*found[:1], *found[2:]])] == [40]
    assert gaps([records.intent(id="other"), records.config(1)]) == []


def test_a_number_far_ahead_is_counted_within_bounds() -> None:
    found = gaps([story(1), story(3 * GAPS_MAX, T0 + 100)])
    assert sum(gap.count for gap in found) == 3 * GAPS_MAX - 2


@given(st.integers(2, 200), st.randoms(use_true_random=False), st.data())
def test_any_order_is_whole_and_any_loss_is_found(
    count: int, chance: random.Random, data: st.DataObject
) -> None:
    found = [story(n, T0 + n) for n in range(1, count + 1)]
    lost = data.draw(st.integers(0, count - 2))  # the last one leaves no gap behind it
    near = sorted(found, key=lambda one: one.at + chance.uniform(0, 5))
    assert gaps(near) == []
    del found[lost]
    assert sum(gap.count for gap in gaps(found)) == 1
