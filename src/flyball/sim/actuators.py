"""What does the simulated world do when the governor sets an actuator, and what does it answer?

A `Set` takes effect after the actuator's delay; the governor is told where the actuator stands then
(`Actuated`), or why it stays. Of several under way for one actuator and scope the newest counts.
"""

from collections.abc import Callable, Mapping, Sequence

from flyball.governor.commands import Set
from flyball.governor.events import Actuated, EndpointDraining
from flyball.sim.clock import Clock
from flyball.sim.driver import Driver
from flyball.sim.power import Power
from flyball.sim.replica import Replica
from flyball.sim.scaling import Scaling
from flyball.units import Seconds

DELAY_S: Seconds = 1.0
NO_ACTUATOR = "the simulated fleet has no such actuator"

Move = Callable[[Set], float | None]


class Actuators:
    """`turn(set)` is what the driver calls; answers go to every core in `cores`."""

    def __init__(
        self,
        clock: Clock,
        driver: Driver,
        cores: Sequence[int],
        replicas: Sequence[Replica],
        scalings: Mapping[str, Scaling],
        power: Power,
        delay_s: Seconds = DELAY_S,
    ) -> None:
        self._clock = clock
        self._driver = driver
        self._cores = cores
        self._replicas = replicas
        self._scalings = scalings
        self._power = power
        self._delay_s = delay_s
        self._newest: dict[tuple[str, str], Set] = {}
        self.moves: dict[str, int] = {}
        self._table: dict[str, Move] = {
            "pool.replicas": self._scale,
            "pool.awake": self._scale,
            "pool.clock": self._set_clock,
            "pool.active": self._park,
            "class.engine_priority": self._set_priority,
        }

    def turn(self, gateway: int, command: Set) -> None:
        """The governor wants this."""
        self._newest[(command.actuator, command.scope)] = command
        self._clock.at(self._clock.now + self._delay_s, self._act, command)

    def _act(self, command: Set) -> None:
        if self._newest.get((command.actuator, command.scope)) is not command:
            return
        move = self._table.get(command.actuator)
        value = move(command) if move is not None else None
        if value is None:
            self._tell(command.actuator, command.scope, 0.0, NO_ACTUATOR)
            return
        self.moves[command.actuator] = self.moves.get(command.actuator, 0) + 1
        self._tell(command.actuator, command.scope, value)

    def _tell(self, actuator: str, scope: str, value: float, fault: str = "") -> None:
        for core in self._cores:
            event = Actuated(self._driver.time(core), actuator, scope, value, fault)
            self._driver.feed(core, event)

    def _scale(self, command: Set) -> float | None:
        scaling = self._scalings.get(command.scope)
        if scaling is None:
            return None
        return float(scaling.move(round(command.value), command.targets))

    def _set_clock(self, command: Set) -> float | None:
        self._power.clocks[command.scope] = command.value
        return command.value

    def _park(self, command: Set) -> float | None:
        """Those named take no new work any more; back come those first that have a cache."""
        mine = [r for r in self._replicas if r.pool.name == command.scope and r.life == "ready"]
        wanted = round(command.value)
        parked = self._driver.parked
        for replica in mine:
            if len(mine) - len(parked & {r.index for r in mine}) <= wanted:
                break
            if replica.name in command.targets:
                parked.add(replica.index)
                self._announce(replica, draining=True)
        for replica in mine:
            if len(mine) - len(parked & {r.index for r in mine}) >= wanted:
                break
            if replica.index in parked:
                parked.discard(replica.index)
                self._announce(replica, draining=False)
        return float(len(mine) - len(parked & {r.index for r in mine}))

    def _announce(self, replica: Replica, draining: bool) -> None:
        for core in self._cores:
            event = EndpointDraining(self._driver.time(core), replica.index, draining)
            self._driver.feed(core, event)

    def _set_priority(self, command: Set) -> float | None:
        self._driver.priorities[command.scope] = round(command.value)
        return command.value
