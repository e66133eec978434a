"""Does a split send KV when it should, and look from outside like what it is made of?"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flyball.dialects.profiles import profile
from flyball.model.split import Split

H100 = profile("h100/llama-3.1-8b")


def split(**given: object) -> Split:
    """One prefill engine and two decode engines; 10 bytes of KV a token, 100 bytes/s."""
    plain = Split(engine=H100, prefill=1, decode=2, link_bytes_s=100.0, kv_token_bytes=10.0)
    return replace(plain, **given)


def test_all_at_once_waits_for_the_prompt_and_for_the_link() -> None:
    # 20 tokens of 10 bytes at 100 bytes/s: 2 s.
    assert split().sent(begun=1.0, done=5.0, free=0.0, prompt=20) == 7.0
    assert split().sent(begun=1.0, done=5.0, free=6.5, prompt=20) == 8.5


def test_layers_hide_behind_the_prompt() -> None:
    four = split(parts=4)
    # The prompt takes longer: only the last quarter, 0.5 s, is left when it is done.
    assert four.sent(begun=1.0, done=5.0, free=0.0, prompt=20) == 5.5
    # The link takes longer, 8 s: it begins after the first quarter of the prompt, at 2 s.
    assert four.sent(begun=1.0, done=5.0, free=0.0, prompt=80) == 10.0
    # The link is busy until 4 s.
    assert four.sent(begun=1.0, done=5.0, free=4.0, prompt=80) == 12.0


@given(
    st.floats(0, 10), st.floats(0, 10), st.floats(0, 20), st.integers(1, 1000), st.integers(1, 9)
)
def test_the_form_is_that_of_parts_sent_one_by_one(
    begun: float, took: float, free: float, prompt: int, parts: int
) -> None:
    one, now = split(parts=parts), free
    for part in range(1, parts + 1):
        now = max(now, begun + took * part / parts) + prompt * 10.0 / 100.0 / parts
    assert math.isclose(one.sent(begun, begun + took, free, prompt), now, abs_tol=1e-9)


def test_from_outside_it_is_all_its_engines() -> None:
    whole = split(prefill=3, decode=2).as_one()
    assert whole.accelerators == 5 * H100.accelerators
    assert whole.usd_per_hour == 5 * H100.usd_per_hour
    assert whole.power.idle_watts == 5 * H100.power.idle_watts
    assert whole.limits.kv_tokens_max == 2 * H100.limits.kv_tokens_max
    # 60 answers on two engines step as fast as 30 on one.
    assert whole.decode_step_s(60, 60_000) == pytest.approx(H100.decode_step_s(30, 30_000))
    assert whole.mixed.per_prefill_token_s == pytest.approx(H100.mixed.per_prefill_token_s / 3)


def test_a_bent_cost_is_bent_at_more_tokens() -> None:
    curve = ((1.0, 0.004), (20.0, 0.001), (64.0, 0.0))
    bent = replace(H100, decode=replace(H100.decode, curve=curve))
    whole = split(engine=bent, decode=4).as_one()
    assert whole.decode_step_s(80, 8000) == pytest.approx(bent.decode_step_s(20, 2000))


@pytest.mark.parametrize(
    "wrong",
    [
        {"prefill": 0}, {"decode": 0}, {"parts": 0}, {"link_bytes_s": 0.0},
        {"link_bytes_s": math.nan}, {"kv_token_bytes": -1.0}, {"link_latency_s": -0.1},
    ],
)  # fmt: skip
def test_what_cannot_work(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a split"):
        split(**wrong)
