"""What did an operator set, freeze or let go, and what does an actuator say of itself?

Each of the operator's acts is a record of its own: who, what, why, until when. The process that
makes the plan writes it; workers only obey.
"""

from flyball.governor.commands import Command, Notice, Record
from flyball.governor.events import Actuated, HoldSet, LoopModeSet, Metered
from flyball.governor.state import State

EVERY_LOOP = "all"
METERS_MAX = 16_384


def mode_set(state: State, event: LoopModeSet, out: list[Command]) -> None:
    """A loop's mode changes while it runs."""
    modes = state.modes
    old = modes.set_mode(event.loop)
    modes.set_by_operator(event.loop, event.mode)
    new = modes.set_mode(event.loop)
    if old != new and state.policy.role != "worker":
        said = _said(event.who, event.reason)
        loop = event.loop
        act = state.action(event.at, loop, "loop.mode", loop, old, new, said, new)
        out.append(Record(act))


def hold_set(state: State, event: HoldSet, out: list[Command]) -> None:
    """Set-points are frozen, or go on from where they stand."""
    modes = state.modes
    if event.is_held:
        modes.hold(event.loop, event.until, event.reason, event.who)
    else:
        modes.release(event.loop)
    if state.policy.role == "worker":
        return
    old, new = ("free", "held") if event.is_held else ("held", "free")
    said = _said(event.who, event.reason)
    if event.is_held and event.until is not None:
        said += f", for {max(0.0, event.until - event.at):g} s"
    loop = event.loop or EVERY_LOOP
    mode = modes.effective(event.loop, event.at)
    out.append(Record(state.action(event.at, loop, "loop.hold", loop, old, new, said, mode)))


def actuated(state: State, event: Actuated, out: list[Command]) -> None:
    """The actuator stands there: the loop goes on from that, whoever moved it."""
    point = state.setpoints.of(event.actuator, event.scope, event.value, event.at)
    point.stands(event.value)
    if event.fault and event.fault != point.fault:
        text = f"{event.actuator} of {event.scope} stays at {event.value:g}: {event.fault}"
        out.append(Notice("warning", "actuator-failed", text))
    point.fault = event.fault


def metered(state: State, event: Metered) -> None:
    """Keep the last reading of that sensor; beyond the bound no new one is taken."""
    key = (event.sensor, event.scope)
    if key in state.meters or len(state.meters) < METERS_MAX:
        state.meters[key] = (event.at, event.value)


def _said(who: str, reason: str) -> str:
    return f"{who or 'an operator'}: {reason or 'no reason given'}"
