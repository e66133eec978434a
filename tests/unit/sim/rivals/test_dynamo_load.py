"""Does the load loop add, drop or hold one replica where its published rule says so?"""

from flyball.sim.rivals.dynamo_load import DynamoLoad
from support import fleets, rivals
from support.rivals import reading

LENGTHS = {"rate": 2.0, "prompt": 2000, "output": 100}
# One mean prompt of 2,000 tokens beside 5 answers that hold a tenth of 397,000 tokens of KV.
OWN_S = fleets.H100.mixed_step_s(5, 39_700, 2000, 0.0)


def loop(**tuned: float) -> DynamoLoad:
    return DynamoLoad(rivals.fleet(), tuned)


def test_up_when_every_engine_is_predicted_late() -> None:
    late = (60, 5, 0.1)  # 61 prompts of 2,000 tokens: 60 steps of about 58 ms
    assert loop().desired(reading(5.0, [late, late], **LENGTHS)) == 3
    # One engine that is in time is enough to stay.
    assert loop().desired(reading(5.0, [late, (0, 5, 0.1)], **LENGTHS)) == 2


def test_up_when_answers_are_predicted_slow() -> None:
    full = (0, 256, 0.95)
    step_s = fleets.H100.mixed_step_s(256, 0.95 * 397_000 + 2000, 2048, 0.0)
    slow, fast = step_s * 0.9, step_s * 1.1
    assert loop(itl_s=slow).desired(reading(5.0, [full, full], **LENGTHS)) == 3
    assert loop(itl_s=fast).desired(reading(5.0, [full, full], **LENGTHS)) == 2


def test_down_only_if_the_others_could_bear_it() -> None:
    calm = (0, 5, 0.1)
    assert loop().desired(reading(5.0, [calm, calm], **LENGTHS)) == 1
    # Twice the queue on the one left: its share of TTFT must stay below 0.8 of what remains.
    queued = (2, 5, 0.1)
    assert loop(ttft_s=2.0).desired(reading(5.0, [queued, queued], **LENGTHS)) == 1
    assert loop(ttft_s=OWN_S * 4.0).desired(reading(5.0, [queued, queued], **LENGTHS)) == 2
    # Its cache would be full.
    assert loop(itl_s=9.0).desired(reading(5.0, [(0, 5, 0.6)] * 2, **LENGTHS)) == 2
    # The prompt alone is late already: never.
    assert loop(ttft_s=OWN_S).desired(reading(5.0, [calm, calm], **LENGTHS)) == 2


def test_it_waits_while_a_replica_starts_and_before_it_has_seen_anything() -> None:
    late = (60, 5, 0.1)
    assert loop().desired(reading(5.0, [late], starting=1, **LENGTHS)) == 2
    assert loop().desired(reading(5.0, [late, late])) == 2


def test_bounds() -> None:
    late, calm = (60, 5, 0.1), (0, 1, 0.0)
    assert loop(gpus_max=2).desired(reading(5.0, [late, late], **LENGTHS)) == 2
    assert loop(replicas_min=2).desired(reading(5.0, [calm, calm], **LENGTHS)) == 2
    assert loop().desired(reading(5.0, [calm], **LENGTHS)) == 1


def test_lengths_are_remembered_through_windows_without_answers() -> None:
    one, late = loop(), (60, 5, 0.1)
    one.desired(reading(5.0, [(0, 5, 0.1)], **LENGTHS))
    assert one.desired(reading(10.0, [late])) == 2


def test_the_throughput_loop_sets_a_floor_at_its_own_pace() -> None:
    one = loop(period_s=10.0, throughput_period_s=20.0, itl_s=0.05)
    calm = [(0, 1, 0.0)] * 3
    busy = {"rate": 20.0, "prompt": 3000, "output": 150}  # 3 replicas, as test_dynamo_planner
    assert one.desired(reading(10.0, calm, **busy)) == 2
    assert one.desired(reading(20.0, calm, **busy)) == 3
    assert one.desired(reading(30.0, calm, **busy)) == 3
    quiet = {"rate": 0.5, "prompt": 30, "output": 15}
    found = [one.desired(reading(at, calm, **quiet)) for at in (40.0, 50.0, 60.0)]
    assert found[-1] == 2
