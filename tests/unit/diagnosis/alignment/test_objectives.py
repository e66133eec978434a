"""Do cosines, common descent, Rosen's condition and asymmetry agree with what is known of games?"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flyball.diagnosis.alignment.objectives import (
    Objectives,
    alignment,
    asymmetry,
    common_descent,
    cosines,
    cross_effects,
    game,
    rosen,
    sampled,
    shortest,
)


def objectives(slopes: list[list[float]], **fields: Any) -> Objectives:
    matrix = np.array(slopes)
    loops, actuators = matrix.shape
    given: dict[str, Any] = {
        "loops": tuple(f"l{i}" for i in range(loops)),
        "actuators": tuple(f"u{i}" for i in range(actuators)),
        "slopes": matrix,
        "ranges": np.ones(actuators),
        "moves": np.full(actuators, 0.1),
        "owns": tuple(range(loops)),
    }
    return Objectives(**(given | fields))


def duopoly(at: np.ndarray) -> np.ndarray:
    """Cournot: cost = -q_i (10 - q_1 - q_2)."""
    return -at * (10.0 - at.sum())


def test_slopes_are_those_of_the_function() -> None:
    slopes = sampled(duopoly, np.array([1.0, 2.0]), np.ones(2))
    assert slopes == pytest.approx(np.array([[-6.0, 1.0], [2.0, -5.0]]))


def test_the_games_jacobian_is_that_of_the_function() -> None:
    matrix = game(duopoly, np.array([3.0, 3.0]), np.ones(2), (0, 1))
    assert matrix == pytest.approx(np.array([[2.0, 1.0], [1.0, 2.0]]), abs=1e-6)


def test_ranges_put_unlike_units_on_one_scale() -> None:
    """A slope per replica and one per watt: only shares of the range can be compared."""
    plain = objectives([[1.0, 0.001], [1.0, -0.001]])
    scaled = objectives([[1.0, 0.001], [1.0, -0.001]], ranges=np.array([1.0, 1000.0]))
    assert cosines(plain)[0, 1] == pytest.approx(1.0, abs=1e-5)
    assert cosines(scaled)[0, 1] == pytest.approx(0.0)


def test_cross_effects_are_of_moves_that_serve_the_mover() -> None:
    effects = cross_effects(objectives([[-2.0, 1.0], [3.0, 4.0]]))
    assert effects == pytest.approx(np.array([[-0.2, -0.1], [0.3, -0.4]]))


@given(arrays(float, (4, 3), elements=st.floats(-10, 10)))
def test_the_shortest_combination_is_shortest(vectors: np.ndarray) -> None:
    """Optimality of the least-norm point p of a hull: p . v >= |p|^2 for each corner v."""
    weights = shortest(vectors)
    assert (weights >= 0.0).all() and weights.sum() == pytest.approx(1.0)
    point = weights @ vectors
    room = 1e-5 * max(1.0, float(np.square(vectors).sum(axis=1).max()))
    assert (vectors @ point >= point @ point - room).all()


@given(arrays(float, (3, 4), elements=st.floats(-5, 5)))
def test_a_common_descent_lowers_every_cost(slopes: np.ndarray) -> None:
    three = objectives(slopes.tolist(), owns=(0, 1, 2))
    move, share = common_descent(three)
    if share > 0.02:
        assert (slopes @ move < 0.0).all()


def test_opposed_loops_have_no_common_descent() -> None:
    _, share = common_descent(objectives([[1.0, 1.0], [-2.0, -2.0]]))
    assert share == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("matrix", "is_shown"),
    [
        ([[2.0, 1.0], [1.0, 2.0]], True),
        ([[1.0, 3.0], [-3.0, 1.0]], True),
        ([[1.0, 10.0], [0.01, 1.0]], True),
        ([[1.0, 3.0], [3.0, 1.0]], False),
        ([[-1.0, 0.0], [0.0, 1.0]], False),
    ],
)
def test_rosens_condition(matrix: list[list[float]], is_shown: bool) -> None:
    """2 x 2 with M_ii = 1: weights exist exactly if m_12 m_21 < 1 (r_1 m_12 = r_2 m_21 at best)."""
    value, weights = rosen(np.array(matrix))
    assert (value > 0.0) == is_shown
    if is_shown:
        together = weights[:, None] * np.array(matrix)
        assert np.linalg.eigvalsh(together + together.T)[0] > 0.0 and (weights > 0.0).all()


def test_asymmetry_of_a_potential_game_is_none() -> None:
    assert asymmetry(np.array([[2.0, 1.0], [1.0, 2.0]])) == 0.0
    assert asymmetry(np.array([[0.0, 1.0], [-1.0, 0.0]])) == 1.0
    assert asymmetry(np.array([[1.0, 1.0], [-1.0, 1.0]])) == pytest.approx(1.0)


def test_findings_of_opposed_loops() -> None:
    opposed = objectives([[-1.0, 1.0], [1.0, -1.0]])
    found = list(alignment(opposed, np.array([[1.0, 3.0], [3.0, 1.0]]), 4.0))
    assert [one.code for one in found] == ["FB-201", "FB-202", "FB-203"]
    cosine, loss = found[0].evidence
    assert cosine.value == pytest.approx(-1.0) and loss.value == pytest.approx(1.0)
    assert found[2].evidence[0].value <= 0.0 and found[0].at == 4.0


def test_loops_that_pull_alike_have_no_findings() -> None:
    alike = objectives([[1.0, 0.5], [0.5, 1.0]])
    assert not list(alignment(alike, np.array([[2.0, 1.0], [1.0, 2.0]])))


@pytest.mark.parametrize(
    "fields",
    [
        {"ranges": np.zeros(2)},
        {"owns": (0, 5)},
        {"moves": np.ones(3)},
        {"owns": (0,)},
        {"ranges": np.array([1.0, np.inf])},
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|need|slopes"):
        objectives([[1.0, 0.0], [0.0, 1.0]], **fields)
