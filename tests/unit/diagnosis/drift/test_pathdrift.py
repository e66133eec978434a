"""Paths of two runs: what differs is found, by which loop, and noise is left alone."""

from collections import Counter

import numpy as np
import pytest

from flyball.diagnosis.drift.pathdrift import (
    PATHS_MAX,
    compare,
    divergence,
    loop_of,
    path_of,
    slotted,
)
from support import records

ROUTES = ("router:a", "router:b")


def run(rng: np.random.Generator, slots: int, retries: float, to_b: float) -> list[Counter]:
    found = []
    for _ in range(slots):
        counts: Counter = Counter()
        share = np.clip(to_b + 0.05 * rng.normal(), 0, 1)  # one slot's noise is common to it
        for _ in range(200):
            route = ROUTES[int(rng.random() < share)]
            again = "retry:yes" if rng.random() < retries else "retry:no"
            counts[("context:whole", route, again, "ending:served")] += 1
        found.append(counts)
    return found


def test_a_new_path_and_its_loop():
    rng = np.random.default_rng(31)
    found = compare(run(rng, 12, 0.0, 0.3), run(rng, 12, 0.1, 0.3), rng)
    assert found.chance < 0.05, "seed 31"
    assert found.loops[0][0] == "retry"
    assert {change.path[2] for change in found.new} == {"retry:yes"} and not found.gone
    assert all(change.expected == pytest.approx(2400 * change.after) for change in found.new)
    assert sum(bits for _, bits in found.loops) == pytest.approx(found.bits, abs=1e-6)


def test_a_share_that_moved():
    rng = np.random.default_rng(32)
    found = compare(run(rng, 12, 0.05, 0.3), run(rng, 12, 0.05, 0.5), rng)
    assert found.loops[0][0] == "router" and found.moved, "seed 32"


def test_noise_common_to_a_slot_is_no_difference():
    rng = np.random.default_rng(33)
    chances = [compare(run(rng, 8, 0.0, 0.3), run(rng, 8, 0.0, 0.3), rng).chance for _ in range(30)]
    assert np.mean(np.array(chances) <= 0.05) <= 0.17, "seed 33"


def test_divergence_lies_between_0_and_1():
    assert divergence(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0
    assert divergence(np.array([0.4, 0.6]), np.array([0.4, 0.6])) == 0.0


def test_many_paths_are_bounded():
    rng = np.random.default_rng(34)
    slot = {(f"router:{i}",): 1 + i % 3 for i in range(PATHS_MAX + 50)}
    found = compare([slot, slot], [slot, slot], rng)
    assert found.bits == pytest.approx(0.0, abs=1e-9) and not found.new


def test_an_empty_run_is_refused():
    with pytest.raises(ValueError, match="no paths"):
        compare([{}], [{("a",): 1}], np.random.default_rng(0))


def test_requests_fall_into_slots_of_time():
    slots = slotted([(0.0, ("a",)), (1.0, ("a",)), (10.0, ("b",))], 5)
    assert [sum(slot.values()) for slot in slots] == [2, 0, 0, 0, 1]
    assert slotted([], 2) == [Counter(), Counter()]


def test_the_path_of_records_names_what_each_loop_did():
    path = path_of([records.intent()], records.outcome(records.intent()))
    assert [loop_of(step) for step in path] == ["tier", "context", "router", "retry", "ending"]
