"""When does each token of each job leave an engine that batches continuously, as vLLM v1 does?

The rules are vLLM's (`vllm/v1/core/sched/scheduler.py`): running jobs come first, one token each;
what is left of the step's token budget goes to a prompt in progress, then to waiting jobs in order
of (priority, arrival) while a sequence slot and KV blocks are free; a prompt too long for the
budget is computed in chunks; when KV blocks run out, the least urgent, newest job gives up its
blocks and is computed again later. The step's time is `Profile`'s. Three simplifications, all
deliberate: the blocks of a whole prompt are taken when it is admitted (vLLM makes sure of them with
`scheduler_reserve_full_isl`); an answer's blocks can be found by others once its job has left; host
work is part of the step's base. Other engines' rules are a `Batching` (`sim/batching.py`).

A job whose prompt was computed elsewhere (`Job.prefilled`) joins the decoding jobs when it has a
slot and its blocks, and costs no prompt tokens; if it is preempted, its prompt is computed here.

A run of pure decode steps is advanced in one go: with n sequences each step costs per_kv_token_s
times n more than the last (`sim/stretch.py`). Time is counted in whole femtoseconds, so this closed
form equals the sum of single steps to the last bit (`sim/oracle.py` is the witness).
"""

import heapq
import math
from collections import deque

from flyball.model.plant import Job, PlantState, Progress
from flyball.model.profile import Profile
from flyball.sim.batch import Batch
from flyball.sim.batching import VLLM, Batching
from flyball.sim.kvcache import KvCache
from flyball.sim.stay import Stay
from flyball.sim.steptime import TICKS_PER_S, StepTime, seconds
from flyball.sim.stretch import Stretch
from flyball.units import Seconds, Tokens


