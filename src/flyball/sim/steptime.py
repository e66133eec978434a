"""How many femtoseconds does a step take, and how do they become seconds without loss of order?

Whole numbers add without rounding, so a run of steps taken at once ends at the same instant as the
same steps taken one by one. 1 fs keeps the smallest coefficient (about 1 ns per prompt token and
token of context) to six digits.
"""

import math
from functools import lru_cache

from flyball.model.profile import Profile, StepCost
from flyball.units import Seconds

TICKS_PER_S = 1e15


def seconds(ticks: int) -> Seconds:
    """Femtoseconds to seconds; never changes the order of two instants."""
    return ticks / TICKS_PER_S


def ticks_at_or_after(at: Seconds) -> int:
    """The femtosecond at, or as little as possible after, the instant `at`."""
    ticks = round(at * TICKS_PER_S)
    while seconds(ticks) < at:
        ticks += max(1, int(math.ulp(at) * TICKS_PER_S))
    return ticks


@lru_cache(maxsize=64)
def _curve_ticks(cost: StepCost, tokens_max: int) -> list[int]:
    """What a step of 0, 1, ... `tokens_max` tokens takes more than the line, femtoseconds."""
    return [round(cost.curve_s(tokens) * TICKS_PER_S) for tokens in range(tokens_max + 1)]


class StepTime:
    """`Profile`'s step cost, with each coefficient rounded once to whole femtoseconds."""

    def __init__(self, profile: Profile) -> None:
        decode, mixed = profile.decode, profile.mixed
        self._decode_base = round(decode.base_s * TICKS_PER_S)
        self._decode_seq = round(decode.per_seq_s * TICKS_PER_S)
        self._decode_kv = round(decode.per_kv_token_s * TICKS_PER_S)
        self._mixed_base = round(mixed.base_s * TICKS_PER_S)
        self._mixed_seq = round(mixed.per_seq_s * TICKS_PER_S)
        self._mixed_kv = round(mixed.per_kv_token_s * TICKS_PER_S)
        self._prefill = round(mixed.per_prefill_token_s * TICKS_PER_S)
        self._half_context = round(mixed.per_prefill_context_s * TICKS_PER_S / 2)
        limits = profile.limits
        self._decode_curve = _curve_ticks(decode, limits.seqs_max) if decode.curve else ()
        self._mixed_curve = _curve_ticks(mixed, limits.step_tokens_max) if mixed.curve else ()

    def decode(self, seqs: int, kv_tokens: int) -> tuple[int, int]:
        """A pure decode step, and how much longer each following one takes."""
        kv = self._decode_kv
        first = self._decode_base + self._decode_seq * seqs + kv * kv_tokens
        if self._decode_curve:
            first += self._decode_curve[seqs]
        return first, kv * seqs

    def mixed(self, seqs: int, kv_tokens: int, prefill_tokens: int, context_twice: int) -> int:
        """A step with prompt tokens; `context_twice` = sum of p * (2 * prefix + p)."""
        ticks = (
            self._mixed_base
            + self._mixed_seq * seqs
            + self._mixed_kv * kv_tokens
            + self._prefill * prefill_tokens
            + self._half_context * context_twice
        )
        return ticks + self._mixed_curve[seqs + prefill_tokens] if self._mixed_curve else ticks
