"""Is the basin of a queue with retries found: its edge, its hidden capacity, its trigger?"""

from collections.abc import Callable

import numpy as np
import pytest

from flyball.diagnosis.margins.metastable import basin, hidden_capacity, trigger

FULL = 2000.0
RATE, C, AGAIN = 55.0, 60.0, 0.8


def flow_at(load: float) -> Callable[[np.ndarray], np.ndarray]:
    """Continuous batching, patience of 22 s, 80 % of the late try again (at once)."""

    def flow(queue: np.ndarray) -> np.ndarray:
        served = RATE * queue / (C + queue)
        late = 1.0 / (1.0 + np.exp((22.0 - (C + queue) / RATE) / 1.5))
        return load + AGAIN * late * served - served

    return flow


def test_a_fleet_with_room_has_one_state_of_rest() -> None:
    found = basin(flow_at(9.0), FULL)
    assert not found.is_vulnerable and len(found.rests) == 1
    assert found.rests[0].is_stable
    assert found.rests[0].queue == pytest.approx(60 * 9.0 / 46.0, rel=0.02)


def test_a_vulnerable_fleet_has_an_edge_between_good_and_bad() -> None:
    found = basin(flow_at(44.0), FULL)
    assert found.is_vulnerable and found.edge is not None
    stable = [rest.queue for rest in found.rests if rest.is_stable]
    assert stable[0] < found.edge < stable[1]
    flow = flow_at(44.0)
    for start, bad in ((found.edge * 0.98, False), (found.edge * 1.02, True)):
        queue = np.array([start])
        for _ in range(20_000):
            queue = np.clip(queue + 0.1 * flow(queue), 0.0, FULL)
        assert (queue[0] > found.edge) is np.True_ if bad else queue[0] < found.edge


def test_hidden_capacity_lies_far_below_the_rate() -> None:
    """Once every attempt is late, a fifth of the work served still ends: 0.2 * 55."""
    found = hidden_capacity(flow_at, 1.0, 50.0, FULL)
    assert found == pytest.approx(0.2 * RATE * FULL / (C + FULL), rel=0.02)
    with pytest.raises(ValueError, match="already"):
        hidden_capacity(flow_at, 40.0, 50.0, FULL)


def test_a_busier_fleet_bears_shorter_spikes() -> None:
    borne = [trigger(flow_at, load, 1.6, FULL) for load in (38.0, 42.0, 46.0)]
    assert borne[0] > borne[1] > borne[2] > 0.0


def test_a_spike_that_cannot_fill_the_queue_is_borne_for_ever() -> None:
    assert trigger(flow_at, 20.0, 1.2, FULL) == float("inf")
    assert trigger(flow_at, 9.0, 5.0, FULL) == float("inf")
