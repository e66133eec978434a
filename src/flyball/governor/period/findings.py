"""What do the last rows of signals show: which margins, which findings, and what could not be seen?

No model of the plant is fitted here: a live fleet has other pools and loops than the fluid twin.
Margins come from the plan's own figures, from counts of retries, and from the context loop's
randomised arms; conflicts from the registry of own and foreign loops, looked through once per
change; drift from the standard streams, minute by minute.
"""

from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from flyball.diagnosis.codes.codes import finding, level_of
from flyball.diagnosis.finding import Evidence, Finding
from flyball.diagnosis.margins import livegain
from flyball.diagnosis.topology import topology
from flyball.diagnosis.topology.graph import LoopGraph, Member, member_of, member_of_foreign, merge
from flyball.diagnosis.topology.known import known_effects
from flyball.governor.loops.context import CONTEXT, Z
from flyball.governor.loops.registry import PERIOD_LOOPS, REQUEST_LOOPS
from flyball.governor.loops.retry import RETRY
from flyball.governor.loops.steering import bounded
from flyball.governor.period.margin import margin
from flyball.governor.state import State
from flyball.model.loop import Loop, LoopMode
from flyball.pricing.step import GAIN_SHARE_MAX
from flyball.units import Seconds

# Looks of which retries are counted: ten minutes at the usual interval.
RETRY_ROWS = 60
# As in `diagnosis.watch`: the gain of spend over context, three standard errors below.
CONTEXT_GAIN_MIN, CONTEXT_ERRORS = 0.93, 3.0
CONTEXT_WHAT = "gain of spend over context, randomised"
TWIN = "margins of each loop's gain: the fluid twin knows two pools and four loops"


class Look(Struct, frozen=True, kw_only=True):
    """What one look shows: every margin with the loop (or pool) it is of, findings by key, and
    each signal that is missing with what it would unlock."""

    margins: tuple[tuple[str, Evidence], ...]
    wanted: dict[str, Finding]
    missing: tuple[str, ...]


def look(state: State, at: Seconds) -> Look:
    """Judge the rows there are."""
    margins: list[tuple[str, Evidence]] = []
    wanted: dict[str, Finding] = {}
    missing: list[str] = [TWIN]
    for part in (_load, _retries, _context):
        for name, evidence, found in part(state, at):
            if evidence is None:
                missing.append(name)
                continue
            margins.append((name, evidence))
            if found is not None:
                wanted[f"{found.code} {found.scope}"] = found
    for found in _fights(state, at):
        wanted[f"{found.code} {','.join(found.loops)} {found.scope}"] = found
    for found in state.watching.drifts:
        wanted[f"{found.code} {found.scope}"] = found
    return Look(margins=tuple(margins), wanted=wanted, missing=tuple(missing))


Shown = Iterator[tuple[str, Evidence | None, Finding | None]]


def _load(state: State, at: Seconds) -> Shown:
    """FB-509: how much more load the plan's pools can take."""
    found = margin(state)
    if found is None:
        yield "load margin: a plan, and four looks with demand", None, None
        return
    evidence, told = found.evidence, None
    if evidence.limit is not None and evidence.value <= evidence.limit:
        loops = (_retrying(state), *_givers(state, found.pool))
        width = Evidence(what="how exact the plan's factor is, high / low", value=found.width)
        told = finding(
            "FB-509",
            at=at,
            loops=loops,
            actuators=(_actuator(state, name) for name in loops),
            evidence=(evidence, width),
            confidence=found.below,
            scope=found.pool,
            summary=f"{loops[0]}: there is room for {evidence.value:.2f} times today's demand at "
            f"{found.pool} and all that could stand in for it",
        )
        told = replace(told, lead_s=found.lead_s)
    yield found.pool, evidence, told


def _retrying(state: State) -> str:
    """Who feeds load back where answers fail: the clients' loop that the fleet file declares, else
    ours, which keeps it in bounds."""
    named = (one.name for one in state.policy.foreign_loops if one.law == "sdk-retry")
    return next(named, RETRY.name)


def _givers(state: State, pool: str) -> list[str]:
    """Loops that could bring more capacity there."""
    return [
        policy.name
        for policy in state.policy.loops
        if policy.name in ("autoscaling", "residency")
        and (not policy.scopes or pool in policy.scopes)
    ]


