"""Is the disk margin the textbook's, and the measured peak that of a loop that is known?"""

import numpy as np
import pytest

from flyball.diagnosis.margins.sensitivity import SEGMENT, closed, disk_margin, measured, peak

SEED = 17


def integrator(
    gain: float, rows: int, delay: int = 1, noise: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """u = x + d; x moves by -gain * u, `delay` rows late: S(z) is known in closed form."""
    print(f"seed {SEED}")
    chance = np.random.default_rng(SEED)
    offsets = 0.02 * chance.choice([-1.0, 1.0], size=(rows, 1))
    points = np.zeros((rows, 1))
    for at in range(delay, rows):
        seen = points[at - delay] + offsets[at - delay]
        points[at] = points[at - 1] - gain * seen + noise * chance.normal()
    return points, offsets


def exact(gain: float, delay: int = 1) -> np.ndarray:
    z = np.exp(2j * np.pi * np.fft.rfftfreq(SEGMENT)[1:])
    return 1.0 / (1.0 + gain * z ** (1 - delay) / (z - 1.0))


def test_disk_margin_of_a_static_gain() -> None:
    """L = 1: S = T = 1/2, the skew is 0 beyond rounding; L = 0: S = 1, alpha = 2."""
    open_loop = disk_margin(closed(np.zeros((4, 2, 2))))
    assert open_loop.alpha == pytest.approx(2.0)
    assert open_loop.gain_low == pytest.approx(0.0)
    assert open_loop.modulus == pytest.approx(1.0)


def test_disk_margin_of_a_delayed_integrator_bounds_its_gain_margin() -> None:
    """L = g/(z - 1) goes unstable at g = 2: at g = 0.5 the gain margin is 4."""
    z = np.exp(1j * np.linspace(0.001, np.pi, 4000))
    found = disk_margin(closed((0.5 / (z - 1.0))[:, None, None]))
    assert 1.5 < found.gain_high <= 4.0 + 1e-9
    assert found.gain_low * found.gain_high == pytest.approx(1.0)
    assert found.phase_deg == pytest.approx(np.degrees(2 * np.arctan(found.alpha / 2)))


def test_the_measured_sensitivity_is_that_of_the_loop() -> None:
    points, offsets = integrator(0.5, 4000)
    found, frequencies = measured(points, offsets, 30.0)
    assert frequencies[-1] == pytest.approx(np.pi / 30.0)
    # The window smears a little of a bin into its neighbours.
    assert np.abs(found[1:, 0, 0]) == pytest.approx(np.abs(exact(0.5))[1:], rel=0.15)


def test_the_peak_grows_with_the_gain() -> None:
    values = [peak(*integrator(gain, 2000, delay=2), 30.0).value for gain in (0.2, 0.5, 0.8)]
    assert values[0] < values[1] < values[2]
    # Smeared over a bin and less what looks like noise: never more than the truth.
    truth = np.abs(exact(0.8, delay=2)).max()
    assert 0.3 * truth < values[2] < truth


def test_noise_alone_is_no_peak() -> None:
    quiet = peak(*integrator(0.1, 240), 30.0)
    noisy = peak(*integrator(0.1, 240, noise=0.03), 30.0)
    assert noisy.noise > quiet.noise
    assert noisy.value < 2.4


def test_the_loop_that_answers_most_is_named() -> None:
    calm_points, calm_offsets = integrator(0.1, 800)
    wild_points, _ = integrator(0.8, 800, delay=2)
    other = np.roll(calm_offsets, 5)
    both = np.concatenate([calm_points, wild_points], axis=1)
    found = peak(both, np.concatenate([other, calm_offsets], axis=1), 30.0)
    assert found.loop == 1


@pytest.mark.parametrize(
    ("rows", "size", "said"), [(SEGMENT, 0.02, "few"), (10 * SEGMENT, 0.0, "without dither")]
)
def test_too_little_is_refused(rows: int, size: float, said: str) -> None:
    offsets = size * np.random.default_rng(SEED).choice([-1.0, 1.0], size=(rows, 1))
    with pytest.raises(ValueError, match=said):
        peak(np.zeros((rows, 1)), offsets, 30.0)
