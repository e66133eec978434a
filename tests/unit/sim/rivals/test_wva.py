"""Which variant grows, and which shrinks?"""

import pytest

from flyball.sim.rivals.wva import Wva
from flyball.sim.rivals.wva_v1 import WvaV1
from support import fleets
from support.rivals import reading


def test_cheapest_without_pending_and_dearest_above_the_least() -> None:
    loop = WvaV1(fleets.fleet())  # big at 3 USD/h, small at 1; both serve "m"
    assert (loop.cost("big"), loop.cost("small")) == (3.0, 1.0)
    big = reading(0.0, [(0, 0, 0.5)] * 2, pool="big")
    small = reading(0.0, [(0, 0, 0.5)], pool="small")
    assert loop.cheapest([big, small]) == "small"
    assert loop.dearest([big, small]) == "big"
    pending = reading(0.0, [(0, 0, 0.5)], pool="small", starting=1)
    assert loop.cheapest([big, pending]) == "big"
    assert loop.dearest([small]) == ""
    loop.desired(big)
    assert loop.variants("small") == [big]


def test_the_base_has_no_rule() -> None:
    with pytest.raises(ValueError, match="no rival is named ''"):
        Wva(fleets.fleet())
