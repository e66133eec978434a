"""Does the lifted map find the modes, loops and one-sided limits that were put in?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.diagnosis.margins import fluid
from flyball.diagnosis.margins.linear import lifted, radius, sides, spectrum


@given(st.integers(0, 1000), st.integers(2, 6))
def test_a_linear_map_is_its_own_derivative(seed: int, size: int) -> None:
    matrix = np.random.default_rng(seed).normal(size=(size, size))
    at = np.random.default_rng(seed + 1).normal(size=size)
    for side in ("both", "up", "down"):
        assert np.allclose(lifted(lambda x: matrix @ x, at, side), matrix, atol=1e-6)


def test_the_loop_that_forms_the_mode_is_named_with_its_share() -> None:
    fast = 0.9 * np.array([[0.0, 1.0], [-1.0, 0.0]])
    jacobian = np.zeros((3, 3))
    jacobian[:2, :2] = fast
    jacobian[2, 2] = 0.5
    found = spectrum(jacobian, {"slow": (2,), "fast": (0, 1)})
    assert found.radius == pytest.approx(0.9)
    assert found.kind == "oscillatory"
    assert found.parts[0] == ("fast", pytest.approx(1.0))
    assert found.gap == pytest.approx(0.4)


@pytest.mark.parametrize(("value", "kind"), [(0.99, "fold"), (-0.99, "oscillatory")])
def test_a_real_mode_is_a_fold_and_a_flip_oscillates(value: float, kind: str) -> None:
    found = spectrum(np.diag([value, 0.1]), {"one": (0,)})
    assert found.kind == kind
    assert dict(found.parts)["one"] == pytest.approx(1.0)


def test_states_of_no_part_are_the_rest() -> None:
    found = spectrum(np.diag([0.2, 0.8]), {"one": (0,)})
    assert found.parts[0] == ("rest", pytest.approx(1.0))


def test_a_limit_makes_the_map_one_sided_and_is_named() -> None:
    def step(x: np.ndarray) -> np.ndarray:
        return np.stack([np.minimum(2.0 * x[0], 0.0), 0.5 * x[1]])

    found = sides(step, np.zeros(2))
    assert found.radius_up == pytest.approx(0.5)
    assert found.radius_down == pytest.approx(2.0)
    assert found.active == (0,)
    assert not sides(lambda x: 0.5 * x, np.zeros(2)).active


def test_the_nominal_plant_has_the_known_radius_and_router_limit() -> None:
    """Slow cost integrator: 0.947 a minute; the router's critical gain: 0.061."""
    at = fluid.start(fluid.theta())
    for _ in range(300):
        at = fluid.period(at, fluid.theta())

    def jacobian(gain: float) -> np.ndarray:
        knobs = fluid.theta({"router_gain": gain})
        return lifted(lambda x: fluid.period(x, np.repeat(knobs, x.shape[1], axis=1)), at[:, 0])

    nominal = spectrum(jacobian(0.01), fluid.PARTS)
    assert nominal.radius**2 == pytest.approx(0.947, abs=0.002)
    assert nominal.kind == "fold" and nominal.parts[0][0] == "cost"
    assert radius(jacobian(0.055)) < 1 < radius(jacobian(0.066))
    wild = spectrum(jacobian(0.066), fluid.PARTS)
    assert wild.kind == "oscillatory"
    assert "router" in [name for name, _ in wild.parts[:2]]
