"""Is the row of signals what the fleet did within the interval, under names that stay?"""

import math

import pytest

from flyball.governor.events import FleetChanged
from flyball.model.loop import LoopPolicy
from support import fleets
from support.watched import Watched, settled

SCALE = LoopPolicy(name="autoscaling", mode="advise", scopes=("big",), limit_low=1.0)


def last(play: Watched) -> dict[str, float]:
    watching = play.core.state.watching
    row = watching.rows[-1]
    assert len(row) == len(watching.names)
    return dict(zip(watching.names, row.tolist(), strict=True))


def test_counts_become_rates_and_begin_anew() -> None:
    play = Watched(interval_s=10.0, loops=(SCALE,))
    play.ticks(1)
    play.ticks(10, [settled(), settled(is_retry=True, in_time=False, ttft_s=0.6)])
    row = last(play)
    # What settles in the last second is told in the next period.
    assert row["plant.attempts_per_s"] == pytest.approx(2.0, rel=0.11)
    assert row["plant.retries_per_s"] == pytest.approx(1.0, rel=0.11)
    assert row["class.chat.in_time_ratio"] == 0.5
    assert row["class.chat.ttft_s"] == pytest.approx(0.4)
    assert row["class.chat.tokens_kept_per_s"] == pytest.approx(2000.0, rel=0.11)
    assert math.isnan(row["class.batch.ttft_s"])
    play.ticks(10)
    assert last(play)["plant.attempts_per_s"] <= 0.21


def test_demand_is_that_of_the_interval_not_of_the_memory() -> None:
    play = Watched(interval_s=10.0)
    play.ticks(31)
    assert last(play)["class.chat.fresh_per_s"] == pytest.approx(5.0)
    play.rates = {"chat": 5.0 + 10.0 * (1.0 - math.exp(-10.0 / 30.0))}
    play.ticks(10)
    assert last(play)["class.chat.fresh_per_s"] == pytest.approx(15.0), "15 a second came in"


def test_set_points_are_told_with_whether_they_are_at_a_limit() -> None:
    play = Watched(interval_s=10.0, loops=(SCALE,))
    play.ticks(12)
    point = play.core.state.setpoints.find("pool.replicas", "big")
    assert point is not None
    point.present = 1.0
    play.ticks(10)
    row = last(play)
    assert row["loop.autoscaling@big.setpoint"] == point.present
    assert row["loop.autoscaling@big.saturated"] == 1.0


def test_another_fleet_has_other_names_and_no_rows() -> None:
    play = Watched(interval_s=10.0)
    play.ticks(25)
    policy = play.core.state.policy
    play.core.handle(FleetChanged(play.at, fleets.fleet(h100=1, l40s=0), policy, "d"))
    play.ticks(1)
    watching = play.core.state.watching
    assert len(watching.rows) == 0
    play.ticks(10)
    assert len(last(play)) == len(watching.names)
