"""Are delays half the round trip, jittered as said, and are cut sites cut?"""

import pytest

from flyball.sim.clock import Streams
from flyball.sim.network import Network, rtt_s_min
from support.fleets import fleet


def network(jitter_ratio: float) -> Network:
    return Network(fleet(), Streams(1).named("network"), 0.02, jitter_ratio)


def test_one_way_is_half_the_round_trip() -> None:
    quiet = network(0.0)
    assert quiet.to_client() == 0.01
    assert [quiet.to_endpoint(i) for i in range(4)] == [0.02, 0.02, 0.002, 0.002]


def test_jitter_adds_its_share_in_the_mean_and_never_takes_away() -> None:
    noisy = network(0.2)
    delays = [noisy.to_endpoint(0) for _ in range(20_000)]
    assert min(delays) >= 0.02
    assert sum(delays) / len(delays) == pytest.approx(0.02 * 1.2, rel=0.01)


def test_a_partition_cuts_all_of_a_site() -> None:
    quiet = network(0.0)
    quiet.cut.add("eu-edge")
    assert [quiet.is_cut(i) for i in range(4)] == [False, False, True, True]


def test_no_network_beats_light() -> None:
    # Frankfurt to Virginia is about 6,500 km: 64 ms; measured round trips are about 90 ms.
    assert rtt_s_min(6_500) == pytest.approx(0.0637, abs=0.0005)
