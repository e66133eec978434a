"""Which allowances of requests move this period: the context a class keeps, retries counted?"""

from flyball.governor.commands import Advise, Command, Record
from flyball.governor.loops.context import CONTEXT, ContextLoop
from flyball.governor.state import State
from flyball.model.decision import LoopAction
from flyball.units import Seconds


def move(state: State, at: Seconds, out: list[Command]) -> None:
    """Let what was counted fade; move each class's share of context where its period is over."""
    state.retry_gain.tick(at)
    for name, loop in state.context_loops.items():
        if loop.is_due(at):
            _move_context(state, at, name, loop, out)


def _move_context(
    state: State, at: Seconds, name: str, loop: ContextLoop, out: list[Command]
) -> None:
    effect = loop.effect()
    wish, why = loop.wish(effect)
    mode = state.modes.effective(CONTEXT.name, at)
    loop.turn(at)
    if wish == loop.ratio:
        return
    if mode == "advise":
        out.append(Advise(at, CONTEXT.name, CONTEXT.actuator, name, loop.ratio, wish, mode, why))
    if mode != "enforce":
        return
    record = LoopAction(
        id=state.record_id("act"),
        at=at,
        loop=CONTEXT.name,
        actuator=CONTEXT.actuator,
        scope=name,
        old=f"{loop.ratio:.2f}",
        new=f"{wish:.2f}",
        reason=why,
        mode=mode,
    )
    loop.ratio = wish
    out.append(Record(record))
