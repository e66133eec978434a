"""Is the order of those held near the best order there is?"""

import random
from collections.abc import Callable, Sequence
from itertools import permutations
from statistics import mean

import pytest

from flyball.governor.loops.queue import urgency

Job = tuple[float, float, float, float]  # value, work (s), waited (s), allowed (s)


def jobs(rng: random.Random, scale: float) -> list[Job]:
    made: list[Job] = []
    for _ in range(6):
        allowed = rng.choice([2.0, 10.0, 60.0, 200.0])
        value = rng.choice([1.0, 4.0, 16.0]) * rng.uniform(0.5, 1.5)
        made.append(
            (value, rng.uniform(0.1, 3.0) * scale, rng.uniform(0.0, 0.8) * allowed, allowed)
        )
    return made


def cost(order: Sequence[Job]) -> float:
    """Of serving them one after the other, where delay costs value * (waited / allowed)^2."""
    at = total = 0.0
    for value, work, waited, allowed in order:
        at += work
        total += value * ((waited + at) / allowed) ** 2
    return total


def served(of: list[Job], rule: Callable[[Job, float], float]) -> list[Job]:
    left, order, at = list(of), list[Job](), 0.0
    while left:
        chosen = max(left, key=lambda job: rule(job, at))
        left.remove(chosen)
        order.append(chosen)
        at += chosen[1]
    return order


def gcmu(job: Job, at: float) -> float:
    value, work, waited, allowed = job
    return urgency(value, work, waited + at, allowed)


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_it_costs_little_more_than_the_best_order(scale: float) -> None:
    seed = 1
    rng = random.Random(seed)
    over: list[float] = []
    first_come: list[float] = []
    for _ in range(100):
        of = jobs(rng, scale)
        least = min(cost(order) for order in permutations(of))
        over.append(cost(served(of, gcmu)) / least)
        first_come.append(cost(served(of, lambda job, at: job[2])) / least)
    assert mean(over) < 1.08, f"seed {seed}: {mean(over):.3f}"
    assert mean(over) < 0.5 * mean(first_come)


def test_alike_in_all_but_work_the_shortest_goes_first() -> None:
    assert urgency(1.0, 1.0, 3.0, 10.0) > urgency(1.0, 2.0, 3.0, 10.0)


def test_the_more_pressed_goes_first() -> None:
    assert urgency(1.0, 1.0, 9.0, 10.0) > urgency(1.0, 1.0, 1.0, 10.0)
    assert urgency(1.0, 1.0, 0.0, 1.0) > urgency(1.0, 1.0, 0.0, 100.0)
    assert urgency(1.0, 1.0, 0.0, 0.0) > 0.0
