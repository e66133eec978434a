"""Are real effects shown, false ones bounded at any time, whatever the signal does by itself?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.diagnosis.topology.probes import Probe, e_bh, e_value, edges, measured


def probe(seed: int, blocks: int, gains: np.ndarray, noise: float = 0.003) -> Probe:
    """Signals that remember, drift, and answer to their actuators by `gains`."""
    rng = np.random.default_rng(seed)
    actuators, signals = gains.shape
    arms = rng.choice([-1.0, 1.0], (blocks, actuators))
    values, state = np.zeros((blocks, signals)), np.zeros(signals)
    for block in range(blocks):
        state = 0.8 * state + noise * rng.standard_normal(signals)
        values[block] = 2.0 * (1.0 + 0.02 * arms[block] @ gains + state + 1e-4 * block)
    names = [f"u{i}" for i in range(actuators)], [f"y{i}" for i in range(signals)]
    return Probe(*names, arms, values, np.full(actuators, 0.02), 20.0)


def test_effects_are_found_with_sign_and_size() -> None:
    gains = np.array([[0.5, 0.0, 0.0], [0.0, -0.8, 0.0]])
    found = edges(probe(7, 180, gains))
    assert {(one.actuator, one.signal) for one in found} == {("u0", "y0"), ("u1", "y1")}
    for one in found:
        real = gains[int(one.actuator[1]), int(one.signal[1])]
        assert one.low < one.gain < one.high and one.lag == 0
        assert one.gain == pytest.approx(real, abs=0.15)


def test_without_effects_false_edges_are_rare() -> None:
    """200 experiments of 24 null pairs: at a share of 2 %, any edge in at most 2 % of them."""
    wrong = sum(bool(edges(probe(seed, 60, np.zeros((4, 6))))) for seed in range(200))
    assert wrong <= 9, f"{wrong} of 200 (seeds 0 to 199)"


def test_a_look_at_every_time_does_not_raise_false_alarms() -> None:
    """Ville: the chance that the evidence ever passes 20 is at most 1 / 20."""
    rng = np.random.default_rng(3)
    ever = 0
    for _ in range(300):
        coins = rng.choice([-1.0, 1.0], 120)
        wave = np.clip(0.8 * np.sin(np.arange(120) / 5.0) + 0.2 * rng.standard_normal(120), -1, 1)
        ever += any(e_value(coins[:n], wave[:n], 1) >= 20.0 for n in range(20, 121, 10))
    assert ever <= 25, f"{ever} of 300 (seed 3)"


def test_evidence_grows_with_time() -> None:
    gains = np.array([[0.4]])
    short, long = (edges(probe(1, blocks, gains))[0].e_value for blocks in (100, 300))
    assert long > 10.0 * short


@given(st.lists(st.floats(0.0, 1e6), max_size=20), st.sampled_from([0.02, 0.2]))
def test_e_bh_is_its_definition(values: list[float], share: float) -> None:
    falling = sorted(values, reverse=True)
    kept = e_bh(falling, share)
    holds = [k for k in range(1, len(falling) + 1) if falling[k - 1] * k * share >= len(falling)]
    assert kept == (max(holds) if holds else 0)


def test_e_values_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="sorted"):
        e_bh([1.0, 2.0], 0.1)


def test_edges_become_measured_effects() -> None:
    graph = measured(edges(probe(7, 180, np.array([[0.5]]))), 20.0, "chat")
    (one,) = graph.effects
    assert one.is_measured and one.scope == "chat" and one.way == 1 and one.delay_s == 0.0
    assert one.low is not None and one.high is not None and one.seen[0].startswith("probe")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"arms": np.zeros((40, 1))}, "-1 or"),
        ({"values": np.full((40, 1), np.nan)}, "gaps"),
        ({"steps": np.zeros(3)}, "shapes"),
        ({"arms": np.ones((5, 1)), "values": np.ones((5, 1))}, "at least"),
    ],
)
def test_what_cannot_be_judged_is_refused(fields: dict[str, np.ndarray], words: str) -> None:
    good = probe(0, 40, np.array([[0.5]]))
    with pytest.raises(ValueError, match=words):
        edges(good._replace(**fields))
