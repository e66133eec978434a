"""Is the room that is told the plan's own, and does it shrink with demand and with engines lost?"""

import numpy as np
import pytest

from flyball.governor.period.margin import LIMIT, margin
from support.watched import Watched


def after(play: Watched, seconds: int = 60) -> float:
    play.ticks(seconds)
    found = margin(play.core.state)
    assert found is not None
    return found.evidence.value


def test_it_halves_as_demand_doubles() -> None:
    one, two = Watched(), Watched()
    two.rates = {"chat": 10.0}
    assert after(one) == pytest.approx(2.0 * after(two), rel=0.05)


def test_half_the_endpoints_blocked_is_half_the_room() -> None:
    play = Watched()
    whole = after(play)
    for index in (0, 2):
        play.core.state.view.blocked[index] = np.inf
    assert after(play, 0) == pytest.approx(0.5 * whole, rel=0.05)


def test_a_class_confined_to_few_pools_has_less_room() -> None:
    wide, narrow = Watched(), Watched()
    narrow.rates = {"eu-chat": 5.0}
    assert after(narrow) < 0.6 * after(wide)


def test_a_ramp_is_followed_to_its_end_and_carried_on() -> None:
    still = Watched()
    room = 5.0 * after(still)
    play = Watched(interval_s=5.0)
    play.ticks(20)
    leads = 0
    for step in range(80):
        play.rates = {"chat": 5.0 + 0.5 * step}
        play.ticks(5)
        found = margin(play.core.state)
        if found is None or step < 16:
            continue
        watching = play.core.state.watching
        left = room - float(watching.rows[-1][watching.names.index("class.chat.fresh_per_s")])
        assert found.evidence.value == pytest.approx(1.0 + left / (room - left), rel=0.03)
        if left <= 0.0:
            assert found.lead_s == 0.0 and found.below > 0.99
        elif found.evidence.value > LIMIT:
            leads += 1
            assert found.lead_s == pytest.approx(left / 0.1, rel=0.1, abs=10.0)
            assert found.below < 0.5
    assert leads > 10, "the ramp began with room"


def test_nothing_is_said_before_there_is_a_plan_and_demand() -> None:
    play = Watched()
    play.rates = {}
    play.ticks(60)
    assert margin(play.core.state) is None
    play = Watched()
    play.ticks(20)
    assert margin(play.core.state) is None, "two rows are no line"
