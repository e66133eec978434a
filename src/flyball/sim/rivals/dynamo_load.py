"""Dynamo's load loop: one replica more or less a tick, by predicted TTFT and ITL of each engine.

`core/load_scaling.py`, aggregated engines, optimisation target "sla":

    up    every engine's TTFT is predicted above its target, or every engine's ITL
    down  each engine, with N / (N - 1) times its queue and KV, keeps KV below its cache, ITL below
          sensitivity x target, and the queue's share of TTFT below sensitivity x (target - own)
    hold  while a replica starts

TTFT = the steps of the queued prompt tokens and of one mean prompt, each with the engine's KV; ITL
= one step with the mean share of prompt tokens. Where the published loop fits a line to observed
steps, this one reads the pool's profile; queued prompts count as mean prompts, as metrics do not
tell their tokens, and no prefix hits are subtracted. Where `throughput_period_s` is set, Dynamo's
throughput loop (`dynamo_planner`) sets a floor, as it does there.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from math import ceil

from msgspec.structs import replace

from flyball.model.fleet import Fleet
from flyball.model.profile import Profile
from flyball.sim.loops import PoolReading, ReplicaReading
from flyball.sim.rivals.constants import constants
from flyball.sim.rivals.dynamo_planner import DynamoPlanner
from flyball.units import Seconds


class _Seen:
    """What one pool has shown: mean lengths of the last windows with answers, and all windows since
    the throughput loop last ran."""

    def __init__(self, windows_max: int) -> None:
        self.lengths: deque[tuple[float, float]] = deque(maxlen=windows_max)
        self.windows: list[PoolReading] = []
        self.floor = 0

    def add(self, reading: PoolReading) -> None:
        self.windows.append(reading)
        if reading.request_rate > 0.0:
            seen = (float(reading.prompt_tokens_mean), float(reading.output_tokens_mean))
            self.lengths.append(seen)

    def mean_lengths(self) -> tuple[float, float]:
        """(prompt, answer) tokens."""
        count = len(self.lengths)
        return sum(a for a, _ in self.lengths) / count, sum(b for _, b in self.lengths) / count

    def whole(self) -> PoolReading:
        """The windows as one, each weighed by its requests."""
        windows, self.windows = self.windows, []
        rates = [one.request_rate for one in windows]
        total = sum(rates)
        if total <= 0.0:
            return windows[-1]

        def mean(name: str) -> float:
            pairs = zip(windows, rates, strict=True)
            return sum(getattr(one, name) * rate for one, rate in pairs) / total

        return replace(
            windows[-1],
            request_rate=total / len(windows),
            prompt_tokens_mean=round(mean("prompt_tokens_mean")),
            output_tokens_mean=round(mean("output_tokens_mean")),
            ttft_s_mean=mean("ttft_s_mean"),
            itl_s_mean=mean("itl_s_mean"),
        )


class DynamoLoad:
    """Asked every `period_s`; the throughput loop, if set, every so many of these."""

    name = "dynamo_load"

    def __init__(self, fleet: Fleet, tuned: Mapping[str, float] | None = None) -> None:
        c = self.constants = constants(self.name, tuned)
        self.period_s: Seconds = c["period_s"]
        self._pools = {pool.name: pool for pool in fleet.pools}
        self._seen = {name: _Seen(int(c["windows_max"])) for name in self._pools}
        slow_s = c["throughput_period_s"]
        self._turns = max(1, round(slow_s / self.period_s)) if slow_s else 0
        shared = {key: c[key] for key in ("ttft_s", "itl_s", "gpus_max", "replicas_min")}
        slow = {"period_s": self._turns * self.period_s} if self._turns else {}
        self._throughput = DynamoPlanner(fleet, shared | slow)

    def desired(self, reading: PoolReading) -> int:
        """Replicas wanted: what is there, one more or one less, never below the floor."""
        seen, current = self._seen[reading.pool], reading.ready
        seen.add(reading)
        if self._turns and len(seen.windows) >= self._turns:
            seen.floor = self._throughput.desired(seen.whole())
        elif not self._turns:
            seen.windows.clear()
        if reading.starting or not reading.replicas or not seen.lengths:
            return current + reading.starting
        profile = self._pools[reading.pool].profile
        most = int(self.constants["gpus_max"] // profile.accelerators)
        wanted = current + self._step(profile, reading.replicas, *seen.mean_lengths())
        return min(most, max(int(self.constants["replicas_min"]), seen.floor, wanted))

    def _step(
        self, profile: Profile, engines: Sequence[ReplicaReading], isl: float, osl: float
    ) -> int:
        """+1, 0 or -1."""
        c, count = self.constants, len(engines)
        ttft = [_ttft_s(profile, one, isl, 1.0) for one in engines]
        itl = [_itl_s(profile, one, isl, osl, 1.0) for one in engines]
        if min(ttft) > c["ttft_s"] or min(itl) > c["itl_s"]:
            return 1
        if count == 1:
            return 0
        more = count / (count - 1)
        return -all(self._would_bear(profile, one, isl, osl, more) for one in engines)

    def _would_bear(
        self, profile: Profile, one: ReplicaReading, isl: float, osl: float, more: float
    ) -> bool:
        c = self.constants
        if _kv_tokens(profile, one, isl) * more >= profile.limits.kv_tokens_max:
            return False
        if _itl_s(profile, one, isl, osl, more) >= c["itl_s"] * c["sensitivity"]:
            return False
        own_s = _prefill_s(profile, isl, one, more)
        budget_s = (c["ttft_s"] - own_s) * c["sensitivity"]
        return budget_s > 0.0 and _ttft_s(profile, one, isl, more) - own_s < budget_s


def _kv_tokens(profile: Profile, one: ReplicaReading, isl: float) -> float:
    """KV in use and to come with the queue, tokens."""
    return one.kv_usage * profile.limits.kv_tokens_max + one.waiting * isl


def _prefill_s(profile: Profile, tokens: float, one: ReplicaReading, more: float) -> Seconds:
    """The steps of so many prompt tokens beside `more` times the engine's answers."""
    chunk = profile.limits.step_tokens_max
    steps = max(1, ceil(tokens / chunk))
    kv_tokens = one.kv_usage * profile.limits.kv_tokens_max * more
    each = profile.mixed_step_s(one.running * more, kv_tokens, tokens / steps, 0.0)
    return steps * each


def _ttft_s(profile: Profile, one: ReplicaReading, isl: float, more: float) -> Seconds:
    return _prefill_s(profile, one.waiting * isl * more + isl, one, more)


def _itl_s(profile: Profile, one: ReplicaReading, isl: float, osl: float, more: float) -> Seconds:
    seqs = one.running * more
    prompt = min(profile.limits.step_tokens_max, one.running * isl / max(1.0, osl))
    return profile.mixed_step_s(seqs, _kv_tokens(profile, one, isl) * more + isl, prompt, 0.0)
