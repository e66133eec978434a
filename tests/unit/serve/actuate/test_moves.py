"""Does the newest set-point win, a fault come back as an event, and nothing ever wait?"""

import asyncio
from collections.abc import Callable

from flyball.governor.commands import Set
from flyball.governor.events import Actuated, EndpointDraining, Event
from flyball.model.fleet import Endpoint
from flyball.serve.actuate.fault import ActuatorFault
from flyball.serve.actuate.moves import TRIES_MAX, Moves

POOL = [
    Endpoint(name=f"chat-{n}", pool="chat", url=f"http://h{n}", metrics_url=f"http://h{n}/metrics")
    for n in range(4)
]
KEY = ("pool.replicas", "chat")


class Script:
    """A driver that does what the test says, and remembers what it was told."""

    def __init__(self, act: Callable[[Set], float] | None = None, stands: float | None = None):
        self.act = act or (lambda command: command.value)
        self.stands = stands
        self.told: list[float] = []

    async def drive(self, command: Set) -> float:
        self.told.append(command.value)
        await asyncio.sleep(0.01)
        return self.act(command)

    async def read(self) -> float | None:
        return self.stands


def played(driver: Script, *commands: Set | float, key: tuple[str, str] = KEY) -> list[Event]:
    """Set-points, and pauses in seconds between them."""
    events: list[Event] = []

    async def play() -> None:
        moves = Moves({key: driver}, POOL, events.append, lambda: 5.0, print, pause_s=0.005)
        moves.start()
        await asyncio.sleep(0.01)
        for one in commands:
            if isinstance(one, Set):
                moves.turn(one)
            else:
                await asyncio.sleep(one)
        await asyncio.sleep(0.3)
        for endpoint in range(4):
            moves.seen(endpoint)
        await moves.stop()

    asyncio.run(play())
    return events


def move(value: float, *targets: str, actuator: str = "pool.replicas") -> Set:
    return Set("autoscaling", actuator, "chat", value, targets)


def test_a_move_is_made_and_told() -> None:
    events = played(Script(), move(4.0))
    assert events == [Actuated(5.0, "pool.replicas", "chat", 4.0)]


def test_of_several_only_the_newest_counts() -> None:
    driver = Script()
    played(driver, move(4.0), 0.002, move(3.0), move(2.0), move(1.0))
    assert driver.told == [4.0, 1.0]


def test_a_passing_fault_is_tried_again_a_few_times_then_told() -> None:
    def fail(command: Set) -> float:
        raise ActuatorFault("busy")

    driver = Script(fail, stands=4.0)
    events = [one for one in played(driver, move(3.0)) if isinstance(one, Actuated)]
    assert driver.told == [3.0] * TRIES_MAX
    assert events[0] == Actuated(5.0, "pool.replicas", "chat", 4.0)
    assert events[-1] == Actuated(5.0, "pool.replicas", "chat", 4.0, "busy")


def test_a_drivers_own_mistake_is_told_like_a_fault() -> None:
    def fail(command: Set) -> float:
        return 1.0 / 0.0

    (told,) = [one for one in played(Script(fail), move(3.0)) if isinstance(one, Actuated)]
    assert told.fault.startswith("ZeroDivisionError")


def test_a_final_fault_is_not_tried_again() -> None:
    def fail(command: Set) -> float:
        raise ActuatorFault("forbidden", True)

    driver = Script(fail)
    played(driver, move(3.0))
    assert driver.told == [3.0]


def test_what_goes_stops_taking_work_first_and_what_comes_waits_till_it_is_seen() -> None:
    events = played(Script(), move(2.0, "chat-1"), 0.05, move(3.0))
    draining = [(e.endpoint, e.draining) for e in events if isinstance(e, EndpointDraining)]
    assert draining == [(1, True), (3, True), (1, False)]
    told = [one for one in events if isinstance(one, Actuated)]
    assert [one.value for one in told] == [2.0, 3.0]
    assert events.index(told[0]) == 2, "first they stop taking work, then they go"


def test_a_failed_move_gives_the_endpoints_back() -> None:
    def fail(command: Set) -> float:
        raise ActuatorFault("forbidden", True)

    events = played(Script(fail, stands=4.0), move(2.0))
    draining = [(e.endpoint, e.draining) for e in events if isinstance(e, EndpointDraining)]
    assert draining[:2] == [(3, True), (2, True)]
    assert sorted(draining[2:]) == [(2, False), (3, False)]


def test_at_the_start_the_fleet_is_matched_to_what_runs() -> None:
    events = played(Script(stands=2.0))
    assert [e.endpoint for e in events if isinstance(e, EndpointDraining)] == [3, 2]


def test_without_a_driver_the_governor_is_told_so() -> None:
    events = played(Script(), move(0.8, actuator="pool.clock"))
    (told,) = [one for one in events if isinstance(one, Actuated)]
    assert "nothing is configured" in told.fault


def test_parking_needs_no_driver() -> None:
    events = played(Script(), move(3.0, "chat-0", actuator="pool.active"))
    assert EndpointDraining(5.0, 0, True) in events
    assert Actuated(5.0, "pool.active", "chat", 3.0) in events
