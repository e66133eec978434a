"""What of an outcome is counted for diagnosis, and for whom?"""

import pytest

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
    STEP,
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


def test_outcomes_are_kept_by_kind_for_the_streams_of_drift() -> None:
    made = watching()
    gone = settled(outcome="client-gone", endpoint=-1)
    made.take([settled(ttft_s=0.4, cached_tokens=500), settled(), gone])
    assert made.kinds == {(0, "served", 1, False, ""): 2, (-1, "client-gone", 1, False, ""): 1}
    means = made.means
    assert (means.length_count, means.late_count, means.cached_count) == (2, 2, 2)
    assert means.late * STEP == pytest.approx(0.693, abs=STEP)
    assert means.cached * STEP == pytest.approx(0.5, abs=STEP)
    assert means.length * STEP == pytest.approx(2 * 5.298, abs=2 * STEP)
