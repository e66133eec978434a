"""Does a stretch of steps taken at once end where single steps would?"""

import random

import pytest

from flyball.sim.steptime import seconds
from flyball.sim.stretch import Stretch


def ends(start: int, first: int, slope: int, count: int) -> list[float]:
    at, cost, out = start, first, []
    for _ in range(count):
        at += cost
        cost += slope
        out.append(seconds(at))
    return out


@pytest.mark.parametrize("seed", range(20))
def test_until_agrees_with_adding_up(seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    count = chance.randint(1, 400)
    stretch = Stretch()
    stretch.start = chance.randrange(10**18)
    first, slope = chance.randrange(10**10, 10**13), chance.choice([0, 1, 10**8, 10**10])
    stretch.set(first, slope, count)
    want = ends(stretch.start, first, slope, count)
    assert stretch.end_s == want[-1]
    for step, end in enumerate(want, 1):
        assert stretch.end_of(step) == end
        assert stretch.until(end) == step  # at the very instant
        assert stretch.done_by(end) == step
    middle = (want[0] + want[-1]) / 2
    assert stretch.until(middle) == next(i for i, end in enumerate(want, 1) if end >= middle)
    assert stretch.until(0.0) == 1
    assert stretch.until(1e9) == count
    assert stretch.done_by(seconds(stretch.start)) == 0


def test_steps_that_take_no_time() -> None:
    stretch = Stretch()
    stretch.set(0, 0, 5)
    assert stretch.until(0.0) == 1
    assert stretch.until(1.0) == 5
    assert stretch.done_by(0.0) in (1, 5)


def test_cut_ends_at_the_first_boundary_from_then_on() -> None:
    stretch = Stretch()
    stretch.set(10**12, 0, 10)  # ten steps of 1 ms
    stretch.cut(0.0035)
    assert (stretch.count, stretch.end_s) == (4, 0.004)
    stretch.cut(0.5)  # later than its end: nothing changes
    assert stretch.count == 4


def test_one_stretch_starts_where_the_last_ended() -> None:
    stretch = Stretch()
    stretch.wait_until(2.0)
    assert (seconds(stretch.start), stretch.end_s) == (2.0, 2.0)
    stretch.set(10**12, 10**9, 3)
    span = stretch.pass_by()
    assert span == stretch.span(3) == 3 * 10**12 + 3 * 10**9
    stretch.set_one(5 * 10**12)
    assert stretch.end_s == stretch.end_of(1) == seconds(2 * 10**15 + span + 5 * 10**12)
    assert stretch.pass_by() == 5 * 10**12
    before = stretch.start
    stretch.wait_until(0.5)  # in the past: nothing to wait for
    assert stretch.start == before
