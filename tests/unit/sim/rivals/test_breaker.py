"""Does the breaker open, try again after its time, and close after enough successes?"""

from flyball.sim.rivals.breaker import Breaker


def breaker() -> Breaker:
    return Breaker(failures_max=3, successes_min=2, open_s=60.0, window_s=120.0)


def test_opens_at_the_third_failure_in_a_row() -> None:
    one = breaker()
    one.failed(1.0)
    one.failed(2.0)
    one.succeeded()
    one.failed(3.0)
    one.failed(4.0)
    assert one.may_try(4.0)
    one.failed(5.0)
    assert not one.may_try(5.0) and not one.may_try(64.9)
    assert one.may_try(65.0)


def test_failures_far_apart_do_not_open() -> None:
    one = breaker()
    for at in (0.0, 100.0, 200.0):
        one.failed(at)
    assert one.may_try(200.0)
    one.failed(201.0)
    assert not one.may_try(201.0)


def test_half_open_one_failure_opens_two_successes_close() -> None:
    one = breaker()
    for at in (1.0, 1.0, 1.0):
        one.failed(at)
    assert one.may_try(61.0)
    one.succeeded()
    one.failed(62.0)
    assert not one.may_try(62.0)
    assert one.may_try(122.0)
    one.succeeded()
    one.succeeded()
    one.failed(123.0)
    assert one.may_try(123.0)
