"""Are promises found that no place can keep, and classes with no place to run?"""

import pytest

from flyball.serve.config.promises import first_token_s
from support.configs import config, faults


def least_ms() -> float:
    fleet = config().fleet
    return 1000 * min(
        first_token_s(pool.profile, fleet.site_of(pool).rtt_s) for pool in fleet.pools
    )


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (
            "ttft_ms: 0.5",
            ["error classes.talk.ttft_ms", "no allowed pool can do this", "when idle"],
        ),
        ("tpot_ms: 0.01", ["error classes.talk.tpot_ms"]),
        ("e2e_ms: 0.5", ["error classes.talk.e2e_ms"]),
        ("e2e_ms: 400, output_tokens_mean: 10000", ["warning classes.talk.e2e_ms", "10000 tokens"]),
        ("ttft_ms: 80, jurisdictions: [US]", ["error classes.talk.ttft_ms", "'big', the nearest"]),
        ("jurisdictions: [FR]", ["no pool stands in any jurisdiction", "'NO', 'US'"]),
        ("e2e_ms: 9000, deadline_s: 2", ["classes.talk.deadline_s", "Give at least 9"]),
        ("queue_ms_max: 5000, deadline_s: 2", ["classes.talk.queue_ms_max", "at most 2000"]),
    ],
)
def test_what_can_not_be_kept_is_told(new: str, told: list[str]) -> None:
    text = "\n".join(faults(("ttft_ms: 900", new)))
    for words in told:
        assert words in text, text


def test_the_bound_is_tight() -> None:
    least = least_ms()
    assert faults(("ttft_ms: 900", f"ttft_ms: {least * 1.001:.6f}")) == []
    assert faults(("ttft_ms: 900", f"ttft_ms: {least * 0.999:.6f}"))


def test_a_principal_that_may_run_nowhere_is_warned_of() -> None:
    (line,) = faults(
        ("ttft_ms: 900", "jurisdictions: [NO]"), ("classes: [talk]", "jurisdictions: [US]")
    )
    assert line.startswith("warning principals.ann.jurisdictions")
