"""Is one intent and one outcome asked of each attempt, also of retries and of hedged copies?"""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from flyball.ledger.story import Completeness, unsettled
from flyball.model.decision import Outcome, Record
from support import records


def told(found: Sequence[Record], is_cut: bool = False) -> list[str]:
    story = Completeness(is_cut)
    return [text for index, one in enumerate(found) if (text := story.add(index, one))]


def attempt(number: int, outcome: str | None = None, of: int = 0) -> list[Record]:
    it = records.intent(of, attempt=number)
    return [it] if outcome is None else [it, records.outcome(it, outcome=outcome)]


def test_a_retry_that_is_served_in_the_end_is_whole() -> None:
    assert told([*attempt(1, "retried"), *attempt(2, "retried"), *attempt(3, "served")]) == []


def test_two_copies_of_which_one_was_cancelled_are_whole() -> None:
    first, second = records.intent(attempt=1), records.intent(attempt=2)
    ends = [records.outcome(second, outcome="cancelled"), records.outcome(first)]
    assert told([first, second, *ends]) == [] == told([first, second, *reversed(ends)])


def test_an_attempt_ended_twice_or_never_begun_is_told() -> None:
    name = records.intent().id
    doubled = [*attempt(1, "retried"), records.outcome(records.intent(), outcome="retried")]
    assert told(doubled) == [
        f"Entry 2: attempt 1 of {name} was retried without an intent before it."
    ]
    never = [records.outcome(records.intent(attempt=2), outcome="cancelled")]
    assert "attempt 2" in told(never)[0]
    assert told(never, is_cut=True) == []


def test_an_attempt_after_the_last_outcome_is_told() -> None:
    found = [*attempt(1, "served"), *attempt(2)]
    assert told(found) == [f"Entry 2: an intent for {found[0].id} follows its outcome."]


def test_unsettled_are_the_attempts_without_an_outcome() -> None:
    first, second = records.intent(1), records.intent(2)
    assert unsettled([first, second, records.outcome(first)]) == [second]
    again = records.intent(2, attempt=2)
    assert unsettled([second, again]) == [second, again]


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=20), st.data())
def test_dropping_any_one_record_of_served_requests_is_told_or_left_open(
    shapes: list[tuple[int, bool]], data: st.DataObject
) -> None:
    found: list[Record] = []
    for number, (attempts, is_refused) in enumerate(shapes):
        if is_refused:
            found.append(records.refusal(number))
            continue
        for count in range(1, attempts + 1):
            found += attempt(count, "served" if count == attempts else "retried", of=number)
    assert told(found) == [] == unsettled(found)
    if not found:
        return
    place = data.draw(st.integers(0, len(found) - 1))
    gone, left = found[place], [*found[:place], *found[place + 1 :]]
    is_refusal = isinstance(gone, Outcome) and gone.outcome == "refused"
    assert is_refusal or told(left) or unsettled(left)
