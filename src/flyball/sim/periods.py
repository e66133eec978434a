"""What comes round again in the simulated world: readings, ticks, exchanges, plans?

The twin of the real gateway's timers: each loop has its own period and its own delay, and what it
sees is as old as that makes it.
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import Protocol

from msgspec.structs import replace

from flyball.governor.events import (
    BoardReceived,
    Observed,
    PeersSeen,
    Sampled,
    Solved,
    Tick,
)
from flyball.model.plant import PlantState
from flyball.model.prices import PriceBoard
from flyball.model.signals import EngineSample, PeerLoad, Settled
from flyball.pricing.highs import Solver
from flyball.pricing.problem import Problem
from flyball.sim.clock import Chance, Clock
from flyball.sim.driver import Driver
from flyball.sim.network import Network
from flyball.sim.replica import Replica
from flyball.units import Ratio, Seconds


class Scraper:
    """Reads each engine's metrics in its turn; a reading arrives late, or not at all.

    `latest[e]` = (time of the reading, its state) as autoscalers see it.
    """

    def __init__(
        self,
        clock: Clock,
        driver: Driver,
        network: Network,
        replicas: Sequence[Replica],
        chance: Chance,
        gateways: Sequence[int],
        delay_s: Seconds,
        loss_ratio: Ratio,
    ) -> None:
        self._clock = clock
        self._driver = driver
        self._network = network
        self._replicas = replicas
        self._chance = chance
        self._gateways = gateways
        self._delay_s = delay_s
        self._loss_ratio = loss_ratio
        self.latest: dict[int, tuple[Seconds, PlantState]] = {}
        self.silent: set[int] = set()
        self._samples: dict[int, EngineSample] = {}

    def start(self, interval_s: Seconds) -> None:
        """Read each endpoint once per interval, spread evenly over it."""
        step_s = interval_s / len(self._replicas)
        for replica in self._replicas:
            if not replica.has_metrics:
                continue
            first = (replica.index + 1) * step_s
            self._clock.every(interval_s, lambda one=replica: self._read(one), first)

    def _read(self, replica: Replica) -> None:
        index = replica.index
        if replica.life in ("off", "starting"):
            return
        lost = self._loss_ratio and self._chance.uniform() < self._loss_ratio
        at = self._clock.now + 2.0 * self._network.to_endpoint(index) + self._delay_s
        if lost or index in self.silent or self._network.is_cut(index) or not replica.is_reachable:
            self._clock.at(at, self._tell, (index, None))
            return
        state = replica.read()
        last = self.latest.get(index)
        self.latest[index] = (self._clock.now, state)
        if last is None or last[1] is not state:
            self._samples[index] = _sample(replica, state)
        self._clock.at(at, self._tell, (index, self._samples[index]))

    def _tell(self, what: tuple[int, EngineSample | None]) -> None:
        index, sample = what
        error = "" if sample else "no answer"
        for gateway in self._gateways:
            self._driver.feed(gateway, Sampled(self._driver.time(gateway), index, sample, error))


def _sample(replica: Replica, state: PlantState) -> EngineSample:
    """What a scrape of vLLM's metrics would tell of that state."""
    block_tokens = replica.pool.profile.limits.block_tokens
    return EngineSample(
        waiting=state.waiting,
        running=state.running,
        kv_usage=state.kv_usage,
        kv_tokens_max=state.kv_blocks_max * block_tokens,
        block_tokens=block_tokens,
        prefix_hits=float(state.prefix_hit_tokens),
        prefix_queries=float(state.prefix_query_tokens),
        preemptions=float(state.preemptions),
    )


class Planner:
    """Answers `Solve` with the real solver, after the time that solving takes there.

    What the solver measures of its own time is replaced by that delay, so that equal runs stay
    equal. `workers` get the board that gateway `control` publishes; () = each core has its own.
    """

    def __init__(
        self,
        clock: Clock,
        driver: Driver,
        delay_s: Seconds,
        workers: Sequence[int],
        control: int,
        bus_delay_s: Seconds,
    ) -> None:
        self._clock = clock
        self._driver = driver
        self._delay_s = delay_s
        self._workers = workers
        self._control = control
        self._bus_delay_s = bus_delay_s
        self._solvers: dict[int, Solver] = {}
        self.boards = 0
        driver.sinks.solve = self._solve
        driver.sinks.publish = self._publish
        if workers:
            driver.sinks.report = self._report

    def _solve(self, gateway: int, problem: Problem) -> None:
        solver = self._solvers.get(gateway)
        if solver is None:
            solver = self._solvers[gateway] = Solver(time_max_s=inf)
        solution, error = None, ""
        try:
            solution = replace(solver.solve(problem), solve_s=self._delay_s)
        except ValueError as fault:
            error = str(fault)

        def answer(_: None) -> None:
            self._driver.feed(gateway, Solved(self._driver.time(gateway), solution, error))

        self._clock.at(self._clock.now + self._delay_s, answer)

    def _publish(self, gateway: int, board: PriceBoard) -> None:
        self.boards += 1
        for worker in self._workers:
            self._later(worker, lambda at: BoardReceived(at, board))

    def _report(self, gateway: int, settled: tuple[Settled, ...]) -> None:
        if gateway != self._control:
            self._later(self._control, lambda at: Observed(at, settled))

    def _later(self, gateway: int, event: Callable[[Seconds], BoardReceived | Observed]) -> None:
        def tell(_: None) -> None:
            self._driver.feed(gateway, event(self._driver.time(gateway)))

        self._clock.at(self._clock.now + self._bus_delay_s, tell)


class Peer(Protocol):
    """A core that can say what it has in flight."""

    def in_flight(self) -> list[PeerLoad]:
        """Its own work, endpoint by endpoint."""
        ...


class PeerExchange:
    """Gateways tell each other their work in flight; each hears the sum of the others'."""

    def __init__(
        self, clock: Clock, driver: Driver, peers: Sequence[Peer], delay_s: Seconds
    ) -> None:
        self._clock = clock
        self._driver = driver
        self._peers = peers
        self._delay_s = delay_s

    def turn(self) -> None:
        """Everyone publishes now; all read it after the delay."""
        told = [peer.in_flight() for peer in self._peers]
        self._clock.at(self._clock.now + self._delay_s, self._tell, told)

    def _tell(self, told: list[list[PeerLoad]]) -> None:
        for gateway in range(len(told)):
            others = summed(told[:gateway] + told[gateway + 1 :])
            self._driver.feed(gateway, PeersSeen(self._driver.time(gateway), others))


def summed(told: Sequence[Sequence[PeerLoad]]) -> tuple[PeerLoad, ...]:
    """The work of several gateways together, by endpoint."""
    total: dict[int, PeerLoad] = {}
    for loads in told:
        for load in loads:
            seen = total.get(load.endpoint)
            total[load.endpoint] = (
                load
                if seen is None
                else PeerLoad(
                    endpoint=load.endpoint,
                    running=seen.running + load.running,
                    pending=seen.pending + load.pending,
                    pending_prefill_tokens=seen.pending_prefill_tokens
                    + load.pending_prefill_tokens,
                    kv_tokens=seen.kv_tokens + load.kv_tokens,
                )
            )
    return tuple(total[endpoint] for endpoint in sorted(total))


def ticking(clock: Clock, driver: Driver, cores: Sequence[int], tick_s: Seconds) -> None:
    """A control period begins at each core every `tick_s`."""

    def turn() -> None:
        for core in cores:
            driver.feed(core, Tick(driver.time(core)))

    clock.every(tick_s, turn, tick_s)
