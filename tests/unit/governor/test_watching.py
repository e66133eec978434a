"""What of an outcome is counted for diagnosis, and for whom?"""

import pytest

from flyball.diagnosis.streams import Bank, Watch, standard
from flyball.governor.watching import (
    AGAIN,
    ANSWERED,
    ATTEMPTS,
    ENDED,
    FAILED,
    FIELDS,
    IN_TIME,
    KEPT,
    OFFERED,
    SPEND,
    TTFT,
    Watching,
)
from support.watched import settled


def watching() -> Watching:
    made = Watching()
    made.is_on = True
    made.counts = {"chat": [0.0] * len(FIELDS)}
    return made


def test_an_answer_is_counted_with_its_money_and_tokens() -> None:
    made = watching()
    made.take([settled(tokens_cut=50), settled(in_time=False)])
    counted = made.counts["chat"]
    assert [counted[n] for n in (ENDED, ATTEMPTS, FAILED, AGAIN, IN_TIME)] == [2, 2, 0, 0, 1]
    assert [counted[n] for n in (ANSWERED, KEPT, OFFERED)] == [2, 2000, 2050]
    assert counted[TTFT] == pytest.approx(0.4) and counted[SPEND] == pytest.approx(0.002)


@pytest.mark.parametrize(
    ("changes", "attempts", "failed", "again"),
    [
        ({"attempts": 3}, 3, 2, 2),
        ({"is_retry": True}, 1, 0, 1),
        ({"outcome": "client-gone", "in_time": False}, 1, 1, 0),
        ({"outcome": "failed", "code": "upstream_failed", "in_time": False}, 1, 1, 0),
        ({"outcome": "refused", "status": 400, "in_time": False}, 0, 0, 0),
    ],
)
def test_what_is_an_attempt_a_failure_and_a_repeat(
    changes: dict[str, object], attempts: int, failed: int, again: int
) -> None:
    made = watching()
    made.take([settled(**changes)])
    counted = made.counts["chat"]
    assert [counted[n] for n in (ATTEMPTS, FAILED, AGAIN)] == [attempts, failed, again]


def test_other_classes_and_a_diagnosis_that_is_off_count_nothing() -> None:
    made = watching()
    made.take([settled(class_name="elsewhere")])
    made.is_on = False
    made.take([settled()])
    assert not any(made.counts["chat"])


def test_outcomes_feed_the_streams_of_drift() -> None:
    made = watching()
    made.pools = ("big",)
    made.bank = Bank(standard(("big", "small")), Watch(learning=600))
    made.take([settled(ttft_s=0.4), settled(outcome="client-gone", endpoint=-1)])
    seen = {
        stream.name: group.weights[row]
        for group in made.bank._groups
        for row, stream in enumerate(group.streams)
    }
    assert seen["control/ending"] == 2.0 and seen["control/pool"] == 1.0
    assert seen["inference/ttft"] == 1.0 and seen["model/length"] == 1.0
