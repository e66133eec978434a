"""Is a set-point approached within its dead band, gain, rate and limits, and without a bump?"""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.loops.setpoint import (
    RAMP_PERIODS,
    SET_POINTS_MAX,
    SetPoint,
    SetPoints,
    Wish,
)
from flyball.model.loop import Loop


def loop(**changes: object) -> Loop:
    fields: dict[str, object] = {
        "name": "x",
        "sensor": "s",
        "actuator": "a",
        "objective": "o",
        "period_s": 10.0,
    }
    fields.update(changes)
    return Loop(**fields)  # type: ignore[arg-type]


def wish(value: float, present: float = 0.0, is_urgent: bool = False) -> Wish:
    return Wish("p", value, "because", present, is_urgent=is_urgent)


def test_a_wish_within_the_dead_band_moves_nothing() -> None:
    point = SetPoint(10.0, 0.0)
    narrow = loop(dead_band=0.1, is_relative=True)
    assert point.approach(narrow, wish(10.9), 1.0, 10.0) == 10.0
    assert point.approach(narrow, wish(11.2), 1.0, 10.0) == 11.2


def test_gain_rate_and_limits_bound_a_move() -> None:
    assert SetPoint(10.0, 0.0).approach(loop(), wish(20.0), 0.3, 10.0) == 13.0
    assert SetPoint(10.0, 0.0).approach(loop(rate_per_s=0.1), wish(20.0), 1.0, 10.0) == 11.0
    assert SetPoint(10.0, 0.0).approach(loop(limit_high=12.0), wish(20.0), 1.0, 10.0) == 12.0
    assert SetPoint(10.0, 0.0).approach(loop(limit_low=8.0), wish(1.0), 1.0, 10.0) == 8.0


def test_what_is_urgent_goes_at_once_but_not_past_the_limits() -> None:
    slow = loop(rate_per_s=0.01, limit_high=15.0)
    assert SetPoint(10.0, 0.0).approach(slow, wish(20.0, is_urgent=True), 0.1, 10.0) == 15.0


def test_shares_of_a_replica_add_up_to_one() -> None:
    point, counted = SetPoint(2.0, 0.0), []
    for _ in range(12):
        point.present = point.approach(loop(is_whole=True), wish(5.0), 0.2, 10.0)
        counted.append(point.present)
    assert counted[0] == 2.0 and counted[-1] == 5.0
    assert all(a <= b <= a + 1.0 for a, b in pairwise(counted))


def test_after_standing_still_it_begins_where_the_actuator_is_and_gently() -> None:
    point = SetPoint(2.0, 0.0)
    point.approach(loop(), wish(10.0), 0.5, 10.0)
    point.rest()
    point.stands(6.0)
    moves = []
    for _ in range(RAMP_PERIODS + 1):
        before = point.present
        point.present = point.approach(loop(), wish(10.0), 1.0, 10.0)
        moves.append((point.present - before) / (10.0 - before) if before < 10.0 else 1.0)
    assert moves[0] == 1.0 / RAMP_PERIODS
    assert moves[:RAMP_PERIODS] == sorted(moves[:RAMP_PERIODS])
    assert point.present == 10.0


@given(
    st.floats(0.0, 100.0),
    st.lists(st.floats(-50.0, 200.0), max_size=40),
    st.floats(0.0, 1.0),
    st.booleans(),
)
def test_it_never_leaves_its_limits_nor_passes_its_wish(
    start: float, wanted: list[float], gain: float, is_whole: bool
) -> None:
    point = SetPoint(float(round(start)) if is_whole else start, 0.0)
    bounded = loop(limit_low=0.0, limit_high=100.0, is_whole=is_whole, rate_per_s=1.0)
    for value in wanted:
        before = point.present
        after = point.approach(bounded, wish(value), gain, 10.0)
        target = min(100.0, max(0.0, value))
        assert 0.0 <= after <= 100.0
        assert abs(after - before) <= 10.0 + 0.5 * is_whole + 1e-9
        if is_whole:
            assert after == round(after)
            assert abs(after - target) <= abs(before - target) + 0.5
        else:
            assert abs(after - target) <= abs(before - target) + 1e-9
        point.present = after


def test_set_points_are_kept_by_actuator_and_scope_and_are_bounded() -> None:
    points = SetPoints()
    assert points.value("a", "p", 3.0) == 3.0
    points.of("a", "p", 4.0, 0.0)
    assert points.value("a", "p", 3.0) == 4.0 and points.find("a", "q") is None
    for number in range(SET_POINTS_MAX + 10):
        points.of("a", f"scope {number}", 1.0, 0.0)
    assert len(points) == SET_POINTS_MAX
