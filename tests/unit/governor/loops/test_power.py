"""Does the price of a joule fit a site below its limit, the least valuable work first?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.loops.power import CLOCK_MIN, Draw, best_clock, cleared
from flyball.governor.loops.worth import Work
from support import fleets, steering

TARIFF = 0.1 / 3.6e6


def draw(mean: float = 2.0, usd: float = 0.2, watts: float = 1500.0, **changes: object) -> Draw:
    fields: dict[str, object] = {
        "pool": "p",
        "replicas": 4,
        "work": Work(mean, 0.3, usd),
        "load": min(1.0, mean / 4),
        "watts": watts,
        "idle": 400.0,
        "clock_min": CLOCK_MIN,
    }
    fields.update(changes)
    return Draw(**fields)  # type: ignore[arg-type]


def test_work_that_needs_all_of_the_time_keeps_its_clock() -> None:
    assert best_clock(draw(mean=4.0), TARIFF, is_scarce=False) == 1.0


def test_work_that_leaves_time_saves_energy() -> None:
    assert best_clock(draw(mean=0.5), TARIFF, is_scarce=False) == pytest.approx(CLOCK_MIN)


def test_no_promise_is_slowed_below_its_pace_for_the_tariff_alone() -> None:
    assert best_clock(draw(mean=0.5, clock_min=0.8), TARIFF, is_scarce=False) >= 0.8
    assert best_clock(draw(mean=0.5, clock_min=0.8), 1e-3, is_scarce=True) < 0.8


def test_below_its_limit_a_site_pays_the_tariff() -> None:
    usd, _ = cleared([draw(), draw()], TARIFF, 1e9)
    assert usd == TARIFF


def test_at_its_limit_the_cheaper_work_slows_down() -> None:
    worthy, cheap = draw(mean=3.5, usd=0.5), draw(mean=3.5, usd=0.005)
    usd, (first, second) = cleared([worthy, cheap], TARIFF, 3000.0)
    assert usd > TARIFF
    assert second < first
    assert first > 0.9, "uniform clocks would be at 0.9"


draws = st.lists(
    st.builds(draw, st.floats(0.0, 8.0), st.floats(0.0, 1.0), st.floats(0.0, 3000.0)),
    min_size=1,
    max_size=4,
)


@given(draws, st.floats(100.0, 20_000.0))
def test_what_is_taken_fits_wherever_it_can(some: list[Draw], limit: float) -> None:
    _, clocks = cleared(some, TARIFF, limit)
    watts = sum(d.idle + d.watts * c**3 for d, c in zip(some, clocks, strict=True))
    least = sum(d.idle + d.watts * CLOCK_MIN**3 for d in some)
    assert watts <= max(limit, least) + 1e-6
    assert all(CLOCK_MIN - 1e-9 <= clock <= 1.0 for clock in clocks)


@given(draws, st.floats(100.0, 9000.0), st.floats(1.0, 2.0))
def test_more_power_never_makes_a_joule_dearer(some: list[Draw], limit: float, more: float) -> None:
    assert cleared(some, TARIFF, more * limit)[0] <= cleared(some, TARIFF, limit)[0] * 1.001


def test_one_wish_per_pool_that_runs() -> None:
    state = steering.state(fleets.fleet(), {"chat": 5.0})
    found = steering.wished(state, steering.context("power"))
    assert set(found) == {"big", "small"}
    for endpoint in state.view.endpoints[:2]:
        endpoint.draining = True
    assert set(steering.wished(state, steering.context("power"))) == {"small"}
    assert set(steering.wished(state, steering.context("power", scopes=("us-central",)))) == set()
