"""Does the data-sheet model follow its own formula, and does the plant stay exact on its bends?"""

import math

import numpy as np
import pytest
from msgspec.structs import replace

from flyball.dialects.sheets import accelerators, architectures, efficiencies
from flyball.model.hardware import Efficiency, Layout
from flyball.model.plant import Job
from flyball.sim.engine import Engine
from flyball.sim.oracle import replay
from flyball.sim.physics import profile_of

# All of the data sheet, no overhead, no overlap: figures that can be worked out by hand.
IDEAL = Efficiency(
    engine="ideal", memory=1.0, kv=1.0, compute=1.0, expert_rows=0.0, attention=1.0,
    link=1.0, link_short=1.0, layer_s=0.0, expert_layer_s=0.0, step_s=0.0, seq_s=0.0,
    collective_s=0.0, request_s=0.0, held_steps=0.0, corner=1.0, step_tokens_max=2048, seqs_max=256,
    source="test",
)  # fmt: skip


def test_one_sequence_by_hand() -> None:
    profile = profile_of("H100-SXM", "llama-3.1-8b", efficiency=IDEAL)
    weights = 7_504_658_432  # all but the input embedding
    want = weights * 2 / 3.35e12 + 2 * (weights - 4096 * 128256) / 989e12 + 1000 * 131_072 / 3.35e12
    assert profile.decode_step_s(1, 1000) == pytest.approx(want, rel=1e-3)


def test_prefill_attention_by_hand() -> None:
    profile = profile_of("H100-SXM", "llama-3.1-8b", efficiency=IDEAL)
    assert profile.mixed.per_prefill_context_s == pytest.approx(4 * 32 * 128 * 32 / 989e12)


def test_the_curve_is_the_formula_at_its_knots() -> None:
    profile = profile_of("H200-SXM", "qwen3-235b-a22b", 4, "fp8", "vllm")
    line = replace(profile.decode, curve=())
    for tokens, _ in profile.decode.curve:
        bent = profile.decode_step_s(tokens, 0.0)
        assert bent > 0
        assert bent - line.base_s - line.per_seq_s * tokens == pytest.approx(
            profile.decode.curve_s(tokens)
        )
    slow = [profile.decode_step_s(n, 0.0) for n in (1, 8, 64, 256)]
    assert slow == sorted(slow)


def test_a_few_sequences_load_few_experts() -> None:
    dense = replace(architectures()["mixtral-8x7b"], experts_active=8)
    assert dense.expert_weights > 0
    profile = profile_of("H100-SXM", "qwen3-30b-a3b", 2, efficiency=IDEAL)
    shape = architectures()["qwen3-30b-a3b"]
    least = shape.expert_weights * 8 / 128 * 2 / 2 / accelerators()["H100-SXM"].memory_bytes_s
    most = shape.expert_weights * 2 / 2 / accelerators()["H100-SXM"].memory_bytes_s
    assert least < profile.decode_step_s(1, 0.0) < 0.3 * most
    assert profile.decode_step_s(256, 0.0) > 0.99 * most


def test_attention_of_a_narrow_checkpoint_computes_at_its_own_width() -> None:
    shape, chip = architectures()["deepseek-r1"], accelerators()["B200"]
    assert shape.attention_precision("fp4") == "fp8"
    assert architectures()["llama-3.1-8b"].attention_precision("fp4") == "fp4"
    profile = profile_of("B200", "deepseek-r1", 8, "fp4", efficiency=IDEAL)
    at_fp8 = shape.attention_weights / chip.fp8_flops
    active = shape.expert_weights * shape.experts_active / shape.experts
    at_fp4 = (shape.dense_weights + active) / chip.fp4_flops
    sent = 2 * shape.layers * 4 * 7 / 8 * shape.hidden / chip.link_bytes_s
    step = profile.mixed_step_s(0, 0, 2048, 0) - profile.mixed_step_s(0, 0, 1024, 0)
    assert step == pytest.approx(1024 * (2 * (at_fp8 + at_fp4) / 8 + sent), rel=0.05)


def test_more_accelerators_are_faster_but_not_in_proportion() -> None:
    steps = [
        profile_of("H100-SXM", "llama-3.1-70b", n, "fp8").decode_step_s(32, 32_000)
        for n in (2, 4, 8)
    ]
    assert steps == sorted(steps, reverse=True)
    assert steps[2] > steps[0] / 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("H100-SXM", "llama-3.1-70b", 1, "bf16"), "needs 14. GB .* 80 GB: use more"),
        (("H100-SX", "llama-3.1-8b", 1, "bf16"), "did you mean 'H100-SXM'"),
        (("H100-SXM", "llama-3.1-8b", 1, "fp3"), "no precision 'fp3'"),
    ],
)
def test_what_cannot_be_is_said(given: tuple[str, str, int, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        profile_of(*given)


@pytest.mark.parametrize("chip", list(accelerators()))
@pytest.mark.parametrize("engine", list(efficiencies()))
def test_every_accelerator_serves_a_model_that_fits(chip: str, engine: str) -> None:
    profile = profile_of(chip, "llama-3.1-8b", 2, "bf16", engine)
    assert 0.001 < profile.decode_step_s(1, 100) < 0.2
    assert profile.limits.kv_tokens_max > 1000


def test_compressed_kv_is_copied_by_tensor_and_split_by_data() -> None:
    tensor = profile_of("B200", "deepseek-r1", Layout(8), "fp8").limits.kv_tokens_max
    data = profile_of("B200", "deepseek-r1", Layout(1, 8), "fp8").limits.kv_tokens_max
    assert data == pytest.approx(8 * tensor, rel=1e-3)


def test_closed_form_and_single_steps_agree_on_bends() -> None:
    seed = 11
    rng = np.random.default_rng(seed)
    profile = profile_of("B200", "minimax-m2.5", 4, "fp4", seqs_max=24, kv_tokens_max=30_000)
    at = np.cumsum(rng.exponential(0.02, 120))
    load = [
        (float(t), Job(str(i), int(rng.integers(1, 900)), int(rng.integers(1, 300))))
        for i, t in enumerate(at)
    ]
    engine = Engine(profile, prefix_cache=False)
    told = []
    for t, job in load:
        told += engine.advance(t)
        engine.submit(t, job)
    told += engine.advance(math.inf)
    assert told == replay(profile, load, prefix_cache=False), f"seed {seed}"
