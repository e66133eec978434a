"""What does the governor know of one endpoint right now: work in flight, readings, trust, health?

Own work is counted exactly; work of peers and of foreign clients comes from exchanges and scrapes.
A stale reading is marked and its last value kept: it is never taken as full or as empty.
"""

from math import exp, log, pi, sqrt

from flyball.model.fleet import Endpoint, Pool, Site
from flyball.model.profile import StepCost
from flyball.model.signals import EngineSample, Quality
from flyball.units import Seconds, usd_per_joule, usd_per_second

# Step of the online correction: one observation moves a bias by a twelfth (about 12 requests deep).
LEARN_STEP = 1.0 / 12.0
BIAS_LOG_MAX = log(4.0)
OBSERVATIONS_TO_TRUST = 12
# An engine that nothing was sent to since says nothing against its predictions any more.
DISTRUST_S: Seconds = 10.0
KV_COUNTED_MIN = 0.05
KV_SHARE_MAX = 1.25
KV_SHARE_STEP = 0.1
DEPARTURE_STEP = 1.0 / 32.0
NOISE_RATIO = 3.0
RATE_MEMORY_S: Seconds = 5.0
# Log errors of predictions: their spread before any was observed, and how far one may reach.
SPREAD_PRIOR = 0.25
SPREAD_REACH = 4.0
SPREAD_FLOOR = 0.03
# Strays are told apart by how many waited in front, up to this many.
DEPTHS = 12
# Standard deviation over mean absolute deviation of a normal; z of one in a thousand.
DEVIATION = sqrt(pi / 2.0)
TAIL_RISK = 0.001
TAIL_Z = 3.0902
TAIL_STEP = 0.1
TAIL_MAX = 0.5


