"""Does time never go backward, and are ids unique and in order?"""

import re

import pytest

from flyball.serve.relay.clock import SLEW_RATIO_MAX, Clock


class Fake:
    """Two clocks that a test moves by hand."""

    def __init__(self) -> None:
        self.wall_s = 1_700_000_000.0
        self.monotonic_s = 50.0

    def pass_time(self, seconds: float, wall: float | None = None) -> None:
        self.monotonic_s += seconds
        self.wall_s += seconds if wall is None else wall

    def clock(self, worker: int = 0) -> Clock:
        return Clock(worker, lambda: self.wall_s, lambda: self.monotonic_s)


def test_it_starts_at_the_wall_clock_and_runs_with_the_monotonic_one() -> None:
    fake = Fake()
    clock = fake.clock()
    assert clock.now() == 1_700_000_000.0
    fake.pass_time(3.0)
    assert clock.now() == pytest.approx(1_700_000_003.0)


def test_a_wall_clock_that_jumps_back_moves_nothing() -> None:
    fake = Fake()
    clock = fake.clock()
    fake.pass_time(1.0, wall=-3600.0)
    before = clock.now()
    assert clock.slew() == pytest.approx(-3601.0)
    assert clock.now() == before
    fake.pass_time(1.0)
    assert clock.now() == pytest.approx(before + 1.0)


def test_a_wall_clock_that_jumps_ahead_is_followed_slowly() -> None:
    fake = Fake()
    clock = fake.clock()
    fake.pass_time(10.0, wall=12.0)
    before = clock.now()
    missing = clock.slew()
    assert clock.now() - before == pytest.approx(10.0 * SLEW_RATIO_MAX)
    assert missing == pytest.approx(2.0 - 10.0 * SLEW_RATIO_MAX)
    for _ in range(60):
        fake.pass_time(10.0)
        missing = clock.slew()
    assert missing == pytest.approx(0.0, abs=1e-6)
    assert clock.now() == pytest.approx(fake.wall_s)


def test_ids_have_their_form_sort_by_time_and_do_not_repeat() -> None:
    fake = Fake()
    clock = fake.clock(worker=0xAB)
    ids = [clock.request_id(fake.wall_s + i / 1000) for i in range(2000)]
    assert all(re.fullmatch(r"req_[0-9a-f]{11}ab[0-9a-f]{11}", one) for one in ids)
    assert ids == sorted(ids) and len(set(ids)) == len(ids)
    assert int(ids[0][4:15], 16) == 1_700_000_000_000


def test_a_worker_number_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.\.255"):
        Clock(256)
