"""Dynamo's planner: replicas for the load predicted next, from profiled throughput.

    prefill = rate * ISL * min(1, TTFT correction) / prefill throughput of a replica
    decode  = rate * OSL / decode throughput of a replica at ITL target / ITL correction
              and a context of ISL + OSL / 2

A correction = observed over expected latency. Here the "profiling run" is the pool's own profile;
for one pool that does both, the two shares are added before they are rounded up.
"""

import math
from collections.abc import Mapping

from flyball.model.fleet import Fleet, Pool
from flyball.model.profile import Profile
from flyball.sim.loops import PoolReading
from flyball.sim.rivals.constants import constants
from flyball.sim.rivals.trend import Trend
from flyball.units import Seconds


def prefill_s(profile: Profile, tokens: float) -> Seconds:
    """Seconds to prefill one prompt alone, in chunks of the engine's step."""
    chunk = profile.limits.step_tokens_max
    steps = max(1, math.ceil(tokens / chunk))
    context = tokens * tokens / 2.0
    c = profile.mixed
    return steps * c.base_s + c.per_prefill_token_s * tokens + c.per_prefill_context_s * context


def decode_rate(profile: Profile, context: float, itl_s: Seconds) -> float:
    """Tokens per second of the largest batch whose steps take at most `itl_s`."""
    limits, step = profile.limits, profile.decode
    per_seq_s = step.per_seq_s + step.per_kv_token_s * context
    fits = min(limits.seqs_max, int(limits.kv_tokens_max / max(1.0, context)))
    by_latency = int((itl_s - step.base_s) / per_seq_s) if per_seq_s else fits
    batch = max(1, min(fits, by_latency))
    return batch / profile.decode_step_s(batch, batch * context)


class DynamoPlanner:
    """Rate, ISL and OSL are predicted each by a Kalman filter of level and trend."""

    name = "dynamo_planner"

    def __init__(self, fleet: Fleet, tuned: Mapping[str, float] | None = None) -> None:
        c = self.constants = constants(self.name, tuned)
        self.period_s = c["period_s"]
        self._pools = {pool.name: pool for pool in fleet.pools}
        self._trends = {
            name: [
                Trend(
                    c["kalman_q_level"],
                    c["kalman_q_trend"],
                    c["kalman_r"],
                    int(c["kalman_points_min"]),
                )
                for _ in range(3)
            ]
            for name in self._pools
        }

    def desired(self, reading: PoolReading) -> int:
        """Replicas wanted; what is there while no request came."""
        current = reading.ready + reading.starting
        if reading.request_rate <= 0.0:
            return current
        seen = (
            reading.request_rate * self.period_s,
            float(reading.prompt_tokens_mean),
            float(reading.output_tokens_mean),
        )
        trends = self._trends[reading.pool]
        count, isl, osl = (t.next(value) for t, value in zip(trends, seen, strict=True))
        return self._bounded(
            self._pools[reading.pool], self._share(reading, count / self.period_s, isl, osl)
        )

    def _share(self, reading: PoolReading, rate: float, isl: float, osl: float) -> float:
        c, profile = self.constants, self._pools[reading.pool].profile
        context = isl + osl / 2.0
        seqs = max(1.0, sum(one.running for one in reading.replicas) / max(1, reading.ready))
        ttft_expected = prefill_s(profile, reading.prompt_tokens_mean)
        itl_expected = profile.decode_step_s(seqs, seqs * context)
        ttft_correction = reading.ttft_s_mean / ttft_expected if reading.ttft_s_mean else 1.0
        itl_correction = reading.itl_s_mean / itl_expected if reading.itl_s_mean else 1.0
        prefill = rate * prefill_s(profile, isl) * min(1.0, ttft_correction)
        decode = rate * osl / decode_rate(profile, context, c["itl_s"] / itl_correction)
        return prefill + decode

    def _bounded(self, pool: Pool, share: float) -> int:
        c = self.constants
        most = int(c["gpus_max"] // pool.profile.accelerators)
        return max(int(c["replicas_min"]), min(most, math.ceil(share)))
