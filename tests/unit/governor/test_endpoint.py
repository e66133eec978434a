"""Is the state of one endpoint kept honestly: foreign work, stale readings, learnt corrections?"""

from math import log

from flyball.governor.endpoint import DISTRUST_S, OBSERVATIONS_TO_TRUST, EndpointState
from flyball.model.signals import EngineSample
from support import fleets


def endpoint(metrics: bool = True) -> EndpointState:
    fleet = fleets.fleet(metrics=metrics)
    return EndpointState(0, fleet.endpoints[0], fleet.pools[0], 0, fleet.sites[0])


def test_work_of_our_own_is_not_taken_for_foreign() -> None:
    one = endpoint()
    one.running, one.pending = 5, 1
    for at in (1.0, 1.1):
        one.take_sample(at, EngineSample(running=5, waiting=1, kv_usage=0.1))
    assert (one.foreign_running, one.foreign_waiting, one.foreign_kv) == (0, 0, 0.0)
    assert one.load == 6


def test_only_what_two_readings_agree_on_is_foreign() -> None:
    one = endpoint()
    one.take_sample(1.0, EngineSample(running=8, waiting=2))
    assert one.load == 0, "one reading may simply be older than our own counts"
    one.take_sample(1.1, EngineSample(running=8, waiting=2))
    assert (one.foreign_running, one.foreign_waiting) == (8, 2)
    one.take_sample(1.2, EngineSample(running=0, waiting=0))
    assert one.load == 0


def test_a_stale_reading_is_marked_and_its_values_stay() -> None:
    one = endpoint()
    for at in (1.0, 1.1):
        one.take_sample(at, EngineSample(running=8, waiting=0, kv_usage=0.5))
    assert one.quality(1.2, 0.25) == "fresh"
    assert one.quality(5.0, 0.25) == "stale"
    assert one.foreign_running == 8, "neither full nor empty: what was last known"
    assert endpoint(metrics=False).quality(5.0, 0.25) == "absent"


def test_missing_figures_are_no_figures() -> None:
    one = endpoint()
    before = one.kv_max
    one.take_sample(1.0, EngineSample())
    assert (one.kv_max, one.foreign_kv, one.load) == (before, 0.0, 0)


def test_a_steady_bias_is_learnt_and_forgiven() -> None:
    one = endpoint()
    for _ in range(200):
        one.learn_ttft(0.1 * one.ttft_bias, 0.2, one.ttft_bias_log)
    assert abs(one.ttft_bias_log - log(2.0)) < 0.01
    assert not one.is_mispredicted(0.3)


def test_learning_from_old_predictions_does_not_oscillate() -> None:
    """A hundred placed before the first is heard of: the loop's delay. It must settle still."""
    one = endpoint()
    under_way: list[tuple[float, float]] = []
    highest = 0.0
    for _ in range(2000):
        under_way.append((0.1 * one.ttft_bias, one.ttft_bias_log))
        if len(under_way) > 100:
            predicted_s, bias_log = under_way.pop(0)
            one.learn_ttft(predicted_s, 0.2, bias_log)
            highest = max(highest, one.ttft_bias_log)
    assert highest < log(2.0) + 1e-6, "no overshoot"
    assert abs(one.ttft_bias_log - log(2.0)) < 0.01


def test_a_model_of_the_wrong_shape_is_distrusted() -> None:
    one = endpoint()
    for number in range(4 * OBSERVATIONS_TO_TRUST):
        one.learn_ttft(0.1 * one.ttft_bias, 0.02 if number % 2 else 0.5, one.ttft_bias_log)
    assert one.is_mispredicted(0.3)
    assert not endpoint().is_mispredicted(0.3), "no verdict without observations"


def test_an_old_error_is_not_held_against_an_engine_that_gets_no_work() -> None:
    one = endpoint()
    for number in range(4 * OBSERVATIONS_TO_TRUST):
        one.learn_ttft(0.1 * one.ttft_bias, 0.02 if number % 2 else 0.5, one.ttft_bias_log)
    assert one.is_doubted(100.0, 0.3) and one.is_doubted(100.0 + DISTRUST_S, 0.3)
    one.learn_ttft(0.1 * one.ttft_bias, 0.5, one.ttft_bias_log)
    assert one.is_doubted(101.0 + DISTRUST_S, 0.3), "borne out by another one"
    assert not one.is_doubted(102.0 + 2 * DISTRUST_S, 0.3)
    assert not one.is_mispredicted(0.3)


def test_the_prefill_rate_fades() -> None:
    one = endpoint()
    one.note_prefill(1.0, 1000.0)
    first = one.prefill_rate
    one.note_prefill(11.0, 0.0)
    assert 0.0 < one.prefill_rate < 0.2 * first


def test_a_queue_that_never_ran_empty_shows_its_service_time() -> None:
    one = endpoint()
    one.pending = 50
    for number in range(200):
        one.note_first_byte(10.0 + 0.05 * number)
    assert abs(one.departure_s - 0.05) < 0.001
    assert abs(one.queue_s - 50 * one.departure_s) < 1e-9


def test_first_bytes_of_lone_requests_teach_nothing_of_queues() -> None:
    one = endpoint()
    one.pending = 1
    for number in range(10):
        one.note_first_byte(10.0 + 5.0 * number)
    assert one.departure_s == 0.0 and one.queue_s == 0.0


def test_shared_prefixes_take_up_less_room_than_is_counted() -> None:
    one = endpoint()
    one.kv, one.running = 200_000.0, 20
    for number in range(60):
        one.take_sample(1.0 + number, EngineSample(running=20, waiting=0, kv_usage=0.25))
    assert abs(one.kv_share - 0.25 * one.kv_max / 200_000.0) < 0.01
    assert one.foreign_kv == 0.0
