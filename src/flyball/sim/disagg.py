"""When do tokens leave engines that share the work: some compute prompts, others make the answers?

Prefill/decode disaggregation (Splitwise, arXiv 2311.18677; DistServe, arXiv 2401.09670), seen from
outside as one engine: `Engine`'s own surface, built from two sorts of it. A request's prompt and
first token are made by a prefill engine; its KV goes over that engine's link; the decode engine
takes it in with its blocks charged and no prompt tokens, and makes the rest. Both engines are
chosen as the request arrives, each the one with the shortest queue, as splitwise-sim's KVJSQ counts
it: prompt tokens not yet computed, requests not yet finished. First of equals.

A link sends one request's KV after the other (`Split.sent` has the formula and its source).

Simplifications: KV under way is charged to neither side (it is at most rate x latency + one link's
queue); the whole prompt is sent even if the decode engine holds part of it; the overhead of a
request is paid at both engines, as each is asked once; a decode engine that preempts computes the
prompt again itself, as vLLM does.
"""

import heapq
import math
from operator import attrgetter

from msgspec.structs import replace

from flyball.model.plant import Job, PlantState, Progress
from flyball.model.split import Split
from flyball.sim.batching import VLLM, Batching
from flyball.sim.engine import Engine
from flyball.units import Seconds, Tokens


class _Way:
    """One request on its way through the two engines; `arrives_at` infinite = not sent yet."""

    __slots__ = ("arrives_at", "begun", "decode", "job", "number", "prefill")

    def __init__(self, number: int, job: Job, prefill: int, decode: int) -> None:
        self.number = number
        self.job = job
        self.prefill = prefill
        self.decode = decode
        self.begun: Seconds = 0.0
        self.arrives_at: Seconds = math.inf


