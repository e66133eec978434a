"""Does a trial say all that its result depends on, and is every combination a scenario?"""

from itertools import product

import pytest
from msgspec.structs import replace

from flyball.sim.build import build
from flyball.sim.experiments.contestants import DEFAULTS
from flyball.sim.experiments.fleets import FLEETS
from flyball.sim.experiments.mixes import MIXES
from flyball.sim.experiments.trial import GRID_RATIO, Trial, duration_s, scenario
from flyball.sim.experiments.troubles import RECOVERY_S, STRIKES_AT_S, TROUBLES

TRIAL = Trial(fleet="mixed", mix="agents", contestant=DEFAULTS["governor"], step=0, seed=1)


@pytest.mark.parametrize(("fleet", "mix"), list(product(FLEETS, MIXES)))
def test_every_fleet_carries_every_mix(fleet: str, mix: str) -> None:
    for trouble in ("", *TROUBLES):
        made = scenario(replace(TRIAL, fleet=fleet, mix=mix, trouble=trouble))
        assert build(made)[0].endpoints


def test_equal_trials_share_a_key_and_others_do_not() -> None:
    changes = (
        {"fleet": "uniform"},
        {"mix": "chat"},
        {"contestant": DEFAULTS["epp_default"]},
        {"step": 1},
        {"seed": 2},
        {"trouble": "spike"},
        {"gateways": 2},
        {"age_ms": 60.0},
    )
    keys = {TRIAL.key("code"), *(replace(TRIAL, **change).key("code") for change in changes)}
    assert len(keys) == len(changes) + 1
    assert TRIAL.key("code") == replace(TRIAL, step=0).key("code") != TRIAL.key("other code")


def test_the_grid_s_steps_multiply_the_load() -> None:
    assert scenario(TRIAL).workload.load == 1.0
    assert scenario(replace(TRIAL, step=10)).workload.load == pytest.approx(GRID_RATIO**10)


def test_a_trouble_has_its_whole_time_to_be_overcome() -> None:
    struck = replace(TRIAL, trouble="spike")
    assert duration_s(struck) == STRIKES_AT_S + TROUBLES["spike"].for_s + RECOVERY_S
    (trigger,) = scenario(struck).triggers
    assert (trigger.kind, trigger.factor, trigger.at_s) == ("spike", 1.6, STRIKES_AT_S)
