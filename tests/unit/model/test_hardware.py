"""Do the shapes of models add up to the parameters their names promise?"""

import pytest

from flyball.dialects.sheets import accelerators, architectures
from flyball.model.hardware import Layout

PARAMS_1E9 = {
    "llama-2-7b": 6.7, "llama-2-70b": 69.0, "codellama-34b": 33.7, "llama-3.1-8b": 8.0,
    "llama-3.1-70b": 70.6, "llama-3.1-405b": 405.9, "mixtral-8x7b": 46.7, "qwen3-32b": 32.8,
    "qwen3-235b-a22b": 235.0, "deepseek-r1": 671.0, "gpt-oss-120b": 116.8, "minimax-m2.5": 229.0,
    "kimi-k2.5": 1026.0, "qwen3.5-397b-a17b": 397.0,
    "glm-5": 744.0, "gemma-3-27b": 28.4, "llama-4-scout": 107.8, "llama-4-maverick": 400.7,
}  # fmt: skip


@pytest.mark.parametrize(("name", "billions"), PARAMS_1E9.items())
def test_weights_are_as_published(name: str, billions: float) -> None:
    shape = architectures()[name]
    total = shape.attention_weights + shape.dense_weights + shape.expert_weights
    assert (total + 2 * shape.head_weights) / 1e9 == pytest.approx(billions, rel=0.03)


def test_kv_bytes_are_as_published() -> None:
    kv = {
        name: one.kv_values_per_layer * one.kv_layers * 2 for name, one in architectures().items()
    }
    assert kv["llama-3.1-8b"] == 131_072
    assert kv["llama-3.1-70b"] == 327_680
    assert kv["llama-2-7b"] == 524_288
    assert kv["deepseek-r1"] == 61 * 576 * 2


def test_a_missing_unit_falls_back_to_the_next_wider() -> None:
    chips = accelerators()
    assert chips["A100-SXM-80GB"].flops("fp8") == chips["A100-SXM-80GB"].bf16_flops
    assert chips["H100-SXM"].flops("fp4") == chips["H100-SXM"].fp8_flops
    assert chips["B200"].flops("fp4") == chips["B200"].fp4_flops
    assert chips["B200"].flops("int4") == chips["B200"].bf16_flops


def test_a_layout_has_accelerators() -> None:
    assert Layout(2, 4).accelerators == 8
    with pytest.raises(ValueError, match="at least one"):
        Layout(0)
