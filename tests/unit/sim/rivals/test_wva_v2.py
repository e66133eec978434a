"""Are capacity, required and spare tokens those of the analyser?"""

import pytest

from flyball.sim.rivals.wva_v2 import WvaV2
from support import fleets, rivals
from support.rivals import reading

# H100 of the test fleet: 397,000 KV tokens, 2,048 batched tokens, 256 sequences.
K1 = 0.8 * 397_000


def test_capacity_from_the_engine_arguments() -> None:
    loop = WvaV2(rivals.fleet())
    # N = min(2048 * 500 / 1500, 256) = 256; 256 * (1000 + 250) = 320,000 > k1.
    assert loop.capacity(reading(0.0, [(0, 9, 0.5)], prompt=1000, output=500)) == K1
    # N = 2048 * 100 / 4100 = 49.95; * 4050 = 202,302.
    found = loop.capacity(reading(0.0, [(0, 9, 0.5)], prompt=4000, output=100))
    assert found == pytest.approx(2048 * 100 / 4100 * 4050)
    assert loop.capacity(reading(0.0, [(0, 0, 0.0)])) == K1  # no answers seen yet
    assert loop.capacity(reading(0.0, [])) == K1


def test_capacity_observed_at_a_full_queue_is_remembered() -> None:
    loop = WvaV2(rivals.fleet())
    assert loop.capacity(reading(0.0, [(5, 9, 0.5)])) == pytest.approx(198_500)
    assert loop.capacity(reading(1.0, [(6, 9, 0.3)])) == pytest.approx(119_100)
    # The mean of both, now that the queue is short.
    assert loop.capacity(reading(2.0, [(0, 9, 0.7)])) == pytest.approx(158_800)


def test_required_by_hand() -> None:
    loop = WvaV2(rivals.fleet())
    one = reading(0.0, [(4, 9, 0.8)], held=100, prompt=1000, output=1000)
    # Demand 317,600 + 104,000 = 421,600; / .85 = 496,000; supply 317,600: 178,400 missing -> 1.
    loop.latest["big"] = one
    assert loop.wish(one) == 2
    # One starting: it counts as supply, and it is pending, so nothing is added.
    one = reading(0.0, [(4, 9, 0.8)], held=100, prompt=1000, output=1000, starting=1)
    loop.latest["big"] = one
    assert loop.wish(one) == 2


def test_spare_by_hand() -> None:
    loop = WvaV2(rivals.fleet())
    # Demand 4 * 39,700 = 158,800; / .7 = 226,857; supply 1,270,400: spare 1,043,543 = 3.3 replicas.
    one = reading(0.0, [(0, 9, 0.1)] * 4)
    loop.latest["big"] = one
    assert loop.wish(one) == 1
    # At half load: 794,000 / .7 = 1,134,286: spare 136,114, less than one replica.
    one = reading(0.0, [(0, 9, 0.5)] * 4)
    loop.latest["big"] = one
    assert loop.wish(one) == 4


def test_what_starts_is_supply() -> None:
    loop = WvaV2(fleets.fleet())
    small = reading(0.0, [(0, 9, 0.8)], pool="small", held=300, prompt=1000)
    for starting, more in ((0, True), (3, False)):
        big = reading(0.0, [(0, 9, 0.8)], pool="big", prompt=1000, starting=starting)
        loop.latest.update(big=big, small=small)
        assert (loop.wish(small) > 1) is more


def test_only_the_cheapest_grows() -> None:
    loop = WvaV2(fleets.fleet())
    big = reading(0.0, [(0, 9, 0.8)], pool="big", held=500, prompt=1000)
    small = reading(0.0, [(0, 9, 0.8)], pool="small", prompt=1000)
    loop.latest.update(big=big, small=small)
    assert loop.wish(big) == 1 and loop.wish(small) > 1
