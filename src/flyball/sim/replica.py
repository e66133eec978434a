"""What does one engine replica of the simulated fleet do: is it there, how fast, at what cost?

A replica is an `Engine`, or several that share the work, with a life: off, starting, ready,
draining or lost. A slow accelerator or a lowered clock stretches its time: engine time = world
time / slowdown, in pieces, so the engine stays exact and knows nothing of it.
"""

from collections.abc import Callable
from math import inf
from typing import Any, Literal

from flyball.model.fleet import Endpoint, Pool
from flyball.model.plant import Job, PlantState, Progress
from flyball.sim.batching import batching_of
from flyball.sim.clock import Clock
from flyball.sim.disagg import Disaggregated
from flyball.sim.engine import Engine
from flyball.units import Joules, Ratio, Seconds, Tokens, Watts, usd_per_second

Life = Literal["off", "starting", "ready", "draining", "lost"]


class Replica:
    """One endpoint of the fleet. `jobs` maps the jobs inside to whoever waits for them;
    `on_progress(waiter, progress)` is called as things happen to them."""

    def __init__(
        self,
        index: int,
        endpoint: Endpoint,
        pool: Pool,
        clock: Clock,
        on_progress: Callable[[Any, Progress], None],
        prefix_tokens: Tokens = 0,
    ) -> None:
        self.index = index
        self.name = endpoint.name
        self.pool = pool
        self.site = pool.site
        self.has_metrics = bool(endpoint.metrics_url)
        self.life: Life = "ready"
        self.jobs: dict[str, Any] = {}
        self.on_s: Seconds = 0.0
        self.busy_s: Seconds = 0.0
        self.joules: Joules = 0.0
        self.output_tokens: Tokens = 0
        self.prompt_tokens: Tokens = 0
        self.cached_tokens: Tokens = 0
        self.preemptions = 0
        self._clock = clock
        self._on_progress = on_progress
        self._prefix_tokens = prefix_tokens
        self._on_since: Seconds = 0.0
        self._defect = 1.0
        self.clock_ratio: Ratio = 1.0
        self._begin()

    def _begin(self) -> None:
        """A fresh engine, with nothing in its cache, whose time begins now."""
        self._engine = self._made()
        self._engine.advance(self._clock.now)
        self._slowdown = self._defect / self.clock_ratio
        self._world_at = self._engine_at = self._clock.now
        self._seen = self._engine.snapshot()
        self._at_rest: PlantState | None = None
        self._settled_engine: Seconds = self._clock.now
        self._weight_s: Seconds = 0.0
        self._weighed_at: Seconds = self._clock.now
        self._wake_at: Seconds = inf
        self._wake_engine: Seconds = inf
        self._reached: Seconds = self._clock.now

    def _made(self) -> Engine | Disaggregated:
        pool, grain = self.pool, self._prefix_tokens
        batching, keeps = batching_of(pool.engine), pool.prefix_cache
        if pool.split is not None:
            return Disaggregated(
                pool.split, prefix_cache=keeps, prefix_tokens=grain, batching=batching
            )
        return Engine(pool.profile, prefix_cache=keeps, prefix_tokens=grain, batching=batching)

    # Time.

    def _engine_time(self) -> Seconds:
        """The engine's now; never before what it has reached, whatever rounding says."""
        now = self._clock.now
        if self._slowdown == 1.0 and self._world_at == self._engine_at:
            return now
        return max(self._reached, self._engine_at + (now - self._world_at) / self._slowdown)

    def _ask(self) -> None:
        """Wake up when the engine has something to tell."""
        at = self._engine.next_at()
        if at is None:
            self._wake_at = inf
            return
        if at == self._wake_engine and self._wake_at < inf:
            return
        self._wake_engine = at
        if self._slowdown == 1.0 and self._world_at == self._engine_at:
            wake = at
        else:
            wake = self._world_at + (at - self._engine_at) * self._slowdown
        self._wake_at = wake
        self._clock.at(wake, self._wake, wake)

    def _wake(self, wake: Seconds) -> None:
        if wake != self._wake_at:
            return
        self._wake_at = inf
        self._reached = max(self._reached, self._wake_engine)
        self._tell(self._engine.advance(self._reached))
        self._ask()

    def _tell(self, told: list[Progress]) -> None:
        if not told:
            return
        jobs, on_progress = self.jobs, self._on_progress
        for progress in told:
            waiter = jobs.get(progress.job)
            if waiter is None:
                continue
            if progress.kind == "finished":
                del jobs[progress.job]
            on_progress(waiter, progress)
        if self.life == "draining":
            self._end_if_drained()

    def _advance(self) -> None:
        """Move the engine to now, telling what happened on the way."""
        self._reached = self._engine_time()
        self._tell(self._engine.advance(self._reached))

    # Work.

    @property
    def is_reachable(self) -> bool:
        """Whether a connection to it is accepted."""
        return self.life == "ready" or self.life == "draining"

    def submit(self, job: Job, waiter: Any) -> bool:
        """A request arrives now; False = the engine's queue is full, ValueError = never fits."""
        if not self._engine.submit(self._engine_time(), job):
            return False
        self.jobs[job.id] = waiter
        self._at_rest = None
        self._ask()
        return True

    def cancel(self, job_id: str) -> None:
        """The gateway closed the connection: the engine drops the job at its next step."""
        if self.jobs.pop(job_id, None) is None:
            return
        self._advance()
        self._engine.cancel(job_id)
        self._ask()
        if self.life == "draining":
            self._end_if_drained()

    def read(self) -> PlantState:
        """The engine's own metrics, now; an empty engine's are the same object until work comes."""
        if self._wake_at == inf:
            if self._at_rest is None:
                self._at_rest = self._engine.snapshot()
            return self._at_rest
        self._advance()
        return self._engine.snapshot()

    # Life.

    def turn_off(self) -> None:
        """Not part of the fleet until `start`: nothing is paid for."""
        self.life = "off"

    def start(self, delay_s: Seconds, on_ready: Callable[["Replica"], None]) -> None:
        """Start the machine; paid for from now on, ready after `delay_s` with a cold cache."""
        self.life = "starting"
        self._on_since = self._clock.now

        def ready(_: None) -> None:
            if self.life == "starting":
                self.settle()
                self.life = "ready"
                self._begin()
                on_ready(self)

        self._clock.at(self._clock.now + delay_s, ready)

    def drain(self) -> None:
        """Finish what runs, then end."""
        self.life = "draining"
        self._end_if_drained()

    def _end_if_drained(self) -> None:
        if self.life == "draining" and not self.jobs:
            self.settle()
            self.life = "off"

    def lose(self) -> list[Any]:
        """The replica crashes; returns all who waited for its jobs. Its power is not paid for."""
        self.settle()
        self.life = "lost"
        waiters = list(self.jobs.values())
        self.jobs.clear()
        self._wake_at = inf
        return waiters

    def come_back(self) -> None:
        """Ready again, with an empty cache."""
        self.life = "ready"
        self._on_since = self._clock.now
        self._begin()

    # Speed and cost.

    def set_defect(self, slowdown: float) -> None:
        """This machine takes `slowdown` times as long for each step (1 = as its profile says)."""
        self._defect = slowdown
        self._restretch()

    def set_clock(self, ratio: Ratio) -> None:
        """Run at this share of full clock."""
        if ratio != self.clock_ratio:
            self._weigh()
            self.clock_ratio = ratio
            self._restretch()

    def _restretch(self) -> None:
        slowdown = self._defect / self.clock_ratio
        if slowdown == self._slowdown:
            return
        if self.is_reachable:
            self._advance()
        self._engine_at = self._engine_time()
        self._world_at = self._clock.now
        self._slowdown = slowdown
        self._wake_at = inf
        if self.is_reachable:
            self._ask()

    @property
    def idle_watts(self) -> Watts:
        """Drawn whatever it does, while it is on."""
        return self.pool.profile.power.idle_watts if self.life not in ("off", "lost") else 0.0

    @property
    def dynamic_watts(self) -> Watts:
        """Drawn above idle at its present batch, at full clock."""
        if not self.jobs or not self.is_reachable:
            return 0.0
        batch = self._engine.running
        power = self.pool.profile.power
        return power.watts(batch) - power.idle_watts if batch else 0.0

    def settle(self) -> None:
        """Add time, energy and tokens since the last settlement to the totals."""
        if self.life in ("off", "lost"):
            return
        now = self._clock.now
        state = self._engine.snapshot()
        seen, self._seen = self._seen, state
        engine_now = self._engine_time()
        engine_s, self._settled_engine = engine_now - self._settled_engine, engine_now
        self._weigh()
        weight_s, self._weight_s = self._weight_s, 0.0
        elapsed, self._on_since = now - self._on_since, now
        busy_s = state.busy_s - seen.busy_s
        idle_watts = self.pool.profile.power.idle_watts
        self.on_s += elapsed
        self.joules += idle_watts * elapsed
        if engine_s > 0.0:
            # A run of steps is counted when it ends, so the slowdowns since then are averaged.
            self.busy_s = min(self.on_s, self.busy_s + busy_s * elapsed / engine_s)
            # The engine counts idle watts as part of a step's; only what is above them scales.
            above = state.joules - seen.joules - idle_watts * busy_s
            self.joules += above * weight_s / engine_s
        self.output_tokens += state.output_tokens - seen.output_tokens
        self.prompt_tokens += state.prompt_tokens - seen.prompt_tokens
        self.cached_tokens += state.prefix_hit_tokens - seen.prefix_hit_tokens
        self.preemptions += state.preemptions - seen.preemptions

    def _weigh(self) -> None:
        """Integrate the cube of the clock, by which dynamic power goes, over the world's time."""
        now = self._clock.now
        self._weight_s += (now - self._weighed_at) * self.clock_ratio**3
        self._weighed_at = now

    def close(self) -> None:
        """The end of the run, or of this engine: fold in what its counters say."""
        if self.is_reachable:
            self._advance()
        self.settle()

    @property
    def usd(self) -> float:
        """What the machine has cost so far, energy not included."""
        return self.on_s * usd_per_second(self.pool.profile.usd_per_hour)
