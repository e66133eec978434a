"""Are margins the distances to the critical points, with quantiles that widen with doubt?"""

import numpy as np
import pytest

from flyball.diagnosis.margins import fluid, margins
from flyball.diagnosis.margins.whatif import settle


def rest(knobs: np.ndarray) -> np.ndarray:
    states, found = settle(fluid.TWIN, fluid.start(knobs), knobs)
    assert found.all()
    return states


def test_margins_of_the_nominal_plant() -> None:
    """Critical: load 46-47 of 40, router gain 0.061 of 0.01, autoscaler gain 1.6-2.0 of 0.35."""
    knobs = fluid.theta()
    found = {one.knob: one for one in margins.margins(fluid.TWIN, rest(knobs), knobs)}
    assert found["load"].value == pytest.approx(1.155, abs=0.03)
    assert found["router_gain"].value == pytest.approx(6.0, rel=0.08)
    assert 4.0 <= found["autoscaler_gain"].value <= 2.0 / 0.35
    assert found["cost_gain"].value == margins.GAIN_REACH
    assert found["router_gain"].loop == "router" and found["load"].loop == ""


def test_doubt_widens_a_margin_and_the_low_quantile_lies_below() -> None:
    seed = 3
    print(f"seed {seed}")
    ages = np.concatenate([[5.0], np.random.default_rng(seed).uniform(3.0, 9.0, 12)])
    knobs = fluid.theta({"age": ages}, 13)
    found = {one.knob: one for one in margins.margins(fluid.TWIN, rest(knobs), knobs)}
    router = found["router_gain"]
    assert router.low < router.value < router.high
    assert found["load"].low == pytest.approx(found["load"].high, abs=0.01)


def test_one_batch_agrees_with_the_search() -> None:
    knobs = fluid.theta({"router_gain": 0.02})
    found = {one.knob: one.value for one in margins.margins(fluid.TWIN, rest(knobs), knobs)}
    limits = {"load": found["load"] * 0.98, "router_gain": found["router_gain"] * 1.1}
    shares = margins.unsafe_share(fluid.TWIN, rest(knobs), knobs, limits)
    assert shares == {"load": 0.0, "router_gain": 1.0}


def test_past_its_edge_every_margin_is_one() -> None:
    knobs = fluid.theta({"router_gain": 0.08})
    found = margins.margins(fluid.TWIN, rest(knobs), knobs)
    assert {one.value for one in found} == {1.0}


@pytest.mark.parametrize(
    ("knob", "factor", "kind", "loop"),
    [("router_gain", 6.0, "oscillatory", "router"), ("load", 1.155, "fold", "cost")],
)
def test_the_mode_names_the_loop(knob: str, factor: float, kind: str, loop: str) -> None:
    knobs = fluid.theta()
    mode = margins.mode_at(fluid.TWIN, rest(knobs), knobs, knob, factor)
    assert mode is not None
    assert mode.kind == kind
    assert loop in [name for name, _ in mode.parts[:2]]


def test_no_mode_where_there_is_no_rest() -> None:
    knobs = fluid.theta()
    assert margins.mode_at(fluid.TWIN, rest(knobs), knobs, "load", 1.5) is None


def test_the_trigger_margin_shrinks_with_the_load_while_the_radius_stays() -> None:
    held = {"cost_gain": 0.0, "router_gain": 0.0, "autoscaler_gain": 0.0}
    nominal = rest(fluid.theta())
    borne = []
    for load in (40.0, 44.0, 48.0):
        knobs = fluid.theta(held | {"load": load})
        states = nominal
        for _ in range(60):
            states = fluid.period(states, knobs)
        borne.append(margins.trigger_margin(fluid.TWIN, states, knobs, 1.6))
    assert borne[0] > borne[1] > borne[2] > 0
    assert borne[0] > 2 * borne[2]
