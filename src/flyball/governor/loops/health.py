"""Which endpoints may be tried again? (The loop of health: circuits whose time is up.)"""

from flyball.governor.commands import Command
from flyball.governor.state import State
from flyball.model.loop import Loop
from flyball.units import Seconds

HEALTH = Loop(
    name="health",
    sensor="attempt outcomes per endpoint",
    actuator="endpoint.blocked",
    objective="no work lost at endpoints that fail",
    period_s=1.0,
)


def reopen(state: State, at: Seconds, out: list[Command]) -> None:
    """Open what has served its time: at once if it was only busy, for one trial if it failed."""
    for endpoint in state.view.endpoints:
        if not state.view.blocked[endpoint.index] or at < endpoint.circuit_until:
            continue
        if endpoint.circuit_open_s > 0.0:
            endpoint.allow_probe = True
            state.health_changed(at, endpoint.index, "circuit half open: one trial", out)
        else:
            state.health_changed(at, endpoint.index, "no longer busy", out)
