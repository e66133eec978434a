"""Do the gains reproduce the closed form, and does a loop at them do what it says?"""

import math

import numpy as np
import pytest

from flyball.pricing.step import GAIN_SHARE_MAX, correct, gain_best, gain_limit

TABLE = [
    (0, 2.000, 1.000, 1),
    (1, 1.000, 0.250, 7),
    (2, 0.618, 0.148, 11),
    (3, 0.445, 0.105, 16),
    (5, 0.285, 0.067, 25),
    (10, 0.1495, 0.035, 48),
]


def run(gain: float, delay: int, ticks: int) -> list[float]:
    """Errors of price' = price - gain x (error seen `delay` ticks ago), from a step of 1."""
    errors = [1.0] * (delay + 1)
    for _ in range(ticks):
        errors.append(errors[-1] - gain * errors[-1 - delay])
    return errors[delay:]


def slowest_pole(gain: float, delay: int) -> float:
    """Largest modulus of a root of z^(d+1) - z^d + gain."""
    polynomial = np.zeros(delay + 2)
    polynomial[:2] = 1.0, -1.0
    polynomial[-1] += gain
    return float(np.abs(np.roots(polynomial)).max())


@pytest.mark.parametrize(("delay", "limit", "best", "ticks"), TABLE)
def test_the_table(delay: int, limit: float, best: float, ticks: int) -> None:
    assert gain_limit(delay) == pytest.approx(limit, rel=2e-3)
    assert gain_best(delay) == pytest.approx(best, abs=6e-4)
    pole = slowest_pole(gain_best(delay), delay)
    assert pole == pytest.approx(delay / (delay + 1), abs=1e-3)
    if (
        delay
    ):  # the table counts by the slowest pole; being double, it takes up to half as long again
        assert round(math.log(0.01) / math.log(pole)) == ticks
    errors = run(gain_best(delay), delay, 200)
    settled = max(i for i, error in enumerate(errors) if abs(error) > 0.01) + 1
    assert ticks <= settled <= 1.5 * ticks + 1
    assert min(errors) > -1e-6, "critically damped: no overshoot"


@pytest.mark.parametrize("delay", [row[0] for row in TABLE])
def test_the_limit_is_the_border_of_stability(delay: int) -> None:
    inside = run(0.99 * gain_limit(delay), delay, 20_000)
    outside = run(1.01 * gain_limit(delay), delay, 20_000)
    assert max(map(abs, inside[-50:])) < 1e-3
    assert max(map(abs, outside[-50:])) > 1e3


@pytest.mark.parametrize("delay", [row[0] for row in TABLE])
def test_correct_finds_the_price_that_clears_the_market(delay: int) -> None:
    slope, available, price = 40.0, 10.0, 0.0
    used = [50.0 - slope * price] * (delay + 1)
    for _ in range(400):
        price = correct(price, used[-1 - delay] - available, slope, delay)
        used.append(50.0 - slope * price)
    assert price == pytest.approx(1.0, rel=1e-6)


def test_the_gain_is_capped_at_a_third_of_the_limit() -> None:
    assert correct(0.0, 1.0, 1.0, 0) == pytest.approx(GAIN_SHARE_MAX * 2.0)
    assert correct(0.0, 1.0, 1.0, 1) == pytest.approx(0.25)


def test_a_price_is_never_negative_and_an_unknown_slope_moves_nothing() -> None:
    assert correct(0.1, -1e9, 1.0, 3) == 0.0
    for slope in (0.0, -1.0, math.nan, math.inf, 5e-324):
        assert correct(0.7, 5.0, slope, 2) == 0.7


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="negative"):
        gain_best(-1)
    with pytest.raises(ValueError, match="finite"):
        correct(math.nan, 0.0, 1.0, 1)


class DelayedMarket:
    """A resource whose users answer a price with use = peak x exp(-price / scale), and read what
    was measured `delay` ticks ago, with noise of `sd` of the capacity."""

    def __init__(self, delay: int, sd: float, seed: int) -> None:
        self.delay, self.sd = delay, sd
        self.peak, self.capacity, self.scale = 100.0, 100.0, 0.5
        self.price = 0.0
        self.used = [100.0] * (delay + 1)
        self.draw = np.random.default_rng(seed)

    def tick(self) -> None:
        """The price moves on an old residual, by the slope at the price of now."""
        seen = self.used[-1 - self.delay] * (1.0 + self.sd * self.draw.normal())
        slope = self.peak * math.exp(-self.price / self.scale) / self.scale
        self.price = correct(self.price, seen - self.capacity, slope, self.delay)
        self.used.append(self.peak * math.exp(-self.price / self.scale))

    def clears_at(self) -> float:
        return max(0.0, self.scale * math.log(self.peak / self.capacity))


def turns(series: list[float], least: float) -> int:
    """How often a series turns round by more than `least`."""
    count, direction, mark = 0, 0, series[0]
    for value in series:
        if direction >= 0 and value < mark - least:
            count, direction, mark = count + (direction > 0), -1, value
        elif direction <= 0 and value > mark + least:
            count, direction, mark = count + (direction < 0), 1, value
        elif (value - mark) * direction > 0:
            mark = value
    return count


@pytest.mark.parametrize("delay", range(11))
@pytest.mark.parametrize("step", [1.1, 1.3])
def test_prices_settle_within_twice_the_tables_ticks_after_a_step(delay: int, step: float) -> None:
    """Demand rises by 10 or 30 % and falls back, in a market that is not linear: within 2 % of
    capacity in time (for delays between the table's rows, of the pole the table counts by), no
    overshoot beyond that, no turning back and forth."""
    market = DelayedMarket(delay, sd=0.0, seed=1)
    by_pole = math.ceil(math.log(0.01) / math.log(delay / (delay + 1))) if delay else 1
    # Below a delay of one tick the gain cap (a third of critical) and not the pole sets the pace.
    table = max(by_pole, math.ceil(math.log(0.01) / math.log(1.0 / 3.0)))
    for peak in (100.0 * step, 100.0):
        market.peak = peak
        prices = []
        for _ in range(2 * table + delay):
            market.tick()
            prices.append(market.price)
        assert market.price == pytest.approx(market.clears_at(), abs=0.02 * market.scale)
        for _ in range(200):
            market.tick()
            prices.append(market.price)
        assert market.price == pytest.approx(market.clears_at(), abs=1e-3 * market.scale)
        assert turns(prices, least=0.02 * market.scale) == 0


@pytest.mark.parametrize("delay", [0, 1, 2, 5, 10])
def test_noise_is_not_made_larger_by_the_loop(delay: int) -> None:
    """2 % of noise in what is measured moves the price by no more than as much demand would."""
    seed = 5 + delay
    print("seed", seed)
    market = DelayedMarket(delay, sd=0.02, seed=seed)
    market.peak = 130.0
    prices = []
    for tick in range(3000):
        market.tick()
        if tick > 500:
            prices.append(market.price)
    assert float(np.std(prices)) < 0.02 * market.scale
    assert float(np.mean(prices)) == pytest.approx(market.clears_at(), rel=0.02)


@pytest.mark.parametrize("delay", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("wrong", [0.5, 2.0])
def test_a_slope_off_by_a_factor_of_two_still_does_not_oscillate_for_long(
    delay: int, wrong: float
) -> None:
    """The cap on the gain is what pays here: at most 2/3 of critical."""
    price, used = 0.0, [50.0] * (delay + 1)
    for _ in range(600):
        price = correct(price, used[-1 - delay] - 10.0, 40.0 * wrong, delay)
        used.append(50.0 - 40.0 * price)
    assert price == pytest.approx(1.0, abs=1e-3)
