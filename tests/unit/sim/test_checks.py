"""Is each broken invariant seen, and a sound run not accused?"""

from typing import Any

from msgspec.structs import replace

from flyball.model.decision import Intent, Outcome
from flyball.sim.checks import TOLD_MAX, Checks
from support.fleets import fleet, policy
from support.worlds import scenario, world


def records() -> tuple[Intent, Outcome]:
    """A real intent and outcome, out of a run."""
    found: list[Any] = []
    made = world(scenario(duration_s=2))
    made.driver.sinks.record = lambda gateway, record: found.append(record)
    made.run("", None)
    intent = next(one for one in found if isinstance(one, Intent))
    outcome = next(o for o in found if isinstance(o, Outcome) and o.id == intent.id)
    name = fleet().endpoints[0].name
    return replace(intent, class_name="chat", endpoint=name), outcome


INTENT, OUTCOME = records()


def checks(known: bool = True) -> Checks:
    return Checks(fleet(), policy(), lambda request_id: known)


def test_one_intent_and_one_outcome_are_sound() -> None:
    one = checks()
    one.record(0, INTENT)
    one.record(0, OUTCOME)
    one.end(begun=1, ended=1, open_calls=0, in_flight=0)
    assert (one.broken, one.intents, one.outcomes) == (0, 1, 1)


def test_an_outcome_without_its_intent_is_seen() -> None:
    one = checks()
    one.record(0, OUTCOME)
    assert one.broken == 1 and INTENT.id in one.told[0]


def test_a_second_intent_or_one_for_a_closed_request_is_seen() -> None:
    one = checks()
    one.record(0, INTENT)
    one.record(0, INTENT)
    assert one.broken == 1
    late = checks(known=False)
    late.record(0, INTENT)
    assert late.broken == 1


def test_an_outcome_of_another_attempt_is_seen() -> None:
    one = checks()
    one.record(0, INTENT)
    one.record(0, replace(OUTCOME, attempts=2))
    assert one.broken == 1


def test_a_request_outside_its_jurisdiction_is_seen() -> None:
    one = checks()
    one.record(0, replace(INTENT, class_name="eu-chat"))
    assert one.broken == 1 and "outside" in one.told[0]


def test_lost_calls_tokens_and_full_queues_are_seen_and_the_list_is_bounded() -> None:
    one = checks()
    one.end(begun=3, ended=1, open_calls=1, in_flight=0)
    one.tokens([], 5)
    one.queue(in_flight=10**6, gateways=1)
    assert one.broken == 3
    for _ in range(50):
        one.breach("again")
    assert (one.broken, len(one.told)) == (53, TOLD_MAX)


def test_an_intent_that_never_ends_is_seen() -> None:
    one = checks()
    one.record(0, INTENT)
    one.end(begun=1, ended=1, open_calls=0, in_flight=0)
    assert one.broken == 1
