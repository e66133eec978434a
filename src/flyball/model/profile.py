"""How long does one engine step take on this hardware, and what are the engine's limits?

The step-cost form is linear in its terms, with one set of coefficients for pure decode steps and
one for steps that also carry prefill (measured: one set is 1.8-3.3 times off in the KV term):

    step_s = base_s + per_seq_s * decoding_seqs + per_kv_token_s * kv_tokens_of_decoding_seqs
             + per_prefill_token_s * p + per_prefill_context_s * p * (prefix + p / 2)
             + curve(decoding_seqs + p)

with p = prompt tokens computed in this step and prefix = tokens of that prompt already in the
cache. `base_s` holds weight traffic, kernel launches, tensor-parallel communication and host
overhead. `curve` bends the line where a step is not linear in its tokens: the floor of a small
batch, experts that are loaded only as a batch grows, messages too short to fill a link.
"""

from bisect import bisect_right
from itertools import pairwise

from msgspec import Struct

from flyball.units import Seconds, Tokens, Usd, Watts


class StepCost(Struct, frozen=True, forbid_unknown_fields=True):
    """Coefficients of one kind of engine step, seconds.

    `curve` lists (tokens of the step, seconds to add), linear between, level beyond its ends.
    """

    base_s: Seconds
    per_seq_s: Seconds
    per_kv_token_s: Seconds
    per_prefill_token_s: Seconds = 0.0
    per_prefill_context_s: Seconds = 0.0
    curve: tuple[tuple[float, Seconds], ...] = ()

    def __post_init__(self) -> None:
        if self.base_s < 0 or self.per_seq_s < 0 or self.per_kv_token_s < 0:
            raise ValueError("a step cost has a negative coefficient")
        if self.per_prefill_token_s < 0 or self.per_prefill_context_s < 0:
            raise ValueError("a step cost has a negative prefill coefficient")
        if any(low[0] >= high[0] for low, high in pairwise(self.curve)):
            raise ValueError("the tokens of a step cost's curve do not rise")
        slope = min(self.per_seq_s, self.per_prefill_token_s or self.per_seq_s)
        if any(self.base_s + slope * tokens + more < 0 for tokens, more in self.curve):
            raise ValueError("a step cost's curve makes a step shorter than nothing")

    def curve_s(self, tokens: float) -> Seconds:
        """What `curve` adds to a step of so many tokens (decoding sequences + prompt tokens)."""
        curve = self.curve
        if not curve:
            return 0.0
        place = bisect_right(curve, tokens, key=lambda point: point[0])
        if place in (0, len(curve)):
            return curve[max(0, place - 1)][1]
        (low, low_s), (high, high_s) = curve[place - 1], curve[place]
        return low_s + (high_s - low_s) * (tokens - low) / (high - low)


class EngineLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """What bounds one replica: sequences, tokens per step, KV tokens, tokens per KV block."""

    seqs_max: int
    step_tokens_max: Tokens
    kv_tokens_max: Tokens
    block_tokens: Tokens = 16

    def __post_init__(self) -> None:
        if min(self.seqs_max, self.step_tokens_max, self.kv_tokens_max, self.block_tokens) < 1:
            raise ValueError("an engine limit is below 1")


class PowerCurve(Struct, frozen=True, forbid_unknown_fields=True):
    """Watts of one replica: idle + (full - idle) * g(batch), g concave with g(half_batch) = 0.5."""

    idle_watts: Watts
    full_watts: Watts
    half_batch: float = 5.3

    def watts(self, batch: float) -> Watts:
        """Mean watts at `batch` running sequences. g = b / (b + half_batch); g(8) is about 0.6."""
        return self.idle_watts + (self.full_watts - self.idle_watts) * batch / (
            batch + self.half_batch
        )


class Profile(Struct, frozen=True, forbid_unknown_fields=True):
    """Timing, limits, power and price of one replica: (accelerator x count, model, engine)."""

    name: str
    accelerator: str
    model: str
    decode: StepCost
    mixed: StepCost
    limits: EngineLimits
    power: PowerCurve
    accelerators: int = 1
    request_overhead_s: Seconds = 0.0
    usd_per_hour: Usd = 0.0
    source: str = ""
    error: str = ""

    def decode_step_s(self, seqs: float, kv_tokens: float) -> Seconds:
        """Seconds of a pure decode step over `seqs` sequences that hold `kv_tokens` in all."""
        c = self.decode
        return c.base_s + c.per_seq_s * seqs + c.per_kv_token_s * kv_tokens + c.curve_s(seqs)

    def mixed_step_s(
        self, seqs: float, kv_tokens: float, prefill_tokens: float, prefill_context: float
    ) -> Seconds:
        """Seconds of a step with prefill; `prefill_context` = sum of p * (prefix + p / 2)."""
        c = self.mixed
        return (
            c.base_s
            + c.per_seq_s * seqs
            + c.per_kv_token_s * kv_tokens
            + c.per_prefill_token_s * prefill_tokens
            + c.per_prefill_context_s * prefill_context
            + c.curve_s(seqs + prefill_tokens)
        )
