"""Which set-points move this period, how far, and which loops must stand still?

Each loop of `Policy.loops` is asked when it is due. Its wish is approached under its dead band, its
rate limit and the gain that its delay and the foreign loops leave; enforced (`Set`), or only shown
(`Advise`), as its mode says. A loop stands still by itself while the view is stale, while plans
fail their certificate, or after the plant answered its moves unlike its model; it goes on from
where the actuator stands, with little gain at first.
"""

from flyball.governor.commands import Advise, Command, Notice, Record, Set
from flyball.governor.loops.gain import gain_cap
from flyball.governor.loops.health import HEALTH, reopen
from flyball.governor.loops.registry import PERIOD_LOOPS, Entry
from flyball.governor.loops.setpoint import SetPoint, Wish
from flyball.governor.loops.steering import LoopContext
from flyball.governor.state import State
from flyball.model.loop import LoopMode
from flyball.units import Seconds

PLANS_REFUSED_MAX = 3
# How long a loop stands still after its model was contradicted, in periods, before it tries again.
CONTRADICTED_PERIODS = 20
ROUNDING = 1e-9


def steer(state: State, at: Seconds, out: list[Command]) -> None:
    """Health first, in every process; the other loops where the plan is made."""
    if state.modes.effective(HEALTH.name, at) != "observe" or state.policy.mode == "observe":
        reopen(state, at, out)
    if state.policy.role == "worker" or not state.policy.loops:
        return
    if state.contexts_generation != state.generation:
        _begin(state)
    for context in state.contexts:
        if at >= context.due_at - ROUNDING:
            _turn(state, context, at, out)


def _begin(state: State) -> None:
    """The loops of a new configuration; what their set-points are is kept by name."""
    state.contexts_generation = state.generation
    state.contexts = tuple(
        LoopContext(PERIOD_LOOPS[policy.name].loop, policy, PERIOD_LOOPS[policy.name].horizon_s)
        for policy in state.policy.loops
        if policy.name in PERIOD_LOOPS
    )


def _turn(state: State, context: LoopContext, at: Seconds, out: list[Command]) -> None:
    """One loop's period."""
    name = context.loop.name
    entry: Entry = PERIOD_LOOPS[name]
    trouble = _trouble(state, context, at)
    if state.modes.fall_back(name, trouble):
        _tell_fall_back(state, name, trouble, at, out)
    mode = state.modes.effective(name, at)
    if mode == "enforce":
        mode = entry.loop.mode
    period_s = context.loop.period_s
    elapsed_s = min(at - context.looked_at, 2.0 * period_s)
    context.looked_at, context.due_at = at, at + period_s
    for wish in entry.wishes(state, context):
        _move(state, context, wish, mode, elapsed_s, at, out)


def _trouble(state: State, context: LoopContext, at: Seconds) -> str:
    """Why the loop must not act by what it sees; "" = it may."""
    state.view.audit_trust(at)
    if state.view.untrusted == "stale":
        counted = f"{state.view.stale_count} of {state.view.audited_count}"
        return f"{counted} endpoints have stale metrics"
    if state.plans_refused >= PLANS_REFUSED_MAX:
        return f"the last {state.plans_refused} plans failed their certificate"
    return context.contradiction if at < context.contradicted_until else ""


def _tell_fall_back(state: State, name: str, trouble: str, at: Seconds, out: list[Command]) -> None:
    old, new = ("acting", "standing") if trouble else ("standing", "acting")
    reason = trouble or "what kept it from acting is over"
    out.append(Record(state.action(at, name, "loop.fallback", name, old, new, reason, "observe")))
    level, code = ("warning", "loop-fell-back") if trouble else ("info", "loop-resumed")
    out.append(Notice(level, code, f"{name}: {reason}"))


def _move(
    state: State,
    context: LoopContext,
    wish: Wish,
    mode: LoopMode,
    elapsed_s: Seconds,
    at: Seconds,
    out: list[Command],
) -> None:
    """Bring one set-point nearer to its wish, or only say so."""
    loop = context.loop
    point = state.setpoints.of(loop.actuator, wish.scope, wish.present, at)
    point.response.look(at, wish.reading)
    contradiction = point.response.contradiction()
    if contradiction:
        context.contradict(
            f"{wish.scope}: {contradiction}", at + CONTRADICTED_PERIODS * loop.period_s
        )
        point.response.forget()
    gain = gain_cap(loop, wish.scope, state.policy.foreign_loops)
    reason = wish.reason
    if mode == "enforce" and gain <= 0.0 and not _is_limit(wish):
        mode, reason = "advise", f"a foreign loop leaves it no gain; {reason}"
    if mode != "enforce":
        point.rest()
        _show(state, context, point, wish, mode, reason, at, out)
        return
    before = point.present
    value = point.approach(loop, wish, gain, elapsed_s)
    _show(state, context, point, wish, mode, reason, at, out)
    if abs(value - before) <= ROUNDING:
        return
    point.present, point.moved_at = value, at
    targets = wish.targets if value < before else ()
    step = round(before - value) if loop.is_whole else len(targets)
    out.append(Set(loop.name, loop.actuator, wish.scope, value, targets[:step]))
    action = state.action(
        at, loop.name, loop.actuator, wish.scope, f"{before:g}", f"{value:g}", reason, mode
    )
    out.append(Record(action))
    if wish.slope:
        expected = wish.slope * (value - before)
        point.response.moved(at, expected, wish.reading, loop.delay_s + loop.period_s)


def _is_limit(wish: Wish) -> bool:
    """A hard limit is kept whoever else moves the actuator."""
    return wish.is_urgent


def _show(
    state: State,
    context: LoopContext,
    point: SetPoint,
    wish: Wish,
    mode: LoopMode,
    reason: str,
    at: Seconds,
    out: list[Command],
) -> None:
    """Let operators see the wish, when it, its mode or the set-point changed."""
    loop = context.loop
    wanted = min(loop.limit_high, max(loop.limit_low, wish.value))
    shown = (wanted, point.present, mode)
    if point.shown == shown:
        return
    is_new = point.shown is None or point.shown[0] != wanted
    point.shown = shown
    targets = wish.targets if wanted < point.present else ()
    out.append(
        Advise(
            at, loop.name, loop.actuator, wish.scope, point.present, wanted, mode, reason, targets
        )
    )
    if mode == "enforce" or not is_new or abs(wanted - point.present) <= ROUNDING:
        return
    old, new = f"{point.present:g}", f"{wanted:g}"
    action = state.action(at, loop.name, loop.actuator, wish.scope, old, new, reason, mode)
    out.append(Record(action))
    if mode == "advise":
        text = f"{loop.name}: {loop.actuator} of {wish.scope} from {old} to {new}: {reason}"
        out.append(Notice("info", "loop-advice", text))
