"""Are the sheets readable, and is a name that nobody knows answered with the nearest?"""

import pytest

from flyball.dialects.sheets import accelerators, architectures, efficiencies, named


def test_what_is_promised_is_there() -> None:
    chips = {"H100-SXM", "H200-SXM", "A100-SXM-80GB", "B200", "B300", "GB200", "L4", "L40S"}
    assert chips | {"MI300X", "TPU-v5e", "TPU-v6e", "RTX-PRO-6000", "Gaudi2"} <= set(accelerators())
    assert {"vllm", "sglang", "trtllm"} == set(efficiencies())
    assert all(one.source for one in accelerators().values())


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm"])
def test_shares_are_shares(engine: str) -> None:
    reached = efficiencies()[engine]
    for share in (reached.memory / 1.3, reached.compute, reached.attention, reached.link):
        assert 0.05 < share < 1.1


def test_a_typing_mistake_is_answered_with_the_nearest_name() -> None:
    assert named(accelerators(), "H100-SXM", "accelerator").name == "H100-SXM"
    with pytest.raises(ValueError, match="did you mean 'H100-SXM'"):
        named(accelerators(), "H100-SX", "accelerator")
    with pytest.raises(ValueError, match="there are: llama-2-7b"):
        named(architectures(), "zzz", "model")