class Disaggregated:
    """Drive it as an `Engine`."""

    def __init__(
        self,
        split: Split,
        *,
        prefix_cache: bool = True,
        prefix_tokens: Tokens = 0,
        max_waiting: int = 1_000_000,
        batching: Batching = VLLM,
    ) -> None:
        self.split = split
        profile = split.engine
        self.max_waiting = max_waiting
        # All that wait here or run at a prefill engine may come to wait at one decode engine.
        later_max = max_waiting + split.prefill * profile.limits.seqs_max

        def engine(waiting_max: int) -> Engine:
            return Engine(
                profile,
                prefix_cache=prefix_cache,
                prefix_tokens=prefix_tokens,
                max_waiting=waiting_max,
                batching=batching,
            )

        self._prefills = [engine(max_waiting) for _ in range(split.prefill)]
        self._decodes = [engine(later_max) for _ in range(split.decode)]
        limits = profile.limits
        self._room = limits.kv_tokens_max // limits.block_tokens * limits.block_tokens
        self._prompts: list[Tokens] = [0] * split.prefill
        self._answers = [0] * split.decode
        self._link_free: list[Seconds] = [0.0] * split.prefill
        self._ways: dict[str, _Way] = {}
        self._under_way: list[tuple[Seconds, int, _Way]] = []
        self._taken = 0
        self._now: Seconds = 0.0
        self._news: list[Progress] = []

    def submit(self, at: Seconds, job: Job) -> bool:
        """Bring a job at `at`; False = refused, as `max_waiting` jobs wait already.

        Raises ValueError if the job can never fit, its id is inside already, or `at` lies before
        the present time.
        """
        if job.input_tokens + job.output_tokens > self._room:
            raise ValueError(
                f"job {job.id!r} needs {job.input_tokens + job.output_tokens} tokens of KV cache, "
                f"a decode engine has {self._room}"
            )
        if job.id in self._ways:
            raise ValueError(f"job {job.id!r} is inside already")
        if at > self._now:
            self._run(at)
        if len(self._ways) >= self.max_waiting and self._waiting() >= self.max_waiting:
            return False
        prefill = self._prompts.index(min(self._prompts))
        decode = self._answers.index(min(self._answers))
        self._prefills[prefill].submit(at, replace(job, output_tokens=min(1, job.output_tokens)))
        self._prompts[prefill] += job.input_tokens
        self._answers[decode] += 1
        self._taken += 1
        self._ways[job.id] = _Way(self._taken, job, prefill, decode)
        return True

    def cancel(self, job_id: str) -> bool:
        """Take a job out, wherever it is; False = there is no such job (it may have finished)."""
        way = self._ways.pop(job_id, None)
        if way is None:
            return False
        self._answers[way.decode] -= 1
        if way.arrives_at == math.inf:
            self._prompts[way.prefill] -= way.job.input_tokens
            self._prefills[way.prefill].cancel(job_id)
        elif way.arrives_at <= self._now:
            self._decodes[way.decode].cancel(job_id)
        # Else its KV is on the link, and goes nowhere when it arrives.
        return True

    def next_at(self) -> Seconds | None:
        """When something next happens to a job or its KV arrives; None = all is empty.

        Asking commits the steps that begin now: bring all jobs of one instant before asking.
        """
        if self._news:
            return self._now
        times = [one.next_at() for one in (*self._prefills, *self._decodes)]
        if self._under_way:
            times.append(self._under_way[0][0])
        return min((at for at in times if at is not None), default=None)

    def advance(self, to: Seconds) -> list[Progress]:
        """Move the clock to `to` and tell, in order of time, what happened up to and at `to`."""
        self._run(to)
        out, self._news = self._news, []
        return out

    @property
    def running(self) -> int:
        """Jobs admitted and not yet gone, at all engines."""
        return sum(one.snapshot().running for one in (*self._prefills, *self._decodes))

    def snapshot(self) -> PlantState:
        """All engines as one: gauges of KV are the decode engines', `busy_s` is the mean's."""
        states = [one.snapshot() for one in self._prefills]
        makers = [one.snapshot() for one in self._decodes]
        every = states + makers
        used, most = (sum(getattr(s, f"kv_blocks_{w}") for s in makers) for w in ("used", "max"))
        return PlantState(
            running=sum(s.running for s in every),
            waiting=sum(s.waiting for s in every) + len(self._under_way),
            kv_usage=used / most,
            kv_blocks_used=used,
            kv_blocks_max=most,
            prefix_query_tokens=sum(s.prefix_query_tokens for s in states),
            prefix_hit_tokens=sum(s.prefix_hit_tokens for s in states),
            preemptions=sum(s.preemptions for s in every),
            prompt_tokens=sum(s.prompt_tokens for s in every),
            output_tokens=sum(s.output_tokens for s in every),
            steps=sum(s.steps for s in every),
            busy_s=sum(s.busy_s for s in every) / len(every),
            joules=sum(s.joules for s in every),
        )

    def _waiting(self) -> int:
        every = (*self._prefills, *self._decodes)
        return sum(one.snapshot().waiting for one in every) + len(self._under_way)

    def _run(self, to: Seconds) -> None:
        """Prefill engines first, then what they sent, then decode engines: nothing flows back."""
        told: list[Progress] = []
        for engine in self._prefills:
            for one in engine.advance(to):
                self._prefilled(one, told)
        under_way = self._under_way
        while under_way and under_way[0][0] <= to:
            at, _, way = heapq.heappop(under_way)
            if self._ways.get(way.job.id) is way:
                self._decodes[way.decode].submit(at, replace(way.job, prefilled=True))
        for engine in self._decodes:
            for one in engine.advance(to):
                self._decoded(one, told)
        told.sort(key=attrgetter("at"))
        self._news += told
        if to < math.inf:
            self._now = max(self._now, to)
        elif self._news:
            self._now = max(self._now, self._news[-1].at)

    def _prefilled(self, one: Progress, told: list[Progress]) -> None:
        way = self._ways[one.job]
        if one.kind == "admitted":
            way.begun = one.at
        if one.kind != "finished":
            told.append(one)
            return
        self._prompts[way.prefill] -= way.job.input_tokens
        if way.job.output_tokens <= 1:
            self._answers[way.decode] -= 1
            del self._ways[one.job]
            told.append(one)
            return
        free = self._link_free[way.prefill]
        sent = self.split.sent(way.begun, one.at, free, way.job.input_tokens)
        self._link_free[way.prefill] = sent
        way.arrives_at = sent + self.split.link_latency_s
        heapq.heappush(self._under_way, (way.arrives_at, way.number, way))

    def _decoded(self, one: Progress, told: list[Progress]) -> None:
        if one.kind == "admitted":
            return
        told.append(one)
        if one.kind == "finished":
            self._answers[self._ways.pop(one.job).decode] -= 1
