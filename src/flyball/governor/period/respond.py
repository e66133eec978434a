"""What does the governor do by itself about a finding that stands?

Only in mode enforce, only with its own loops, and only what takes freedom away: the set-points of
the loop that the finding names are held where they stand, and let go when the finding is gone. What
a person holds is left alone, and safety loops are never held. A lack of room holds the loop that
takes capacity away, not the one that brings it.
"""

from flyball.diagnosis.finding import Finding
from flyball.governor.commands import Command, Record
from flyball.governor.loops.modes import SAFETY
from flyball.governor.loops.registry import PERIOD_LOOPS, REQUEST_LOOPS
from flyball.governor.state import State
from flyball.model.decision import LoopAction
from flyball.units import Seconds

WHO = "diagnosis"
# Loops together unstable, a gain that turned, cuts that no longer save: hold the first of ours.
HELD_BY_NAME = frozenset({"FB-104", "FB-107", "FB-108", "FB-503"})
# Too little room: hold what takes replicas out of service.
HELD_FOR_ROOM = {"FB-509": ("consolidation",)}


def respond(state: State, at: Seconds, out: list[Command]) -> None:
    """Begin and end holds, so that they are those that the standing findings ask for."""
    watching, modes = state.watching, state.modes
    wanted: dict[str, Finding] = {}
    if state.policy.diagnosis.mode == "enforce":
        for found in watching.standing.values():
            for name in _named(state, found):
                wanted.setdefault(name, found)
    for name in [*watching.held]:
        hold = modes.hold_of(name, at)
        is_ours = hold is not None and hold.who == WHO
        if name not in wanted or not is_ours:
            code = watching.held.pop(name)
            if is_ours:
                modes.release(name)
                out.append(Record(_action(state, at, name, code, False, "the finding is gone")))
    for name, found in wanted.items():
        if name in watching.held or modes.hold_of(name, at) is not None:
            continue
        watching.held[name] = found.code
        modes.hold(name, None, f"{found.code}: {found.summary}", WHO)
        out.append(Record(_action(state, at, name, found.code, True, found.summary)))


def _named(state: State, found: Finding) -> tuple[str, ...]:
    """Which of our loops that act it asks to be held."""
    named = {one.name for one in state.policy.loops} | set(REQUEST_LOOPS)
    ours = [
        name
        for name in (*found.loops, *HELD_FOR_ROOM.get(found.code, ()))
        if name in named
        and name not in SAFETY
        and (name in PERIOD_LOOPS or name in REQUEST_LOOPS)
        and state.modes.set_mode(name) == "enforce"
    ]
    if found.code in HELD_BY_NAME:
        return tuple(name for name in ours if name in found.loops)[:1]
    return tuple(name for name in ours if name in HELD_FOR_ROOM.get(found.code, ()))


def _action(state: State, at: Seconds, name: str, code: str, is_held: bool, why: str) -> LoopAction:
    old, new = ("free", "held") if is_held else ("held", "free")
    mode = state.modes.effective(name, at)
    return state.action(at, name, "loop.hold", name, old, new, f"{WHO}: {code}: {why}", mode)
