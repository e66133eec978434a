"""Are replicas the load over profiled throughput, corrected and bounded?"""

import math

import pytest

from flyball.sim.rivals.dynamo_planner import DynamoPlanner, decode_rate, prefill_s
from support import fleets, rivals
from support.rivals import reading


def test_prefill_of_the_profile() -> None:
    # 3,000 tokens in two steps of 2,048: 2 * 6.7 ms + 3,000 * 25 us.
    assert prefill_s(fleets.H100, 3000) == pytest.approx(0.0134 + 0.075)


def test_decode_at_the_latency_target() -> None:
    # Context 3,075: per sequence 20 us + 49 ns * 3,075 = 170.7 us; (50 - 6.7) / .1707 = 253.7, but
    # 397,000 / 3,075 = 129 fit in the cache: 129 / (6.7 ms + 129 * 170.7 us).
    per_seq_s = 20e-6 + 49e-9 * 3075
    assert decode_rate(fleets.H100, 3075, 0.05) == pytest.approx(129 / (6.7e-3 + 129 * per_seq_s))
    # A target of 10 ms: 3.3 ms / .1707 ms = 19.
    assert decode_rate(fleets.H100, 3075, 0.01) == pytest.approx(19 / (6.7e-3 + 19 * per_seq_s))
    # One that cannot be met still runs one sequence.
    assert decode_rate(fleets.H100, 3075, 0.001) == pytest.approx(1 / (6.7e-3 + per_seq_s))


def test_replicas_by_hand() -> None:
    loop = DynamoPlanner(rivals.fleet())
    one = reading(180.0, [(0, 50, 0.5)], rate=20.0, prompt=3000, output=150)
    share = 20 * 0.0884 + 20 * 150 / decode_rate(fleets.H100, 3075, 0.05)
    assert loop.desired(one) == math.ceil(share) == 3
    assert loop.period_s == 180.0


def test_corrections() -> None:
    loop = DynamoPlanner(rivals.fleet())
    # Observed TTFT half of the expected: prefill counts half; a worse one is not counted more.
    fast = reading(0.0, [(0, 50, 0.5)], rate=20.0, prompt=3000, output=1, ttft_s=0.0442)
    slow = reading(0.0, [(0, 50, 0.5)], rate=20.0, prompt=3000, output=1, ttft_s=9.0)
    assert loop.desired(fast) == 1 and DynamoPlanner(rivals.fleet()).desired(slow) == 2
    # ITL four times the expected: the batch is chosen for a quarter of the target.
    usual = reading(0.0, [(0, 1, 0.5)], rate=10.0, prompt=100, output=1000)
    late = reading(0.0, [(0, 1, 0.5)], rate=10.0, prompt=100, output=1000, itl_s=0.0268)
    assert DynamoPlanner(rivals.fleet()).desired(late) > DynamoPlanner(rivals.fleet()).desired(
        usual
    )


def test_bounds_and_silence() -> None:
    loop = DynamoPlanner(rivals.fleet())
    assert loop.desired(reading(0.0, [(0, 0, 0.0)] * 3)) == 3
    assert loop.desired(reading(180.0, [(0, 9, 0.9)], rate=900.0, prompt=3000, output=150)) == 8
    small = DynamoPlanner(rivals.fleet())
    assert small.desired(reading(0.0, [(0, 0, 0.0)] * 3, rate=0.01, prompt=10, output=10)) == 1
