"""Does the program's matrix say what the placement says?"""

import numpy as np
import pytest

from flyball.model.fleet import Site
from flyball.model.request import Promise
from flyball.pricing.placement import Asset
from flyball.pricing.placement_fit import Fit, Misfit
from flyball.pricing.placement_program import (
    idle_usd_per_hour,
    matrix,
    program,
    shares_usd_per_hour,
    site_of_option,
    uses,
    with_flows,
)
from support.placements import drawn, flow, placement

SITES = [
    Site(name="a", jurisdiction="EU", power_watts_max=900.0, usd_per_kwh=0.2),
    Site(name="b", jurisdiction="US", usd_per_kwh=0.1),
]
ASSETS = [
    Asset(site_index=0, accelerator="H100-SXM", owned=1, usd_per_hour=8.0),
    Asset(site_index=1, accelerator="L40S", rent_max=3, usd_per_hour=4.0),
]
FLOWS = [
    flow("chat", 2, rate=10.0, rate_sd_per_s=2.0),
    flow("local", 2, rate=3.0, jurisdictions=("EU",), served_min=0.5),
]
ONE = program(placement(FLOWS, ASSETS, SITES))


def dense(one: object) -> np.ndarray:
    built = matrix(one)  # type: ignore[arg-type]
    whole = np.zeros((len(built.row_upper), len(built.cost)))
    for column in range(len(built.cost)):
        here = slice(built.starts[column], built.starts[column + 1])
        np.add.at(whole[:, column], built.rows[here], built.coefficients[here])
    return whole


def test_every_row_and_column_by_hand() -> None:
    # columns: (chat, h100) (chat, l40s) (local, h100) (local, l40s) | n n | r r
    found = [ONE.pairs.found[i] for i in range(4)]
    assert found[3] == Misfit("jurisdiction")
    first = found[0]
    assert isinstance(first, Fit)
    built, whole = matrix(ONE), dense(ONE)
    assert whole.shape == (2 + 2 + 2 + 2, 4 + 2 + 2)
    assert whole[:2, :4].tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]
    assert whole[2, 0] == pytest.approx(first.gpu_s * (1 + 2.0 * 2.0 / 10.0))
    assert whole[2, 4] == -1 and whole[4, 4] == 1 and whole[4, 6] == -1
    assert whole[6, 4] == pytest.approx(0.2) and whole[7, 5] == pytest.approx(0.1)
    assert built.upper[3] == 0.0 and built.upper[:3].tolist() == [np.inf] * 3
    assert built.upper[6:].tolist() == [0.0, 3.0]
    assert built.row_lower[:2].tolist() == [10.0, 1.5] and built.row_upper[1] == 3.0
    assert built.row_upper[2:].tolist() == [0.0, 0.0, 1.0, 0.0, 0.9, np.inf]
    joule_usd = 0.2 / 3.6e6
    assert built.cost[0] == pytest.approx(-3600 * (0.01 - first.joules * joule_usd))
    assert built.cost[4] == pytest.approx(0.2 * 0.2) and built.cost[6:].tolist() == [8.0, 4.0]
    assert idle_usd_per_hour(ONE)[0] == built.cost[4]
    assert site_of_option(ONE.problem).tolist() == [0, 1]


@pytest.mark.parametrize("seed", range(5))
def test_money_of_a_solution_is_its_objective(seed: int) -> None:
    one = program(drawn(seed, 4, 3, 3, 3))
    columns = np.random.default_rng(seed).uniform(0, 2, sum(one.sizes[:3]))
    value, energy, rent = shares_usd_per_hour(one, columns)
    assert value - energy - rent == pytest.approx(-float(matrix(one).cost @ columns))
    assert min(value, energy, rent) > 0


def test_a_changed_flow_is_fitted_anew_and_the_others_are_not() -> None:
    slow = flow("chat", 2, rate=10.0, promise=Promise(ttft_s=1.0, tpot_s=0.12))
    other = with_flows(ONE, [(0, slow)])
    fresh = program(placement([slow, FLOWS[1]], ASSETS, SITES))
    assert other.pairs.found == fresh.pairs.found
    assert np.array_equal(matrix(other).coefficients, matrix(fresh).coefficients)
    assert np.array_equal(uses(other).possible, uses(ONE).possible)
    assert ONE.pairs.found[0] != other.pairs.found[0]
    assert ONE.pairs.found[2] is other.pairs.found[2]