class Engine:
    """The plant: feed it jobs with `submit`, move its time with `advance`. It never reads a clock.

    `prefix_tokens` = tokens that one entry of `Job.block_hashes` covers (a multiple of the KV
    block; 0 = one block). `max_waiting` bounds the jobs not yet admitted. ValueError if the limits
    contradict each other.
    """

    __slots__ = (
        "_arrivals", "_batch", "_batching", "_block", "_budget", "_busy", "_cache", "_cost",
        "_decodes", "_finishes", "_gone", "_group_tokens", "_hit_tokens", "_landing", "_mixes",
        "_news", "_now", "_output_tokens", "_partial", "_pauses", "_planned", "_preemptions",
        "_prefix_cache", "_prompt_tokens", "_query_tokens", "_running", "_runs", "_seq",
        "_seqs_max", "_stretch", "_waiting", "_watt_ticks", "_watts", "max_waiting", "profile",
    )  # fmt: skip

    def __init__(
        self,
        profile: Profile,
        *,
        prefix_cache: bool = True,
        prefix_tokens: Tokens = 0,
        max_waiting: int = 1_000_000,
        batching: Batching = VLLM,
    ) -> None:
        limits = profile.limits
        self.profile = profile
        self._batching = batching
        self._mixes = batching.mixes
        self.max_waiting = max_waiting
        self._block = limits.block_tokens
        self._group_tokens = prefix_tokens or limits.block_tokens
        if self._group_tokens % self._block:
            raise ValueError(
                f"prefix_tokens {prefix_tokens} is no multiple of the KV block of {self._block}"
            )
        if limits.seqs_max > limits.step_tokens_max:
            raise ValueError("seqs_max is above step_tokens_max: a step could not serve every job")
        self._cache = KvCache(
            limits.kv_tokens_max // self._block, self._group_tokens // self._block, prefix_cache
        )
        self._prefix_cache = prefix_cache
        self._seqs_max = limits.seqs_max
        self._budget = limits.step_tokens_max
        self._cost = StepTime(profile)
        self._arrivals: deque[Stay] = deque()  # not yet at the engine, by time
        self._waiting: list[tuple[int, int, Stay]] = []
        self._runs: dict[str, Stay] = {}  # every job inside, by id
        self._running: dict[int, Stay] = {}  # admitted jobs, by seq
        self._partial: Stay | None = None  # its prompt is partly computed
        self._landing: list[Stay] = []  # their prompts will be complete when this step ends
        self._gone: list[Stay] = []  # cancelled while a step ran
        self._seq = 0
        self._now = 0.0
        self._batch = Batch(self._block)
        self._finishes: list[tuple[int, int, Stay]] = []  # when each decoding job ends: step, seq
        self._planned = False
        self._decodes = True  # whether the decoding jobs take part in the steps under way
        self._pauses = 0  # steps without them
        self._stretch = Stretch()  # the run of steps under way, or where the next one starts
        self._news: list[Progress] = []  # happened when the run was planned, not yet told
        self._preemptions = 0
        self._query_tokens = 0
        self._hit_tokens = 0
        self._prompt_tokens = 0
        self._output_tokens = 0
        self._busy = 0
        self._watt_ticks = 0.0
        self._watts = [profile.power.watts(batch) for batch in range(self._seqs_max + 1)]

    # --- what a driver does ---

    def submit(self, at: Seconds, job: Job) -> bool:
        """Bring a job at `at`; False = refused, as `max_waiting` jobs wait already.

        Raises ValueError if it can never fit, its id is inside already, or `at` lies before the
        engine's time or before the last job submitted.
        """
        if len(self._waiting) + len(self._arrivals) >= self.max_waiting:
            return False
        limits = self.profile.limits
        if job.input_tokens < 1 or job.output_tokens < (2 if job.prefilled else 0):
            least = "2 output tokens, its first being made" if job.prefilled else "0 output tokens"
            raise ValueError(f"job {job.id!r} needs at least 1 input token and {least}")
        if job.input_tokens + job.output_tokens > self._cache.blocks * self._block:
            raise ValueError(
                f"job {job.id!r} needs {job.input_tokens + job.output_tokens} tokens of KV cache, "
                f"the engine has {limits.kv_tokens_max}"
            )
        if job.id in self._runs:
            raise ValueError(f"job {job.id!r} is inside already")
        at += self.profile.request_overhead_s
        arrivals = self._arrivals
        if at < self._now or (arrivals and at < arrivals[-1].at):
            raise ValueError(f"job {job.id!r} comes at {at} s, before the engine's time")
        self._seq += 1
        run = Stay(at, job, self._seq, job.block_hashes if self._prefix_cache else ())
        self._runs[job.id] = run
        arrivals.append(run)
        if self._planned and self._stretch.count > 1 and len(self._running) < self._seqs_max:
            self._stretch.cut(at)
        return True

    def cancel(self, job_id: str) -> bool:
        """Take a job out at the next step boundary from now on; nothing more is reported of it.

        False = there is no such job (it may have finished).
        """
        run = self._runs.pop(job_id, None)
        if run is None:
            return False
        if run.seq in self._running:
            if self._planned:
                self._gone.append(run)
                if self._stretch.count > 1:
                    self._stretch.cut(self._now)
            else:
                self._leave(run)
            return True
        entry = (run.job.priority, run.seq, run)
        if entry in self._waiting:
            self._waiting.remove(entry)
            heapq.heapify(self._waiting)
        else:
            self._arrivals.remove(run)
        return True

    def next_at(self) -> Seconds | None:
        """When something next happens to a job (or one arrives); None = the engine is empty.

        Asking commits the step that begins now: bring all jobs of one instant before asking.
        """
        if not self._planned:
            if not self._running and not self._waiting:
                if not self._arrivals:
                    return None
                if self._arrivals[0].at > self._now:
                    return self._arrivals[0].at
            self._plan(self._news)
        return self._stretch.end_s

    def next_token_at(self) -> Seconds | None:
        """When the next step ends, so when a running job may have a new token; None = empty."""
        at = self.next_at()
        if at is None or not self._planned:
            return at
        done = self._steps_done()
        return self._stretch.end_of(done + 1) if done < self._stretch.count else at

    def advance(self, to: Seconds, *, tokens: bool = False) -> list[Progress]:
        """Move the clock to `to` and tell, in order of time, what happened up to and at `to`.

        With `tokens`, the list ends with one entry per running job that made tokens since last
        told. A step that begins exactly at `to` is planned later, so that a job submitted at `to`
        still gets into it.
        """
        out: list[Progress] = []
        if self._news:
            self._tell_news(out)
        self._run_until(to, out)
        if to > self._now:
            self._now = to if to < math.inf else self._stretch.end_s
        if tokens:
            self._tell_tokens(out)
        return out

    def produced(self, job_id: str) -> Tokens:
        """Answer tokens made so far by a job inside; KeyError if it is not inside."""
        run = self._runs[job_id]
        return self._made(run, self._steps_done())

    @property
    def running(self) -> int:
        """Jobs admitted and not yet gone."""
        return len(self._running) - len(self._gone)

    def snapshot(self) -> PlantState:
        """The engine as its own metrics would show it at its present time."""
        done = self._steps_done()
        growth = self._batch.growth(done - 1) if done > 1 else 0
        used = self._cache.blocks - self._cache.free + growth
        arrived = sum([run.at <= self._now for run in self._arrivals]) if self._arrivals else 0
        return PlantState(
            running=self.running,
            waiting=len(self._waiting) + arrived,
            kv_usage=used / self._cache.blocks,
            kv_blocks_used=used,
            kv_blocks_max=self._cache.blocks,
            prefix_query_tokens=self._query_tokens,
            prefix_hit_tokens=self._hit_tokens,
            preemptions=self._preemptions,
            prompt_tokens=self._prompt_tokens,
            output_tokens=self._output_tokens + self._batch.seqs * done,
            steps=self._batch.step + self._pauses + done,
            busy_s=seconds(self._busy),
            joules=self._watt_ticks / TICKS_PER_S,
        )

    # --- one run of steps: plan it, cut it short, complete it ---

    def _run_until(self, to: Seconds, out: list[Progress]) -> None:
        """Plan and carry out the runs of steps that end by `to`; the last may stay planned."""
        stretch, cache, running, watts = self._stretch, self._cache, self._running, self._watts
        finishes, arrivals, batch = self._finishes, self._arrivals, self._batch
        while True:
            if not self._planned:
                if running or self._waiting:
                    if stretch.end_s >= to:
                        return
                elif not arrivals or arrivals[0].at >= to:
                    return
                self._plan(out)
            if stretch.end_s > to:
                return
            count = stretch.count
            self._planned = False
            if count > 1:
                cache.take(batch.growth(count - 1))
            span = stretch.pass_by()
            self._busy += span
            self._watt_ticks += span * watts[len(running)]
            if self._decodes:
                self._output_tokens += batch.pass_by(count)
            else:
                self._pauses += 1
            if self._gone:
                for run in self._gone:
                    self._leave(run)
                self._gone.clear()
            if finishes and finishes[0][0] <= batch.step:
                self._finish_decoding(out)
            if self._landing:
                self._land(out)

    def _plan(self, news: list[Progress]) -> None:
        """Decide the next run of steps; at least one job is here or has arrived."""
        stretch, arrivals, waiting = self._stretch, self._arrivals, self._waiting
        batch = self._batch
        if arrivals:
            if not self._running and not waiting:
                stretch.wait_until(arrivals[0].at)
            while arrivals and arrivals[0].at <= stretch.end_s:
                run = arrivals.popleft()
                heapq.heappush(waiting, (run.job.priority, run.seq, run))
        mixes = self._mixes
        settled = self._pay_step(news) if mixes else True
        self._planned = self._decodes = True
        has_slot = len(self._running) < self._seqs_max
        if (waiting and has_slot) or self._partial is not None:
            prompt_tokens, context = self._schedule_prompts(settled, news)
            if prompt_tokens:
                self._decodes = mixes
                seqs, kv_tokens = (batch.seqs, batch.kv_tokens) if mixes else (0, 0)
                stretch.set_one(self._cost.mixed(seqs, kv_tokens, prompt_tokens, context))
                return
        if not mixes:
            settled = self._pay_step(news)
        first, slope = self._cost.decode(batch.seqs, batch.kv_tokens)
        # After a preemption the next step may admit again, so look there.
        stretch.set(first, slope, self._decode_steps() if settled else 1)
        if has_slot and arrivals and arrivals[0].at < stretch.end_s:
            stretch.cut(arrivals[0].at)

    def _pay_step(self, news: list[Progress]) -> bool:
        """Give each decoding job its next block; True = nobody had to go for that."""
        needed = self._batch.needed()
        if needed > self._cache.free:
            return self._make_room(news)
        if needed:
            self._cache.take(needed)
        return True

    def _make_room(self, news: list[Progress]) -> bool:
        """Preempt until the others have their next blocks; True = nobody had to go after all.

        As in vLLM the older jobs take what is free before the newest one is preempted.
        """
        settled, taken = True, 0
        cache, batch, urgency = self._cache, self._batch, self._batching.urgency
        while batch.needed() - taken > cache.free:
            if self._mixes:
                taken += cache.free
                cache.take(cache.free)
            victim = max(self._running.values(), key=lambda run: urgency(run, self._made(run)))
            settled = False
            self._preemptions += 1
            self._leave(victim)
            victim.total = victim.job.input_tokens + victim.generated
            heapq.heappush(self._waiting, (victim.job.priority, victim.seq, victim))
            at = self._stretch.end_s
            news.append(Progress("preempted", victim.job.id, at, victim.generated))
        if batch.needed() > taken:
            cache.take(batch.needed() - taken)
        return settled

    def _schedule_prompts(self, may_admit: bool, news: list[Progress]) -> tuple[Tokens, int]:
        """Fill the step with prompt tokens: their number, and the sum of p * (2 * prefix + p)."""
        budget = self._budget - self._batch.seqs if self._mixes else self._budget
        taken = context = 0
        run = self._partial
        if run is not None:
            taken = min(run.total - run.computed, budget)
            context = taken * (2 * run.computed + taken)
            self._compute(run, taken)
        if not may_admit:  # as vLLM: a step that preempts admits nobody
            return taken, context
        waiting, running = self._waiting, self._running
        while waiting and taken < budget and len(running) < self._seqs_max:
            run = waiting[0][2]
            if not self._admit(run, news):
                break
            heapq.heappop(waiting)
            if run.is_ready:
                run.is_ready = False
                budget -= self._mixes
                self._join(run)
                continue
            chunk = min(run.total - run.computed, budget - taken)
            context += chunk * (2 * run.computed + chunk)
            taken += chunk
            self._compute(run, chunk)
        return taken, context

    def _admit(self, run: Stay, news: list[Progress]) -> bool:
        """Give a waiting job its blocks, shared ones first; False = too few are free."""
        cache = self._cache
        blocks = fresh = -(-run.total // self._block)
        if run.is_ready:
            if self._mixes:  # this step is planned and paid for: its own next block comes with it
                blocks = fresh = run.total // self._block + 1
            if fresh > cache.free:
                return False
            run.computed = run.total
        elif run.hashes:
            # At least one token must be computed, or there would be nothing to sample from.
            match = found, idle, _ = cache.match(run.hashes, (run.total - 1) // self._group_tokens)
            fresh -= found * cache.group
            if fresh + idle * cache.group > cache.free:
                return False
            if found:
                run.held = cache.hold(match)
            run.published = found
            run.computed = found * self._group_tokens
        elif fresh > cache.free:
            return False
        cache.take(fresh)
        run.blocks = blocks
        self._running[run.seq] = run
        if not run.started:
            run.started = True
            if self._prefix_cache and not run.is_ready:
                self._query_tokens += run.total
                self._hit_tokens += run.computed
            cached = 0 if run.is_ready else run.computed
            news.append(Progress("admitted", run.job.id, self._stretch.end_s, cached))
        return True

    def _compute(self, run: Stay, chunk: Tokens) -> None:
        """Put `chunk` prompt tokens of a job into the step that is being planned."""
        run.computed += chunk
        if run.hashes:
            self._publish(run, run.computed)
        if run.computed == run.total:
            self._landing.append(run)
            self._partial = None
        else:
            self._partial = run

    def _decode_steps(self) -> int:
        """How many decode steps follow until a job ends or blocks run out; one is paid for."""
        finishes = self._finishes
        while finishes[0][2].finish_step != finishes[0][0]:
            heapq.heappop(finishes)
        return self._batch.fitting(finishes[0][0] - self._batch.step, self._cache.free)

    def _finish_decoding(self, out: list[Progress]) -> None:
        finishes, at, now = self._finishes, self._stretch.end_s, self._batch.step
        while finishes and finishes[0][0] <= now:
            step, _, run = heapq.heappop(finishes)
            if run.finish_step == step:
                self._leave(run)
                job_id = run.job.id
                del self._runs[job_id]
                out.append(Progress("finished", job_id, at, run.generated))

    def _land(self, out: list[Progress]) -> None:
        """Prompts completed in the step that just ended: first tokens, and jobs that join."""
        landing, self._landing = self._landing, []
        at = self._stretch.end_s
        for run in landing:
            if run.seq not in self._running:  # cancelled meanwhile
                continue
            job = run.job
            self._prompt_tokens += run.total
            if job.output_tokens:
                run.generated += 1
                self._output_tokens += 1
                if run.generated == 1:
                    out.append(Progress("first-token", job.id, at, 1))
            if run.generated >= job.output_tokens:
                self._leave(run)
                del self._runs[job.id]
                out.append(Progress("finished", job.id, at, run.generated))
            else:
                self._join(run)

    def _join(self, run: Stay) -> None:
        """A job whose prompt is complete decodes from the next step on."""
        run.joined_step = step = self._batch.step
        run.finish_step = step + run.job.output_tokens - run.generated
        self._batch.join(run.total)
        heapq.heappush(self._finishes, (run.finish_step, run.seq, run))

    def _leave(self, run: Stay) -> None:
        """A job gives up its slot and its blocks: finished, preempted or cancelled."""
        if self._running.pop(run.seq, None) is None:
            return
        if run.finish_step >= 0:
            steps = self._batch.step - run.joined_step
            run.generated += steps
            run.computed = run.total + steps
            run.blocks = -(-run.computed // self._block)
            run.finish_step = -1
            self._batch.leave(run.computed)
        elif run is self._partial:
            self._partial = None
        if run.hashes:
            self._publish(run, run.computed)
        self._cache.release(run.blocks, run.held)
        run.held = []
        run.blocks = run.computed = 0

    def _publish(self, run: Stay, computed: Tokens) -> None:
        """Name the blocks that are full, so that others can share them."""
        full = min(computed // self._group_tokens, len(run.hashes))
        run.held = self._cache.publish(run.hashes, run.published, full, run.held)
        run.published = full

    def _steps_done(self) -> int:
        """Steps of the run under way that have ended by now."""
        if not self._planned or self._stretch.count == 1:
            return 0
        return self._stretch.done_by(self._now)

    # --- what is told ---

    def _tell_news(self, out: list[Progress]) -> None:
        out.extend(news for news in self._news if news.job in self._runs)
        self._news.clear()

    def _made(self, run: Stay, steps_done: int = 0) -> Tokens:
        if run.finish_step < 0:
            return run.generated
        return run.generated + self._batch.step + steps_done - run.joined_step

    def _tell_tokens(self, out: list[Progress]) -> None:
        done = self._steps_done()
        at = self._stretch.end_of(done) if self._planned else self._stretch.end_s
        for run in self._running.values():
            made = self._made(run, done)
            if made > run.reported and run.job.id in self._runs:
                out.append(Progress("tokens", run.job.id, at, made - run.reported))
                run.reported = made
