"""Has every constant a value, a unit and a source, and can single ones be tuned?"""

import pytest

from flyball.sim import rivals
from flyball.sim.rivals.constants import constants
from flyball.sim.rivals.constants import rivals as catalogue


def test_the_tables_and_the_catalogue_name_the_same_rivals() -> None:
    tables = {
        "router": rivals.ROUTERS,
        "autoscaler": rivals.AUTOSCALERS,
        "power": rivals.POWER_LOOPS,
        "truncation": rivals.TRUNCATIONS,
        "retry": rivals.RETRIES,
    }
    named = {(kind, name) for kind, table in tables.items() for name in table}
    assert named == {(one.kind, one.name) for one in catalogue().values()}
    assert len(named) == 25


def test_every_constant_has_a_source() -> None:
    for one in catalogue().values():
        assert one.title
        names = [constant.name for constant in one.constants]
        assert len(names) == len(set(names)), one.name
        assert all(constant.source for constant in one.constants), one.name


def test_defaults_and_tuning() -> None:
    assert constants("epp_default")["prefix_weight"] == 3
    tuned = constants("epp_default", {"prefix_weight": 1.5})
    assert tuned["prefix_weight"] == 1.5 and tuned["queue_weight"] == 2
    assert constants("epp_default")["prefix_weight"] == 3


def test_unknown_names_are_told() -> None:
    with pytest.raises(ValueError, match=r"no rival is named 'eppp': there are round_robin"):
        constants("eppp")
    with pytest.raises(ValueError, match=r"p2c_ewma has no constant 'x': there are alpha, pen"):
        constants("p2c_ewma", {"x": 1})
