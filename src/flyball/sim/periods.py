"""What comes round again in the simulated world: ticks, exchanges, plans?

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
    Solved,
    Tick,
)
from flyball.model.prices import PriceBoard
from flyball.model.signals import PeerLoad, Settled
from flyball.pricing.highs import Solver
from flyball.pricing.problem import Problem
from flyball.sim.clock import Clock
from flyball.sim.driver import Driver
from flyball.units import Seconds


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
