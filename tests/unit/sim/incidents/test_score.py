"""Do leads, misses, false alarms, the bound and the named loops count as they should?"""

from math import exp, factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.sim.incidents.folder import Told
from flyball.sim.incidents.score import Case, counted, false_alarms, score, upper_bound
from flyball.sim.incidents.truth import Truth

STEP = Truth(
    name="s",
    form="step",
    half="judging",
    plant="pool",
    seed=1,
    loops=("router",),
    kinds=("oscillatory",),
    began_s=1000.0,
    harm_s=4000.0,
    period_s=30.0,
)
NEUTRAL = Truth(name="n", form="neutral", half="judging", plant="pool", seed=1)


def case(truth: Truth, *told: Told, days: float = 1.0) -> Case:
    return Case(truth=truth, begin_s=0.0, end_s=days * 86_400.0, told=told)


RIGHT = Told(at=1030.0, kind="gain margin", loops=("router", "power"))


def test_a_finding_before_harm_counts() -> None:
    found = score("d", [case(STEP, RIGHT)])
    assert found.forms["all"].median_min == pytest.approx(49.5)
    assert (found.forms["step"].found, found.quick, found.steps) == (1, 1, 1)
    assert (found.loop_right, found.kind_right) == (1.0, 1.0)
    assert found.false_alarms == 0


def test_too_soon_is_false_and_too_late_is_missed() -> None:
    soon, late = Told(at=999.0), Told(at=4000.0)
    found = score("d", [case(STEP, soon, late)])
    assert found.forms["all"].found == 0
    assert found.forms["all"].median_min == 0.0
    assert found.false_alarms == 1
    assert found.missed == found.alarmed == ("s (1)",)
    assert counted(case(STEP, soon, late)) is None


def test_a_slow_answer_to_a_step_is_not_quick() -> None:
    assert score("d", [case(STEP, Told(at=1061.0))]).quick == 0


def test_the_wrong_loop_and_kind_are_counted_wrong() -> None:
    wrong = Told(at=1030.0, kind="fold", loops=("power",))
    found = score("d", [case(STEP, wrong)])
    assert (found.loop_right, found.kind_right) == (0.0, 0.0)


def test_a_detector_that_names_nothing_is_not_judged_by_names() -> None:
    found = score("d", [case(STEP, Told(at=1030.0, kind="latency"))])
    assert found.loop_right is None
    assert found.judged == 1


def test_every_finding_in_a_neutral_case_is_false() -> None:
    found = score("d", [case(NEUTRAL, RIGHT, days=30.0), case(NEUTRAL, days=60.0)])
    assert found.rate == pytest.approx(1 / 3)
    assert found.quiet_days == pytest.approx(90.0)
    assert len(false_alarms(case(NEUTRAL, RIGHT))) == 1


def test_what_should_have_harmed_and_did_not_counts_nowhere() -> None:
    calm = Truth(
        name="c", form="ramp", half="judging", plant="pool", seed=1, loops=("a",), kinds=("fold",)
    )
    found = score("d", [case(calm, RIGHT), case(NEUTRAL)])
    assert found.forms["all"].harmed == 0
    assert found.forms["all"].share is None
    assert found.quiet_days == pytest.approx(1.0)


def test_no_alarm_in_ninety_days_bounds_them_by_one_in_thirty() -> None:
    assert upper_bound(0) == pytest.approx(2.9957, abs=1e-3)


@given(st.integers(0, 60))
def test_the_bound_is_the_exact_one(count: int) -> None:
    mean = upper_bound(count)
    below = sum(exp(-mean) * mean**k / factorial(k) for k in range(count + 1))
    assert below == pytest.approx(0.05, abs=1e-6)
