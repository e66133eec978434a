"""Does the race find a better constant, spend what it was given, and draw the same again?"""

import numpy as np

from flyball.sim.experiments.contestants import Contestant, Range
from flyball.sim.experiments.tune import Best, Point, drawn, near, search

SPACES = {
    "epp_default": {"prefix_weight": Range(low=0.1, high=10.0)},
    "dynamo_kv": {"device_credit": Range(low=0.2, high=2.0)},
}
BEGIN = Best(contestant=Contestant(core="epp_default"), step=0, samples=0)


def hill(one: Contestant, step: int) -> bool:
    """Passes up to 20 steps where the weight is 3, less the further from it; others pass none."""
    weight = one.tuned.get("prefix_weight", 0.0)
    return one.core == "epp_default" and step <= 20 - 5 * abs(weight - 3.0)


def race(samples: int, seed: int) -> tuple[Best, list[Best]]:
    told: list[Best] = []
    return search(SPACES, ("", "budgeted"), BEGIN, samples, hill, seed, told.append), told


def test_the_race_climbs_to_a_better_constant() -> None:
    best, told = race(200, 1)
    assert best.step >= 18
    assert abs(best.contestant.tuned["prefix_weight"] - 3.0) < 0.5
    assert [one.samples for one in told] == list(range(1, 201))
    assert [one.step for one in told] == sorted(one.step for one in told)


def test_it_is_the_same_race_again_and_a_longer_one_begins_alike() -> None:
    assert race(40, 3)[1] == race(80, 3)[1][:40]
    assert race(40, 3)[1] != race(40, 4)[1]


def test_what_never_passes_leaves_the_begin() -> None:
    best = search(SPACES, ("",), BEGIN, 10, lambda one, step: False, 1, lambda best: None)
    assert (best.contestant, best.step, best.samples) == (BEGIN.contestant, 0, 10)


def test_points_stay_in_their_space_and_a_near_one_differs() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        point = drawn(rng, SPACES, ("", "budgeted"))
        other = near(rng, point)
        assert set(other.shares) == set(SPACES[point.core])
        assert all(0.0 <= at <= 1.0 for at in other.shares.values())
        assert other.core == point.core
    assert near(rng, Point("dynamo_kv", {"device_credit": 0.5})).shares != {"device_credit": 0.5}


def test_what_belongs_to_the_classes_is_no_price() -> None:
    spaces = {
        "governor": {"kv_price_weight": Range(low=1, high=2), "hold_ratio": Range(low=1, high=2)}
    }
    made = Point("governor", {"kv_price_weight": 0.0, "hold_ratio": 1.0}).contestant(spaces)
    assert (made.pricing, made.hold_ratio, made.tuned) == ({"kv_price_weight": 1.0}, 2.0, {})
