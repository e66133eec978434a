"""Does a set-point take effect after its delay, and is the governor told where it stands?"""

from flyball.governor.commands import Command, Set
from flyball.governor.events import Actuated, EndpointDraining, Event
from flyball.sim.actuators import NO_ACTUATOR
from flyball.sim.run import World
from support.worlds import scenario, world

SCALED = {
    "fleet__pools__h100__replicas": 2,
    "autoscalers": {
        "h100": {"rule": "governor", "replicas_min": 1, "replicas_max": 4, "start_s": [10, 10]}
    },
    "policy__loops": [{"name": "residency", "scopes": ["h100"], "mode": "observe"}],
}


def played(*commands: Set, **changes: object) -> tuple[World, list[Event]]:
    """Set-points given one after the other at second 5, and what the core was told after it."""
    seen: list[Event] = []

    def tee(gateway: int, event: Event, out: list[Command]) -> None:
        if isinstance(event, Actuated | EndpointDraining) and event.at > 0.0:
            seen.append(event)

    made = world(scenario(**(SCALED | {"duration_s": 30} | changes)), tee=tee)

    def act(_: None) -> None:
        for command in commands:
            made.actuators.turn(0, command)

    made.clock.at(5.0, act)
    made.run("", None)
    return made, seen


def test_replicas_start_and_the_core_hears_of_both() -> None:
    made, seen = played(Set("x", "pool.replicas", "h100", 3.0))
    assert seen[0] == Actuated(6.0, "pool.replicas", "h100", 3.0)
    assert seen[1] == EndpointDraining(16.0, 2, False)
    assert made.actuators.moves == {"pool.replicas": 1}


def test_those_named_go_first_and_bounds_are_kept() -> None:
    _, seen = played(Set("x", "pool.replicas", "h100", 0.0, ("h100-0",)))
    assert seen == [
        EndpointDraining(6.0, 0, True),
        Actuated(6.0, "pool.replicas", "h100", 1.0),
    ]


def test_of_two_at_once_the_newest_counts() -> None:
    _, seen = played(Set("x", "pool.replicas", "h100", 4.0), Set("x", "pool.replicas", "h100", 2.0))
    assert seen == [Actuated(6.0, "pool.replicas", "h100", 2.0)]


def test_clocks_and_priorities_are_set() -> None:
    made, _ = played(
        Set("x", "pool.clock", "h100", 0.7), Set("x", "class.engine_priority", "chat", 3.0)
    )
    assert {r.clock_ratio for r in made.replicas if r.pool.name == "h100"} == {0.7}
    assert {r.clock_ratio for r in made.replicas if r.pool.name == "l40s"} == {1.0}
    assert made.driver.priorities == {"chat": 3}


def test_parked_replicas_stay_on_and_come_back() -> None:
    _, seen = played(Set("x", "pool.active", "h100", 1.0, ("h100-1",)))
    assert EndpointDraining(6.0, 1, True) in seen
    made, seen = played(
        Set("x", "pool.active", "h100", 1.0, ("h100-1",)), Set("y", "pool.clock", "h100", 1.0)
    )
    assert made.replicas[1].life == "ready"


def test_what_the_fleet_has_not_is_told() -> None:
    for command in (
        Set("x", "pool.speculation_tokens", "h100", 3.0),
        Set("x", "pool.replicas", "l40s", 3.0),
    ):
        _, seen = played(command)
        (told,) = seen
        assert isinstance(told, Actuated) and told.fault == NO_ACTUATOR
