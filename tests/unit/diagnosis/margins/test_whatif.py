"""Do what-ifs find the published critical points of the four-loop plant?"""

import numpy as np
import pytest

from flyball.diagnosis.margins import fluid
from flyball.diagnosis.margins.whatif import Twin, judge, safe, settle, trigger


def nominal() -> tuple[np.ndarray, np.ndarray]:
    knobs = fluid.theta()
    states, found = settle(fluid.TWIN, fluid.start(knobs), knobs)
    assert found.all()
    return states, knobs


@pytest.mark.parametrize(
    ("knob", "good", "bad"),
    [
        ("load", 46.0, 47.0),
        ("budget", 33.0, 32.5),
        ("router_gain", 0.058, 0.064),
        ("autoscaler_gain", 1.45, 2.0),
    ],
)
def test_the_critical_points_are_where_they_were_measured(
    knob: str, good: float, bad: float
) -> None:
    states, _ = nominal()
    knobs = fluid.theta({knob: np.array([good, bad])}, 2)
    assert safe(fluid.TWIN, np.repeat(states, 2, axis=1), knobs).tolist() == [True, False]


def test_past_a_fold_there_is_no_rest() -> None:
    states, _ = nominal()
    _, found = settle(fluid.TWIN, states, fluid.theta({"load": 48.0}))
    assert not found[0]


def test_a_state_of_rest_that_harms_is_not_safe() -> None:
    """Nearly every attempt fails, and nothing moves: stable, and bad."""
    states, knobs = nominal()
    knobs[fluid.KNOBS.index("fail_base")] = 0.6
    assert not judge(fluid.TWIN, states, knobs)[0]


def test_longer_spikes_do_more_harm_and_more_load_bears_less() -> None:
    states, _ = nominal()
    lasts = np.arange(4.0, 120.0, 4.0)
    held = {"cost_gain": 0.0, "router_gain": 0.0, "autoscaler_gain": 0.0}
    borne = []
    for load in (40.0, 44.0, 48.0):
        knobs = fluid.theta(held | {"load": load}, len(lasts))
        at = np.repeat(states, len(lasts), axis=1)
        for _ in range(40):
            at = fluid.period(at, knobs)
        good = trigger(fluid.TWIN, at, knobs, 1.6, lasts)
        assert (np.diff(good.astype(int)) <= 0).all()
        borne.append(int(good.sum()))
    assert borne[0] > borne[1] > borne[2] > 0


def test_knobs_are_scaled_one_beside_another() -> None:
    knobs = fluid.theta({"load": np.array([40.0, 41.0])}, 2)
    wide = fluid.TWIN.scaled(knobs, "load", np.array([1.0, 2.0]))
    assert wide[fluid.TWIN.row("load")].tolist() == [40.0, 41.0, 80.0, 82.0]
    with pytest.raises(KeyError, match="laod"):
        fluid.TWIN.row("laod")


def test_any_vectorised_map_can_be_a_twin() -> None:
    """x -> g x + 1: at rest at 1/(1 - g), stable for |g| < 1."""
    line = Twin(
        knobs=("g",),
        gains={"only": "g"},
        parts={"only": (0,)},
        period_s=1.0,
        start=lambda of: np.zeros((1, of.shape[1])),
        period=lambda x, of: of * x + 1.0,
        harm=lambda x, _: np.zeros(x.shape[1]),
        kicked=(0,),
        tied=((0,),),
    )
    gains = np.array([[0.5, -0.5, -1.1]])
    states, found = settle(line, np.ones((1, 3)), gains)
    assert found.all()
    assert states[0] == pytest.approx(1.0 / (1.0 - gains[0]))
    assert judge(line, states, gains).tolist() == [True, True, False]
