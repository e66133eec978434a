"""What does a flow use of a replica while its promises are kept, or which rule keeps it away?

A replica is filled to a steady batch b such that the promises hold at the larger batch B that
chance makes of it. Requests at one engine slow each other down: with T(n) seconds per token among n
of them, prefill of the others included, and answers of m tokens, n / (m T(n)) leave per second. Fed
at the rate that b alone would balance, l = b / (m T(b)), their number is distributed as

    p(n) in proportion to prod_{k <= n} l m T(k) / k

whatever the distribution of the answers' lengths (a symmetric queue; Kelly 1979, Reversibility and
Stochastic Networks, 3.3), and an arrival sees that distribution. B = its quantile of the share that
must be in time, and the arrival itself.

    time per token   T(B)
    first token      round trip + overhead + the running step + own prefill steps + wait behind
                     other prompts: exponential tail on the mean wait of M/D/1 at the prefill share
                     of the replica's time
    whole answer     first token + (m - 1) T(B)
    answers of <= 1  k prompts per step: round trip + overhead + the running step + its own
"""

from collections.abc import Callable
from functools import lru_cache
from math import ceil, inf, log, sqrt
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flyball.model.fleet import Site
from flyball.model.profile import Profile
from flyball.model.request import Promise
from flyball.pricing.placement import Flow
from flyball.pricing.work import Sizes, batch_max, prefill_s, work
from flyball.units import Joules, Ratio, Seconds

Rule = Literal["jurisdiction", "ttft", "tpot", "e2e", "kv"]
BATCH_MIN = 0.05
"""A replica that may hold fewer requests than this at a time is of no use to a promise."""
_TRIES_MAX = 60
_CLOSE = 1e-5
_STEPS_MAX = 100_000


class Times(NamedTuple):
    """What the share `in_time` of the requests meets: seconds, the client's network included."""

    ttft_s: Seconds
    tpot_s: Seconds
    e2e_s: Seconds


class Fit(NamedTuple):
    """One request's use of a replica filled to mean batch `batch`, and the times it then sees."""

    batch: float
    gpu_s: Seconds
    joules: Joules
    times: Times


class Misfit(NamedTuple):
    """Why a flow cannot run there: the rule, and the bound in seconds that would do (0 = none)."""

    rule: Rule
    needed_s: Seconds = 0.0


def fit(flow: Flow, profile: Profile, site: Site, rtt_s: Seconds, in_time: Ratio) -> Fit | Misfit:
    """Use of one replica of `profile` at `site`, or the first rule that forbids it."""
    allowed = flow.klass.jurisdictions
    if allowed and site.jurisdiction not in allowed:
        return Misfit("jurisdiction")
    return timed(profile, flow.sizes, flow.klass.promise, rtt_s, in_time)


def timed(
    profile: Profile, sizes: Sizes, promise: Promise, rtt_s: Seconds, in_time: Ratio
) -> Fit | Misfit:
    """As `fit`, of promises alone."""
    if not promise.ttft_s and not promise.e2e_s:
        rtt_s = 0.0  # no bound reads it: one answer for all sites
    return _timed(_Replica(profile), sizes, promise, rtt_s, in_time)


class _Replica:
    """A profile as a key, by identity: profiles are long structs, slow to hash and compare."""

    __slots__ = ("profile",)

    def __init__(self, profile: Profile) -> None:
        self.profile = profile

    def __hash__(self) -> int:
        return hash(id(self.profile))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Replica) and other.profile is self.profile


@lru_cache(maxsize=65_536)
def _timed(
    replica: _Replica, sizes: Sizes, promise: Promise, rtt_s: Seconds, in_time: Ratio
) -> Fit | Misfit:
    profile = replica.profile
    most = _most(profile, sizes)
    if most < 1.0:
        return Misfit("kv")

    def late(batch: float) -> float:
        return _worst(promise, times(profile, sizes, rtt_s, in_time, batch))[0] - 1.0

    if late(BATCH_MIN) > 0.0:
        met = times(profile, sizes, rtt_s, in_time, BATCH_MIN)
        rule = _worst(promise, met)[1]
        return Misfit(rule, getattr(met, f"{rule}_s"))
    batch = _steady_batch(replica, sizes, promise.tpot_s, in_time) if promise.tpot_s else most
    batch = batch if late(batch) <= 0.0 else _edge(late, BATCH_MIN, batch)
    gpu_s, joules = _use(profile, sizes, batch)
    return Fit(batch, gpu_s, joules, times(profile, sizes, rtt_s, in_time, batch))


@lru_cache(maxsize=16_384)
def _steady_batch(replica: _Replica, sizes: Sizes, tpot_s: Seconds, in_time: Ratio) -> float:
    """The largest batch by the time per token alone, which is the same at every site."""

    def late(batch: float) -> float:
        return times(replica.profile, sizes, 0.0, in_time, batch).tpot_s / tpot_s - 1.0

    most = _most(replica.profile, sizes)
    return most if late(most) <= 0.0 else _edge(late, BATCH_MIN, most)


def _edge(late: Callable[[float], float], low: float, high: float) -> float:
    """The largest batch in [low, high] that is not late, from below, within `_CLOSE` of itself.

    False position in its Illinois form (Dowell & Jarratt 1971): lateness grows with the batch.
    """
    low_late, high_late = late(low), late(high)
    for _ in range(_TRIES_MAX):
        middle = (low * high_late - high * low_late) / (high_late - low_late)
        middle = min(max(middle, low + 0.01 * (high - low)), high - 0.01 * (high - low))
        found = late(middle)
        if found <= 0.0:
            low, low_late, high_late = middle, found, 0.5 * high_late
        else:
            high, high_late, low_late = middle, found, 0.5 * low_late
        if high - low <= _CLOSE * high or -_CLOSE < found <= 0.0:
            break
    return low


