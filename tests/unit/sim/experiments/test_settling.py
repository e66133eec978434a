"""Is a series' settling told rightly, and does a silenced solver leave no board behind?"""

import msgspec
import pytest

from flyball.sim.build import build
from flyball.sim.experiments.settling import (
    LOST_AT_S,
    SETTLED_FROM_S,
    STEP_AT_S,
    TABLE_TICKS,
    PricedWorld,
    mean_path,
    rule,
    settled,
    steady,
    stepped,
    twin_settled,
)


def test_a_series_settles_where_it_stays() -> None:
    seen = settled([0.0, 0.5, 1.2, 0.9, 1.0, 1.0], 0.0, 1.0)
    assert seen.ticks == 4
    assert seen.overshoot == pytest.approx(0.2)
    assert seen.turns == 2
    assert settled([0.0, 0.5], 0.0, 1.0).ticks == -1
    assert settled([0.0, 0.5, 0.995], 0.0, 1.0).turns == 0


@pytest.mark.parametrize("delay", [d for d in TABLE_TICKS if d])
@pytest.mark.parametrize("is_curved", [False, True])
def test_the_rule_keeps_its_table_and_does_not_swing(delay: int, is_curved: bool) -> None:
    seen = rule(delay, 1.0, is_curved)
    assert 0 < seen.ticks <= 2 * TABLE_TICKS[delay]
    assert seen.turns == 0 and seen.overshoot < 0.01


@pytest.mark.parametrize("delay", TABLE_TICKS)
@pytest.mark.parametrize("error", [0.5, 2.0])
def test_a_wrong_slope_still_settles(delay: int, error: float) -> None:
    assert rule(delay, error, False).ticks > 0


def test_prices_of_a_step_are_read_from_their_mean() -> None:
    times = [5.0 * n for n in range(96)]
    rise = [1.0 if at < STEP_AT_S else 3.0 if at < 230.0 else 2.0 for at in times]
    fall = [value + (0.05 if number % 2 else -0.05) for number, value in enumerate(rise)]
    path = mean_path([list(zip(times, one, strict=True)) for one in (rise, fall)])
    seen = twin_settled(path)
    assert (seen.before_usd, seen.after_usd) == (
        pytest.approx(1.0, abs=0.01),
        pytest.approx(2.0, abs=0.01),
    )
    assert seen.seconds == 230.0 - STEP_AT_S
    assert seen.boards == 11
    assert seen.beyond == pytest.approx(0.5, abs=0.03)
    never = [(at, 2.0 if at >= SETTLED_FROM_S else 1.0) for at in times]
    assert twin_settled(never).seconds == -1.0


def test_without_a_solver_no_board_comes_any_more() -> None:
    shape = msgspec.structs.replace(steady("mixed", "agents", -60, 1), duration_s=LOST_AT_S + 30.0)
    worlds = [PricedWorld(shape, *build(shape), silent_from_s=at) for at in (None, LOST_AT_S)]
    for world in worlds:
        world.run("", None)
    there, lost = (world.prices for world in worlds)
    assert max(at for at, _ in lost) < LOST_AT_S + 1.0 < max(at for at, _ in there)
    assert there[: len(lost)] == lost


def test_a_step_stays_to_the_end() -> None:
    shape = stepped("mixed", "chat", 0, 1, 10.0)
    (rise,) = shape.triggers
    assert rise.at_s + rise.for_s == shape.duration_s
    assert shape.solver_delay_ms == 10_000.0
    assert build(shape)[0].endpoints
