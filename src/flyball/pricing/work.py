"""How much does one request ask of a replica, at the largest batch that keeps its promise?

GPU time = uncached prompt x (prefill + its share of the step) + answer x (step / batch), with the
step costs of `model.profile`: a step's base is shared by all in the batch, so a promise that allows
a larger batch makes work cheaper.
"""

from typing import NamedTuple

from flyball.model.profile import Profile
from flyball.units import Joules, Ratio, Seconds

BATCH_MAX = 256.0
# On a link: a token of a prompt in JSON, and of an answer streamed as one event each.
PROMPT_TOKEN_BYTES = 4.0
ANSWER_TOKEN_BYTES = 250.0


class Sizes(NamedTuple):
    """Mean tokens of one request; `cached_ratio` of its prompt is found in the prefix cache."""

    input_tokens: float
    output_tokens: float
    cached_ratio: Ratio = 0.0

    @property
    def kv_tokens(self) -> float:
        """KV that it holds in the mean while its answer is made: the prompt and half the answer."""
        return self.input_tokens + 0.5 * self.output_tokens

    @property
    def uncached_tokens(self) -> float:
        """Prompt tokens that must be computed."""
        return self.input_tokens * (1.0 - self.cached_ratio)


class Work(NamedTuple):
    """What one request uses: GPU seconds, KV held x time, energy above the idle replica's."""

    gpu_s: Seconds
    kv_token_s: float
    joules: Joules


def batch_max(profile: Profile, kv_tokens: float, tpot_s: Seconds = 0.0) -> float:
    """Requests alike that may run at once: the engine's limits and the time per token promised
    (0 = none). Below 1 = not even one alone keeps that promise."""
    limits, decode = profile.limits, profile.decode
    batch = min(float(limits.seqs_max), limits.kv_tokens_max / max(1.0, kv_tokens), BATCH_MAX)
    if not tpot_s:
        return batch
    per_seq = decode.per_seq_s + decode.per_kv_token_s * kv_tokens
    if not decode.curve:
        return min(batch, (tpot_s - decode.base_s) / max(1e-9, per_seq))
    low, high = 0.0, batch  # a bent step cost: halve the bracket until it is as good as exact
    while high - low > 1e-3:
        middle = 0.5 * (low + high)
        late = profile.decode_step_s(middle, middle * kv_tokens) > tpot_s
        low, high = (low, middle) if late else (middle, high)
    return high if high == batch else low


def prefill_s(profile: Profile, sizes: Sizes) -> Seconds:
    """GPU time to compute what is not cached, in full steps, attention to its context included."""
    mixed, full = profile.mixed, profile.limits.step_tokens_max
    token_s = mixed.per_prefill_token_s + (mixed.base_s + mixed.curve_s(full)) / full
    uncached = sizes.uncached_tokens
    context = uncached * (sizes.input_tokens - 0.5 * uncached)
    return uncached * token_s + mixed.per_prefill_context_s * context


def work(profile: Profile, sizes: Sizes, batch: float) -> Work:
    """Of one request among `batch` (at least 1) of its kind."""
    decode, kv = profile.decode, sizes.kv_tokens
    per_seq = decode.per_seq_s + decode.per_kv_token_s * kv
    base_s = decode.base_s + decode.curve_s(batch)
    gpu_s = prefill_s(profile, sizes) + sizes.output_tokens * (base_s / batch + per_seq)
    watts = profile.power.watts(batch) - profile.power.idle_watts
    return Work(
        gpu_s=gpu_s,
        kv_token_s=kv * (sizes.output_tokens * (base_s + per_seq * batch)),
        joules=gpu_s * watts,
    )
