"""Do rates fade, sizes follow what engines report, and absurd reports stay out?"""

from flyball.governor.tally import ClassTally, TokenRatio
from flyball.model.signals import Settled
from support import records


def settled(**changes: object) -> Settled:
    fields = {"input_tokens": 1000, "cached_tokens": 500, "output_tokens": 100} | changes
    return records.settled(prompt_bytes=4000, **fields)


def test_a_steady_stream_is_counted_at_its_rate() -> None:
    tally = ClassTally(200.0)
    for number in range(3000):
        tally.arrive(number * 0.1)
    assert abs(tally.rate_per_s - 10.0) < 0.2
    tally.decay(300.0 + 300.0)
    assert tally.rate_per_s < 0.001


def test_sizes_follow_what_was_served() -> None:
    tally = ClassTally(200.0)
    for _ in range(500):
        tally.learn(settled())
    assert abs(tally.input_tokens - 1000) < 1
    assert abs(tally.output_tokens - 100) < 1
    assert abs(tally.cached_ratio - 0.5) < 0.01


def test_a_cache_larger_than_the_prompt_is_nonsense() -> None:
    tally = ClassTally(200.0)
    for _ in range(500):
        tally.learn(settled(input_tokens=10, cached_tokens=9999))
    assert tally.cached_ratio <= 1.0


def test_a_clock_that_steps_backward_changes_nothing() -> None:
    tally = ClassTally(200.0)
    tally.arrive(10.0)
    tally.arrive(5.0)
    assert tally.updated_at == 10.0 and tally.rate_per_s > 0.06


def test_bytes_per_token_leaves_absurd_ratios_out() -> None:
    ratio = TokenRatio()
    ratio.learn(10_000_000, 100)
    ratio.learn(5, 3)
    assert ratio.bytes_per_token == 4.0
    for _ in range(500):
        ratio.learn(3000, 1000)
    assert abs(ratio.bytes_per_token - 3.0) < 0.01
