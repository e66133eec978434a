"""Who carries out the governor's set-points without ever letting it wait?

Per actuator and scope one move is under way and at most one waits: the newest. A move that fails is
tried again with a doubling pause, at most `TRIES_MAX` times, unless a newer one replaces it; then
the governor is told that the actuator stays, and why. Whatever a driver raises ends here.

Where replicas go (`pool.replicas`, `pool.active`, `pool.awake`), the endpoints that go stop taking
work first, and those that come take some from the first reading that shows them alive.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from flyball.governor.commands import Set
from flyball.governor.events import Actuated, EndpointDraining, Event
from flyball.model.fleet import Endpoint
from flyball.serve.actuate.drivers import Driver
from flyball.serve.actuate.fault import ActuatorFault
from flyball.units import Seconds

TRIES_MAX = 4
PAUSE_S: Seconds = 1.0
WAITING_MAX = 4096
COUNTED = frozenset({"pool.replicas", "pool.active", "pool.awake"})
INSIDE = frozenset({"pool.active", "pool.kv_keep_s"})
NO_DRIVER = "nothing is configured to drive it (see `actuators` in the fleet file)"

Key = tuple[str, str]


class Moves:
    """`turn(set)` returns at once; what came of it is an event for `feed`, in `now`'s time. `note`
    gets a line for the operator."""

    def __init__(
        self,
        drivers: Mapping[Key, Driver],
        endpoints: Sequence[Endpoint],
        feed: Callable[[Event], None],
        now: Callable[[], Seconds],
        note: Callable[[str], None],
        pause_s: Seconds = PAUSE_S,
    ) -> None:
        self._drivers = drivers
        self._endpoints = endpoints
        self._feed = feed
        self._now = now
        self._note = note
        self._pause_s = pause_s
        self._waiting: dict[Key, Set] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._standing: dict[Key, float] = {}
        self._off: dict[int, str] = {}
        self._coming: set[int] = set()

    def start(self) -> None:
        """Ask each actuator where it stands, on the running loop."""
        for key, driver in self._drivers.items():
            self._tasks[key] = asyncio.create_task(self._ask(key, driver))

    def turn(self, command: Set) -> None:
        """The governor wants this; a newer one for the same actuator and scope replaces it."""
        key = (command.actuator, command.scope)
        if key not in self._drivers and command.actuator not in INSIDE:
            self._told(key, self._standing.get(key, command.value), NO_DRIVER)
            return
        if len(self._waiting) < WAITING_MAX or key in self._waiting:
            self._waiting[key] = command
        task = self._tasks.get(key)
        if task is None or task.done():
            self._tasks[key] = asyncio.create_task(self._work(key))

    def seen(self, endpoint: int) -> None:
        """An engine told its metrics: if it was to come, it has."""
        if endpoint in self._coming:
            self._coming.discard(endpoint)
            self._drain(endpoint, False)

    async def stop(self) -> None:
        """End; what is under way is given up."""
        tasks = [task for task in self._tasks.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, key: Key, driver: Driver) -> None:
        value = None
        try:
            value = await driver.read()
        except ActuatorFault as fault:
            self._note(f"{key[0]} of {key[1]} cannot be read: {fault}")
        if value is not None:
            if key[0] in COUNTED:
                self._match(key[1], round(value), ())
            self._told(key, value, "")
        await self._work(key)

    async def _work(self, key: Key) -> None:
        """Until nothing waits any more."""
        while (command := self._waiting.pop(key, None)) is not None:
            if key[0] in COUNTED:
                self._match(key[1], round(command.value), command.targets)
            value, fault = await self._tried(key, command)
            if key in self._waiting and fault:
                continue
            if fault and key[0] in COUNTED and key in self._standing:
                self._match(key[1], round(value), ())
            self._told(key, value, fault)

    async def _tried(self, key: Key, command: Set) -> tuple[float, str]:
        """(where it stands, what went wrong)."""
        driver, pause_s = self._drivers.get(key), self._pause_s
        if driver is None:
            return command.value, ""
        said = ""
        for number in range(TRIES_MAX):
            if number:
                await asyncio.sleep(pause_s)
                pause_s *= 2.0
            if key in self._waiting:
                break
            try:
                return await driver.drive(command), ""
            except ActuatorFault as fault:
                said = str(fault)
                if fault.is_final:
                    break
            except Exception as fault:  # a driver's own mistake must not stop the others
                said = f"{type(fault).__name__}: {fault}"
                break
        return self._standing.get(key, command.value), said or "replaced by a newer one"

    def _told(self, key: Key, value: float, fault: str) -> None:
        if not fault:
            self._standing[key] = value
        self._feed(Actuated(self._now(), key[0], key[1], value, fault))

    # Endpoints that come and go.

    def _match(self, pool: str, wanted: int, targets: Sequence[str]) -> None:
        """So many endpoints of the pool take work: targets go first, then the last of the pool."""
        mine = [n for n, one in enumerate(self._endpoints) if one.pool == pool]
        taking = [n for n in mine if n not in self._off]
        named = [n for n in taking if self._endpoints[n].name in targets]
        others = [n for n in reversed(taking) if n not in named]
        for number in (named + others)[: max(0, len(taking) - wanted)]:
            self._off[number] = pool
            self._coming.discard(number)
            self._drain(number, True)
        for number in [n for n in mine if n in self._off][: max(0, wanted - len(taking))]:
            del self._off[number]
            if self._endpoints[number].metrics_url:
                self._coming.add(number)
            else:
                self._drain(number, False)

    def _drain(self, endpoint: int, draining: bool) -> None:
        self._feed(EndpointDraining(self._now(), endpoint, draining))
