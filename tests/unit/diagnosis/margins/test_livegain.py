"""Do counts alone tell a retry loop that feeds on itself from one that does not?"""

import numpy as np
import pytest

from flyball.diagnosis.margins import livegain


def plant(seed: int, rows: int, again: float, slope: float) -> tuple[np.ndarray, ...]:
    """Attempts, failed and repeated ones per row, where the share that fails rises with load."""
    chance = np.random.default_rng(seed)
    attempts = chance.uniform(50.0, 150.0, rows).round()
    fails = np.clip(slope * (attempts - 50.0) / 100.0, 0.0, 1.0)
    failed = chance.binomial(attempts.astype(int), fails).astype(float)
    return attempts, failed, chance.binomial(failed.astype(int), again).astype(float)


def truth(again: float, slope: float) -> float:
    """r d(p lambda)/d lambda at the mean load of 100: p = slope (load - 50) / 100."""
    return again * slope * (2 * 100.0 - 50.0) / 100.0


@pytest.mark.parametrize(("again", "slope"), [(0.9, 0.6), (0.5, 0.2), (0.2, 0.1)])
def test_the_marginal_gain_lies_within_its_interval(again: float, slope: float) -> None:
    inside = 0
    for seed in range(40):
        found = livegain.marginal(*plant(seed, 60, again, slope))
        assert found is not None and found.low is not None and found.high is not None
        inside += found.low <= truth(again, slope) <= found.high
    assert inside >= 36, f"{inside} of 40 intervals hold the truth (seeds 0 to 39)"


def test_it_needs_load_that_varied_and_enough_of_it() -> None:
    still = np.full(60, 100.0)
    assert livegain.marginal(still, 0.5 * still, 0.4 * still) is None
    attempts, failed, again = plant(1, 60, 0.9, 0.6)
    assert livegain.marginal(attempts[:8], failed[:8], again[:8]) is None
    assert livegain.marginal(attempts / 1e3, failed / 1e3, again / 1e3) is None


def test_the_average_is_a_share_with_its_error() -> None:
    found = livegain.average(np.full(10, 100.0), np.full(10, 60.0))
    assert found is not None and found.value == pytest.approx(0.6)
    assert found.low is not None and found.high is not None
    assert livegain.LIMIT < found.low < 0.6 < found.high < 0.66
    assert livegain.average(np.array([99.0]), np.array([60.0])) is None
    none_seen = livegain.average(np.full(10, 100.0), np.zeros(10))
    assert none_seen is not None and none_seen.high is not None and none_seen.high > 0.0
