"""Does the saturation analyser move one replica at its triggers, and its HPA wait?"""

import pytest

from flyball.sim.rivals.wva_v1 import WvaV1
from support import fleets, rivals
from support.rivals import reading


@pytest.mark.parametrize(
    ("replicas", "step"),
    [
        ([(0, 9, 0.71), (0, 9, 0.71)], 1),  # spare KV .09 < .10
        ([(0, 9, 0.6), (0, 9, 0.6)], 0),  # spare .2, but on one replica 1.2 would be too much
        ([(3, 9, 0.1), (2, 9, 0.1)], 1),  # spare queue 5 - 2.5 = 2.5 < 3
        ([(2, 9, 0.1), (2, 9, 0.1)], 0),  # spare 3; on one replica 5 - 4 = 1
        ([(0, 9, 0.3), (0, 9, 0.3)], -1),  # on one replica .6: spare .2, queue 5
        ([(0, 9, 0.36), (0, 9, 0.36)], 0),  # on one .72: spare .08
        ([(9, 9, 0.9)], 1),  # all saturated
        ([(0, 9, 0.05)], 0),  # one unsaturated is not two
        ([(5, 9, 0.1), (0, 9, 0.2), (0, 9, 0.2)], -1),  # the saturated one is not averaged in
    ],
)
def test_steps_by_hand(replicas: list[tuple[int, int, float]], step: int) -> None:
    loop = WvaV1(rivals.fleet())
    one = reading(0.0, replicas)
    loop.latest["big"] = one
    assert loop.wish(one) == len(replicas) + step


def test_pending_replicas_stop_growth() -> None:
    loop = WvaV1(rivals.fleet())
    one = reading(0.0, [(9, 9, 0.9)], starting=1)
    loop.latest["big"] = one
    assert loop.wish(one) == 2


def test_growth_goes_to_the_cheapest_of_all_variants() -> None:
    loop = WvaV1(fleets.fleet())
    big = reading(0.0, [(9, 9, 0.9)], pool="big")
    small = reading(0.0, [(9, 9, 0.9)], pool="small")
    loop.latest.update(big=big, small=small)
    assert (loop.wish(big), loop.wish(small)) == (1, 2)


def test_the_hpa_behind_it_waits_four_minutes_both_ways() -> None:
    loop = WvaV1(rivals.fleet())
    assert loop.desired(reading(0.0, [(0, 9, 0.2)])) == 1
    for at in (30.0, 120.0, 239.0):
        assert loop.desired(reading(at, [(9, 9, 0.9)])) == 1
    assert loop.desired(reading(240.0, [(9, 9, 0.9)])) == 2
    assert loop.period_s == 30.0


def test_without_metrics_nothing_moves() -> None:
    loop = WvaV1(rivals.fleet())
    assert loop.desired(reading(0.0, [], starting=2)) == 2