class EndpointState:
    """The mutable state of one endpoint. `index` is its number in the fleet."""

    __slots__ = (
        "allow_probe",
        "base_usd_per_s",
        "circuit_open_s",
        "circuit_until",
        "decode",
        "departure_s",
        "doubted_at",
        "doubted_by",
        "draining",
        "failures",
        "first_byte_at",
        "foreign_kv",
        "foreign_running",
        "foreign_seen",
        "foreign_waiting",
        "has_metrics",
        "index",
        "input_usd",
        "joule_usd",
        "jurisdiction",
        "kv",
        "kv_max",
        "kv_pending",
        "kv_share",
        "mixed",
        "name",
        "observations",
        "output_usd",
        "overhead_s",
        "peer_kv",
        "peer_pending",
        "peer_prefill",
        "peer_reserved",
        "peer_reserved_kv",
        "peer_reserved_prefill",
        "peer_running",
        "pending",
        "pending_prefill",
        "pool",
        "pool_index",
        "prefill_rate",
        "prefill_rate_at",
        "reserved",
        "reserved_kv",
        "reserved_prefill",
        "rtt_s",
        "running",
        "running_by_class",
        "sample",
        "sample_at",
        "scrape_error",
        "seqs_max",
        "served_at",
        "session_tokens",
        "slow_start_until",
        "step_tokens_max",
        "stray_deviation",
        "stray_mean",
        "tail",
        "tpot_bias",
        "tpot_bias_log",
        "tpot_error",
        "ttft_bias",
        "ttft_bias_log",
        "ttft_drift",
        "ttft_error",
        "watts_span",
    )

    def __init__(
        self, index: int, endpoint: Endpoint, pool: Pool, pool_index: int, site: Site
    ) -> None:
        profile = pool.profile
        self.index = index
        self.name = endpoint.name
        self.pool = pool
        self.pool_index = pool_index
        self.jurisdiction = site.jurisdiction
        self.rtt_s: Seconds = site.rtt_s
        self.decode: StepCost = profile.decode
        self.mixed: StepCost = profile.mixed
        self.overhead_s = profile.request_overhead_s
        self.seqs_max = profile.limits.seqs_max
        self.step_tokens_max = profile.limits.step_tokens_max
        self.kv_max = float(profile.limits.kv_tokens_max)
        self.input_usd = pool.usd_per_million_input_tokens / 1e6
        self.output_usd = pool.usd_per_million_output_tokens / 1e6
        self.base_usd_per_s = usd_per_second(profile.usd_per_hour)
        self.joule_usd = usd_per_joule(site.usd_per_kwh)
        self.watts_span = profile.power.full_watts - profile.power.idle_watts
        self.has_metrics = bool(endpoint.metrics_url)
        self.running = self.pending = 0
        self.pending_prefill = self.kv = self.kv_pending = 0.0
        self.kv_share = 1.0
        self.peer_running = self.peer_pending = 0
        self.peer_prefill = self.peer_kv = 0.0
        self.reserved = self.peer_reserved = 0
        self.reserved_prefill = self.reserved_kv = 0.0
        self.peer_reserved_prefill = self.peer_reserved_kv = 0.0
        self.served_at: Seconds = float("-inf")
        self.foreign_running = self.foreign_waiting = self.foreign_seen = 0
        self.foreign_kv = 0.0
        self.sample: EngineSample | None = None
        self.sample_at: Seconds = float("-inf")
        self.scrape_error = ""
        self.ttft_bias_log = self.tpot_bias_log = 0.0
        self.ttft_bias = self.tpot_bias = 1.0
        self.ttft_error = self.tpot_error = self.ttft_drift = 0.0
        self.stray_mean = [0.0] * DEPTHS
        self.stray_deviation = [SPREAD_PRIOR] * DEPTHS
        self.tail = 0.0
        self.departure_s: Seconds = 0.0
        self.first_byte_at: Seconds = float("-inf")
        self.observations = 0
        self.doubted_at: Seconds = 0.0
        self.doubted_by = -1
        self.failures = 0
        self.circuit_until: Seconds = 0.0
        self.circuit_open_s: Seconds = 0.0
        self.allow_probe = False
        self.draining = False
        self.slow_start_until: Seconds = float("-inf")
        self.prefill_rate = 0.0
        self.prefill_rate_at: Seconds = 0.0
        self.session_tokens = 0.0
        self.running_by_class: dict[int, int] = {}

    @property
    def sequences(self) -> int:
        """Sequences decoding there, whoever sent them."""
        return self.running + self.peer_running + self.foreign_running

    @property
    def load(self) -> int:
        """All requests there, running or waiting."""
        return (
            self.running
            + self.pending
            + self.peer_running
            + self.peer_pending
            + self.foreign_running
            + self.foreign_waiting
        )

    def quality(self, at: Seconds, age_s_max: Seconds) -> Quality:
        """Whether the last reading may be believed; "absent" = this engine is not scraped."""
        if not self.has_metrics:
            return "absent"
        return "fresh" if at - self.sample_at <= age_s_max else "stale"

    def take_sample(self, at: Seconds, sample: EngineSample) -> None:
        """Foreign work = what the engine tells, less what this gateway and its peers have there."""
        self.sample, self.sample_at, self.scrape_error = sample, at, ""
        own = self.running + self.pending + self.peer_running + self.peer_pending
        foreign = max(0, (sample.running or 0) + (sample.waiting or 0) - own)
        # A reading is older than our own counts: only what two readings agree on is foreign.
        agreed = min(foreign, self.foreign_seen)
        self.foreign_seen = foreign
        self.foreign_waiting = min(agreed, sample.waiting or 0)
        self.foreign_running = agreed - self.foreign_waiting
        if sample.kv_tokens_max:
            self.kv_max = float(sample.kv_tokens_max)
        if sample.kv_usage is not None:
            self._take_kv(sample.kv_usage * self.kv_max)

    def _take_kv(self, told: float) -> None:
        """Sequences share the blocks of common prefixes: learn which share of the tokens counted
        here really takes up room; what is left over belongs to foreign requests."""
        counted = self.kv - self.kv_pending + self.peer_kv
        if self.foreign_running:
            self.foreign_kv = max(0.0, told - counted * self.kv_share)
            return
        self.foreign_kv = 0.0
        if counted > KV_COUNTED_MIN * self.kv_max:
            share = min(KV_SHARE_MAX, told / counted)
            self.kv_share += KV_SHARE_STEP * (share - self.kv_share)

    def learn_ttft(
        self, predicted_s: Seconds, observed_s: Seconds, bias_log: float, depth: int = 0
    ) -> None:
        """Move the multiplicative TTFT correction toward what this request shows.

        `bias_log` = the correction that `predicted_s` was made with. It is taken out again: about a
        hundred others have been placed since, and correcting by an error that old would be an
        integrator with that much delay, which oscillates.
        """
        shown = _log_ratio(observed_s, predicted_s) + bias_log
        error = shown - self.ttft_bias_log
        self.ttft_bias_log = _clip(self.ttft_bias_log + LEARN_STEP * error)
        self.ttft_bias = exp(self.ttft_bias_log)
        self.ttft_error += LEARN_STEP * (abs(error) - self.ttft_error)
        self.ttft_drift += LEARN_STEP * (error - self.ttft_drift)
        self.observations += 1
        self._learn_strays(error, depth)

    def _learn_strays(self, error: float, depth: int) -> None:
        """How far answers stray upward, by how many waited in front of them: the bulk of it as mean
        and deviation that a single stray moves little; and `tail`, added so that one in a thousand
        falls outside in the long run, whatever the law (adaptive conformal inference: Gibbs &
        Candes 2021, arXiv 2106.00170)."""
        part = min(depth, DEPTHS - 1)
        mean, deviation = self.stray_mean[part], self.stray_deviation[part]
        over = error - mean
        if over > TAIL_Z * DEVIATION * deviation + self.tail:
            self.tail = min(TAIL_MAX, self.tail + TAIL_STEP)
        else:
            self.tail = max(0.0, self.tail - TAIL_STEP * TAIL_RISK / (1.0 - TAIL_RISK))
        reach = SPREAD_REACH * deviation
        self.stray_mean[part] = mean + LEARN_STEP * max(-reach, min(over, reach))
        # Twice the upper half: what comes sooner than predicted breaks no promise.
        deviation += LEARN_STEP * (2.0 * max(0.0, min(over, reach)) - deviation)
        self.stray_deviation[part] = max(SPREAD_FLOOR, deviation)

    @property
    def depth(self) -> int:
        """Requests waiting there now, whoever sent them, and room held."""
        waiting = self.pending + self.peer_pending + self.foreign_waiting
        return waiting + self.reserved + self.peer_reserved

    def learn_tpot(self, predicted_s: Seconds, observed_s: Seconds, bias_log: float) -> None:
        """Move the multiplicative TPOT correction, in the same way."""
        shown = _log_ratio(observed_s, predicted_s) + bias_log
        error = shown - self.tpot_bias_log
        self.tpot_bias_log = _clip(self.tpot_bias_log + LEARN_STEP * error)
        self.tpot_bias = exp(self.tpot_bias_log)
        self.tpot_error += LEARN_STEP * (abs(error) - self.tpot_error)

    def is_mispredicted(self, ratio_max: float) -> bool:
        """Whether predictions here are off, after enough observations.

        By more than `ratio_max` to one side in spite of the correction, or scattered so widely
        (twice that) that no argmin should lean on them.
        """
        if self.observations < OBSERVATIONS_TO_TRUST:
            return False
        return abs(self.ttft_drift) > log(1.0 + ratio_max) or self.ttft_error > log(
            1.0 + NOISE_RATIO * ratio_max
        )

    def is_doubted(self, at: Seconds, ratio_max: float) -> bool:
        """`is_mispredicted`, but not by errors that nothing has borne out for `DISTRUST_S`.

        Where distrust keeps work away, no later prediction could ever clear it.
        """
        if not self.is_mispredicted(ratio_max):
            return False
        if self.doubted_by != self.observations:
            self.doubted_by, self.doubted_at = self.observations, at
        elif at - self.doubted_at > DISTRUST_S:
            self.ttft_error = self.ttft_drift = 0.0
            return False
        return True

    def note_first_byte(self, at: Seconds) -> None:
        """Learn how long one request holds up the next, while some are waiting.

        Call it before the request leaves `pending`. The time between first bytes of a queue that
        never ran empty is what each one takes, whatever the engine's law is.
        """
        if self.pending > 1 and self.first_byte_at >= 0.0:
            gap = max(0.0, at - self.first_byte_at)
            self.departure_s += DEPARTURE_STEP * (gap - self.departure_s)
        self.first_byte_at = at if self.pending > 1 else float("-inf")

    @property
    def queue_s(self) -> Seconds:
        """Expected wait by Little's law alone: those waiting times the time each takes."""
        waiting = self.pending + self.peer_pending + self.foreign_waiting
        return waiting * self.departure_s

    def note_prefill(self, at: Seconds, tokens: float) -> None:
        """Fold prefill tokens sent at `at` into the rate (tokens/s, over `RATE_MEMORY_S`)."""
        elapsed = max(0.0, at - self.prefill_rate_at)
        fading = exp(-elapsed / RATE_MEMORY_S)
        self.prefill_rate = self.prefill_rate * fading + tokens / RATE_MEMORY_S
        self.prefill_rate_at = at


def _log_ratio(observed: float, predicted: float) -> float:
    return log(max(observed, 1e-6) / max(predicted, 1e-6))


def _clip(value: float) -> float:
    return max(-BIAS_LOG_MAX, min(BIAS_LOG_MAX, value))