def _actuator(state: State, name: str) -> str:
    loop = _declared(name)
    if loop is not None:
        return loop.actuator
    return next((one.actuator for one in state.policy.foreign_loops if one.name == name), "")


def _declared(name: str) -> Loop | None:
    entry = PERIOD_LOOPS.get(name)
    return entry.loop if entry is not None else REQUEST_LOOPS.get(name)


def _retries(state: State, at: Seconds) -> Shown:
    """FB-510: whether a failed attempt brings more than half of one again."""
    watching = state.watching
    names = ("plant.attempts_per_s", "plant.failed_per_s", "plant.retries_per_s")
    places = [watching.names.index(name) for name in names]
    per_look = max(state.policy.diagnosis.interval_s, state.policy.tick_s)
    recent = list(watching.rows)[-RETRY_ROWS:]
    attempts, failed, again = (
        np.array([row[place] * per_look for row in recent]) for place in places
    )
    name = _retrying(state)
    shown = [
        one
        for one in (
            livegain.average(attempts, again),
            livegain.marginal(attempts, failed, again),
        )
        if one is not None
    ]
    if not shown:
        yield "retry gain: a hundred attempts within the last looks", None, None
        return
    first = max(shown, key=lambda one: one.low or 0.0)
    told = None
    if (first.low or 0.0) > livegain.LIMIT:
        told = finding(
            "FB-510",
            at=at,
            loops=(name,),
            actuators=(_actuator(state, name),),
            evidence=(first, *(one for one in shown if one is not first)),
            confidence=0.99,
            summary=f"{name}: each attempt more brings {first.value:.2f} again",
        )
    yield name, first, told


def _context(state: State, at: Seconds) -> Shown:
    """FB-503: what one more cut of context does to spend, by the loop's randomised arms."""
    if state.policy.role == "control" and state.context_loops:
        yield "context gain: its arms are counted by the workers, each for itself", None, None
        return
    for name, loop in state.context_loops.items():
        effect = loop.effect()
        error = (effect.gain - effect.gain_low) / Z
        if not error < float("inf"):
            yield f"context gain of class {name}: answered probes of both arms", None, None
            continue
        high = effect.gain + CONTEXT_ERRORS * error
        evidence = Evidence(
            what=CONTEXT_WHAT,
            value=effect.gain,
            low=effect.gain - CONTEXT_ERRORS * error,
            high=high,
            limit=CONTEXT_GAIN_MIN,
        )
        told = None
        if high < CONTEXT_GAIN_MIN:
            told = finding(
                "FB-503",
                at=at,
                loops=(CONTEXT.name, RETRY.name),
                actuators=(CONTEXT.actuator,),
                evidence=(evidence,),
                confidence=0.99,
                scope=name,
                summary=f"{CONTEXT.name}: what is cut of {name} comes back as retries",
            )
        yield f"{CONTEXT.name}@{name}", evidence, told


def _fights(state: State, at: Seconds) -> tuple[Finding, ...]:
    """Conflicts among own and foreign loops; looked through anew only where the registry, a mode
    or a set-point's standing at its limit changed."""
    watching = state.watching
    members = _members(state)
    key = (state.generation, tuple((one.name, one.is_acting, _is_at_limit(one)) for one in members))
    if key != watching.fights_key:
        watching.fights_key = key
        graph = merge([LoopGraph(members=tuple(members)), known_effects()])
        found = topology.topology(graph, at)
        watching.fights = tuple(one for one in found if level_of(one) != "note")
    return watching.fights


def _members(state: State) -> list[Member]:
    members: list[Member] = []
    for policy in state.policy.loops:
        declared = _declared(policy.name)
        if declared is None:
            continue
        mode: LoopMode = state.modes.set_mode(policy.name)
        loop = replace(bounded(declared, policy), mode=mode)
        guard = 1.0 / GAIN_SHARE_MAX if declared.feedback > 0.0 else float("inf")
        for scope in policy.scopes or ("",):
            member = member_of(loop, scope, guard)
            point = state.setpoints.find(loop.actuator, scope)
            members.append(replace(member, value=point.present) if point is not None else member)
    return [*members, *(member_of_foreign(one) for one in state.policy.foreign_loops)]


def _is_at_limit(member: Member) -> bool:
    low, high, value = member.limit_low, member.limit_high, member.value
    if value is None:
        return False
    return (low is not None and value <= low) or (high is not None and value >= high)