def _most(profile: Profile, sizes: Sizes) -> float:
    """The largest batch of the engine, whatever is promised."""
    if sizes.output_tokens > 1.0:
        return batch_max(profile, sizes.kv_tokens)
    limits = profile.limits
    fits = min(limits.step_tokens_max, limits.kv_tokens_max) / max(1.0, sizes.uncached_tokens)
    return min(float(limits.seqs_max), max(1.0, fits))


def _use(profile: Profile, sizes: Sizes, batch: float) -> tuple[Seconds, Joules]:
    if sizes.output_tokens > 1.0:
        used = work(profile, sizes, batch)
        return used.gpu_s, used.joules
    gpu_s = _prompts_step_s(profile, sizes, max(1.0, batch)) / batch
    return gpu_s, gpu_s * (profile.power.watts(batch) - profile.power.idle_watts)


def _prompts_step_s(profile: Profile, sizes: Sizes, prompts: float) -> Seconds:
    """A step that computes so many whole prompts, or the steps of one that is longer."""
    steps = max(1.0, sizes.uncached_tokens / profile.limits.step_tokens_max)
    tokens = prompts * sizes.uncached_tokens
    context = tokens * (sizes.input_tokens - 0.5 * sizes.uncached_tokens)
    each = profile.mixed_step_s(0.0, 0.0, tokens / steps, context / steps)
    return ceil(steps) * each


def times(profile: Profile, sizes: Sizes, rtt_s: Seconds, in_time: Ratio, batch: float) -> Times:
    """At mean batch `batch`, met by the share `in_time` of requests."""
    if sizes.output_tokens <= 1.0:
        return _prompt_times(profile, sizes, rtt_s, batch, in_time)
    mean = _token_s(profile, sizes, batch)
    peak = _peak(_numbers(_Replica(profile), sizes), batch / mean, in_time)
    tpot_s = _token_s(profile, sizes, peak)
    chunks = max(1, ceil(sizes.uncached_tokens / profile.limits.step_tokens_max))
    if chunks > _STEPS_MAX:
        return Times(inf, tpot_s, inf)
    tokens = sizes.uncached_tokens
    context = tokens * (sizes.input_tokens - 0.5 * tokens)
    own_s = chunks * profile.mixed_step_s(
        peak, peak * sizes.kv_tokens, tokens / chunks, context / chunks
    )
    running_s = profile.decode_step_s(peak, peak * sizes.kv_tokens)
    share = min(0.99, prefill_s(profile, sizes) * batch / (sizes.output_tokens * mean))
    wait_s = -log(1.0 - in_time) * own_s * share / (2.0 * (1.0 - share))
    ttft_s = rtt_s + profile.request_overhead_s + running_s + own_s + wait_s
    return Times(ttft_s, tpot_s, ttft_s + (sizes.output_tokens - 1.0) * tpot_s)


def _token_s(profile: Profile, sizes: Sizes, batch: float) -> Seconds:
    """Time per token among `batch`: the step, and the others' prefill that comes between."""
    step_s = profile.decode_step_s(batch, batch * sizes.kv_tokens)
    return step_s + batch * prefill_s(profile, sizes) / sizes.output_tokens


class _Numbers(NamedTuple):
    """How many may be at an engine, 0 .. most, and log p(n) but for n log l and a constant."""

    here: NDArray[np.float64]
    log_share: NDArray[np.float64]


@lru_cache(maxsize=4_096)
def _numbers(replica: _Replica, sizes: Sizes) -> _Numbers:
    profile = replica.profile
    most = max(1, int(_most(profile, sizes)))
    each = [log(_token_s(profile, sizes, float(n)) / n) for n in range(1, most + 1)]
    return _Numbers(np.arange(most + 1.0), np.cumsum(np.array([0.0, *each])))


def _peak(numbers: _Numbers, tokens_per_s: float, in_time: Ratio) -> float:
    """The quantile `in_time` of those that an arrival meets, and itself; at most what the engine
    takes. `tokens_per_s` = arrivals per second x tokens of an answer."""
    log_share = numbers.log_share + log(tokens_per_s) * numbers.here
    share = np.exp(log_share - log_share.max())
    until = np.cumsum(share)
    wanted = in_time * float(until[-1])
    n = int(np.searchsorted(until, wanted))
    within = 1.0 - (float(until[n]) - wanted) / float(share[n])  # between counts: no steps
    return min(max(1.0, n + within), float(len(share) - 1))


def _prompt_times(
    profile: Profile, sizes: Sizes, rtt_s: Seconds, batch: float, in_time: Ratio
) -> Times:
    """Answers of at most one token: the running step and one's own, each of the peak's prompts."""
    q = max(0.0, NormalDist().inv_cdf(in_time))
    peak = max(1.0, min(batch + q * sqrt(batch), _most(profile, sizes)))
    step_s = _prompts_step_s(profile, sizes, peak)
    whole_s = rtt_s + profile.request_overhead_s + 2.0 * step_s
    return Times(whole_s, 0.0, whole_s)


def _worst(promise: Promise, met: Times) -> tuple[float, Rule]:
    """The bound that is nearest to being broken, or most broken: met / promised, and which."""
    worst, rule = 0.0, "ttft"
    if promise.ttft_s:
        worst = met.ttft_s / promise.ttft_s
    if promise.tpot_s and met.tpot_s > worst * promise.tpot_s:
        worst, rule = met.tpot_s / promise.tpot_s, "tpot"
    if promise.e2e_s and met.e2e_s > worst * promise.e2e_s:
        worst, rule = met.e2e_s / promise.e2e_s, "e2e"
    return worst, rule
