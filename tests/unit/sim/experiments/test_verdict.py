"""Is every class judged, with refused calls as missed, and recovery by the last minute alone?"""

import pytest
from msgspec.structs import replace

from flyball.sim.build import build
from flyball.sim.experiments.contestants import DEFAULTS
from flyball.sim.experiments.trial import Trial, scenario
from flyball.sim.experiments.verdict import (
    Outcome,
    is_recovered,
    is_steady,
    outcome,
    passes,
    worst,
)
from flyball.sim.run import run

TRIAL = Trial(fleet="uniform", mix="agents", contestant=DEFAULTS["epp_default"], step=-60, seed=1)


def ran(trial: Trial) -> Outcome:
    shape = scenario(trial)
    return outcome(trial, run(shape, *build(shape)))


@pytest.fixture(scope="module")
def calm() -> Outcome:
    return ran(TRIAL)


def with_share(one: Outcome, name: str, share: float) -> Outcome:
    classes = tuple(
        replace(klass, in_time_ratio=share) if klass.name == name else klass
        for klass in one.report.classes
    )
    return replace(one, report=replace(one.report, classes=classes))


def test_a_calm_fleet_is_steady_and_one_class_below_its_objective_is_enough(calm: Outcome) -> None:
    assert is_steady(calm)
    assert passes(TRIAL, calm)
    for name in ("chat", "coder", "fixer"):
        assert not is_steady(with_share(calm, name, 0.9499))
    assert not is_steady(replace(calm, report=replace(calm.report, classes=())))


def test_recovery_is_read_from_the_last_minute(calm: Outcome) -> None:
    struck = replace(TRIAL, trouble="spike")
    assert set(calm.last) == {"chat", "coder", "fixer"}
    bad_before = with_share(calm, "chat", 0.5)
    assert is_recovered(bad_before)
    assert passes(struck, bad_before)
    still_bad = replace(calm, last={**calm.last, "coder": 0.94})
    assert not passes(struck, still_bad)
    silent = replace(calm, last={**calm.last, "coder": -1.0})
    assert not is_recovered(silent)


def test_slices_cover_the_run_and_agree_with_the_report(calm: Outcome) -> None:
    assert all(len(shares) == 8 for shares in calm.slices.values())
    assert min(calm.slices["chat"]) <= calm.in_time()["chat"] <= max(calm.slices["chat"])


def test_the_worst_class_is_named_with_how_it_was_lost(calm: Outcome) -> None:
    said = worst(with_share(calm, "fixer", 0.2))
    assert said.startswith("fixer: 20.0% in time, 0.0% refused, ")
