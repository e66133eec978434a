"""What has been learnt of demand: rates, sizes and hit rates by class, bytes per token by model?"""

from math import exp

from flyball.model.signals import Settled
from flyball.units import Seconds

RATE_MEMORY_S = 30.0
SIZE_STEP = 0.02
BYTES_PER_TOKEN_PRIOR = 4.0


class ClassTally:
    """Estimates of one class: arrivals per second, tokens per request, share of prompt reused."""

    __slots__ = ("cached_ratio", "input_tokens", "output_tokens", "rate_per_s", "updated_at")

    def __init__(self, output_tokens: float) -> None:
        self.rate_per_s = 0.0
        self.updated_at: Seconds = 0.0
        self.input_tokens = 512.0
        self.output_tokens = output_tokens
        self.cached_ratio = 0.0

    def decay(self, at: Seconds) -> None:
        """Let the rate fade to `at` (exponential memory of `RATE_MEMORY_S`)."""
        elapsed = at - self.updated_at
        if elapsed > 0.0:
            self.rate_per_s *= exp(-elapsed / RATE_MEMORY_S)
            self.updated_at = at

    def arrive(self, at: Seconds) -> None:
        """Count one fresh request (retries are not demand)."""
        self.decay(at)
        self.rate_per_s += 1.0 / RATE_MEMORY_S

    def learn(self, settled: Settled) -> None:
        """Fold the sizes of one served request."""
        if settled.input_tokens > 0:
            self.input_tokens += SIZE_STEP * (settled.input_tokens - self.input_tokens)
            # An engine may tell nonsense: a share above 1 would make work negative.
            ratio = min(1.0, settled.cached_tokens / settled.input_tokens)
            self.cached_ratio += SIZE_STEP * (ratio - self.cached_ratio)
        if settled.output_tokens > 0:
            self.output_tokens += SIZE_STEP * (settled.output_tokens - self.output_tokens)


class TokenRatio:
    """Bytes per token of one model's prompts, learnt from what engines report."""

    __slots__ = ("bytes_per_token",)

    def __init__(self) -> None:
        self.bytes_per_token = BYTES_PER_TOKEN_PRIOR

    def learn(self, prompt_bytes: int, input_tokens: int) -> None:
        """Fold one request; absurd ratios (images, empty prompts) are left out."""
        if input_tokens >= 16 and 0.5 <= prompt_bytes / input_tokens <= 16.0:
            ratio = prompt_bytes / input_tokens
            self.bytes_per_token += SIZE_STEP * (ratio - self.bytes_per_token)
