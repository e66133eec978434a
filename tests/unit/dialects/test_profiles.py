"""Are the shipped profiles whole, sourced, and in a plausible order?"""

import pytest

from flyball.dialects.profiles import catalogue, profile


@pytest.mark.parametrize("one", catalogue().values(), ids=lambda one: one.name)
def test_each_profile_is_whole(one) -> None:
    assert len(one.source) > 40
    assert one.error
    assert one.name.split("/")[1] == one.model
    assert one.power.full_watts > one.power.idle_watts > 0
    assert one.usd_per_hour > 0
    assert one.limits.step_tokens_max >= one.limits.seqs_max
    assert one.mixed.per_prefill_token_s > 0


def test_unlike_hardware_is_there() -> None:
    devices = {"h100", "h200", "a100", "l40s", "l4", "b200", "mi300x", "tpu-v6e", "rtx-pro-6000"}
    assert {f"{device}/llama-3.1-8b" for device in devices} <= set(catalogue())
    assert {"h100x4/llama-3.1-70b", "h100x2/qwen3-32b", "cpu/onnx-small"} <= set(catalogue())


def test_faster_memory_decodes_faster() -> None:
    order = ["b200", "h200", "h100", "a100", "l40s", "l4"]
    steps = [profile(f"{device}/llama-3.1-8b").decode_step_s(8, 4000) for device in order]
    assert steps == sorted(steps)


def test_fitted_form_gives_the_published_step_times() -> None:
    # ms per decode step = 6.7 + 0.088 * batch (H100, 8B), at the fit's mean context of 1,390
    for batch in (8, 64, 128):
        got = profile("h100/llama-3.1-8b").decode_step_s(batch, batch * 1390)
        assert got == pytest.approx((6.7 + 0.088 * batch) / 1e3, rel=0.02)


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'h100/llama-3\.1-8b'"):
        profile("h100/llama-8b")
    with pytest.raises(ValueError, match="there are: "):
        profile("zzzz")
