"""Are minutes of outcomes told to the streams, and does a change that lasts raise an alarm?"""

import random

from flyball.governor.period.drifting import MINUTE_S, drift
from flyball.governor.policy import Diagnosis
from flyball.governor.state import State
from support import fleets, steering
from support.watched import settled

SEED = 11


def state() -> State:
    rules = Diagnosis(learning_h=10.0)
    made = steering.state(rates={"chat": 5.0}, diagnosis=rules)
    made.watching.is_on = True
    made.watching.counts = {"chat": [0.0] * 10}
    made.watching.pools = ("big", "big", "small", "small")
    return made


def minutes(made: State, begin: int, count: int, share_big: float, chance: random.Random) -> int:
    """The minute of the first alarm after `begin`, or -1."""
    for minute in range(begin, begin + count):
        for _ in range(40):
            endpoint = 0 if chance.random() < share_big else 2
            made.watching.take([settled(endpoint=endpoint, ttft_s=0.2)])
        drift(made, minute * MINUTE_S)
        if made.watching.drifts:
            return minute
    return -1


def test_a_shift_of_routes_is_told_and_steady_routes_are_not() -> None:
    made, chance = state(), random.Random(SEED)
    drift(made, 0.0)
    assert minutes(made, 1, 1000, 0.5, chance) == -1, f"seed {SEED}"
    told = minutes(made, 1001, 120, 0.8, chance)
    assert told > 1000, f"a shift by 30 points is told within two hours (seed {SEED})"
    (first, *_) = made.watching.drifts
    assert (first.code, first.scope) == ("FB-401", "control/pool")


def test_quiet_minutes_teach_nothing_and_other_pools_begin_anew() -> None:
    made = state()
    drift(made, 0.0)
    bank = made.watching.bank
    assert bank is not None
    for minute in range(1, 5):
        drift(made, minute * MINUTE_S)
    assert all(group._ticks == 0 for group in bank._groups)
    made.adopt(fleets.fleet(l40s=0), made.policy)
    drift(made, 5 * MINUTE_S)
    assert made.watching.bank is bank, "the same pools are watched"


def test_a_stream_that_never_varies_is_no_drift() -> None:
    made, chance = state(), random.Random(SEED)
    drift(made, 0.0)
    assert minutes(made, 1, 900, 1.0, chance) == -1
