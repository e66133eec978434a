"""Is something wrong with the view itself, and are the fleet's loops about to lose it?

The first is asked in every period, the second at each look (`diagnosis.interval_s`): the row of
signals is closed, the findings are judged, and those that stood for `TOLD_AFTER` looks are told
once, until they were gone for `GONE_AFTER`.
"""

from flyball.diagnosis.codes.codes import level_of
from flyball.diagnosis.finding import Finding
from flyball.governor.commands import Command, Diagnosed, Notice, Record
from flyball.governor.period import signs
from flyball.governor.period.drifting import drift
from flyball.governor.period.findings import look
from flyball.governor.period.respond import respond
from flyball.governor.state import State
from flyball.model.acts import FindingSet
from flyball.units import Seconds

TOLD_AFTER, GONE_AFTER = 2, 6
FINDINGS_MAX = 256


def diagnose(state: State, at: Seconds, out: list[Command]) -> None:
    """Tell the operator once when the argmin is no longer believed, and once when it is again;
    then look at the loops, when a look is due."""
    _trust(state, at, out)
    watching, rules = state.watching, state.policy.diagnosis
    watching.is_on = rules.mode != "off"
    if not watching.is_on:
        return
    if watching.generation != state.generation:
        signs.begin(state)
        watching.looked_at, watching.due_at = at, at + rules.interval_s
    drift(state, at)
    # A tick that comes a little early is the one meant: the next would be a whole period late.
    if at < watching.due_at - 0.5 * min(state.policy.tick_s, rules.interval_s):
        return
    watching.rows.append(signs.row(state, at))
    watching.looked_at = at
    watching.due_at = max(watching.due_at, at - 0.5 * rules.interval_s) + rules.interval_s
    seen = look(state, at)
    watching.margins, watching.missing = seen.margins, seen.missing
    _settle(state, at, seen.wanted, out)
    respond(state, at, out)
    out.append(
        Diagnosed(
            at,
            tuple(watching.standing.values()),
            watching.margins,
            watching.missing,
            tuple(watching.held.items()),
        )
    )


def _trust(state: State, at: Seconds, out: list[Command]) -> None:
    view = state.view
    view.audit_trust(at)
    untrusted = view.untrusted
    counts = {"stale": view.stale_count, "mispredicted": view.mispredicted_count}
    what = {"stale": "have stale metrics", "mispredicted": "are mispredicted", "": ""}[untrusted]
    cause = f"{counts.get(untrusted, 0)} of {view.audited_count} endpoints {what}" if what else ""
    if bool(cause) == state.distrusting:
        return
    state.distrusting = bool(cause)
    if cause:
        text = f"{cause}: placing by weighted least-request until the view can be believed"
        out.append(Notice("warning", "view-distrusted", text))
    else:
        out.append(Notice("info", "view-trusted", "placing by price again"))


def _settle(state: State, at: Seconds, wanted: dict[str, Finding], out: list[Command]) -> None:
    """Tell what has stood for long enough, and what is gone; keep the numbers of what stands."""
    watching = state.watching
    for key in [*watching.seen]:
        if key in wanted:
            continue
        watching.unseen[key] = watching.unseen.get(key, 0) + 1
        is_told = key in watching.standing
        if not is_told or watching.unseen[key] >= GONE_AFTER:
            del watching.seen[key], watching.unseen[key]
            if is_told:
                _tell(state, at, watching.standing.pop(key), False, out)
    for key, found in wanted.items():
        if key not in watching.seen and len(watching.seen) >= FINDINGS_MAX:
            continue
        watching.unseen.pop(key, None)
        watching.seen[key] = watching.seen.get(key, 0) + 1
        if key in watching.standing:
            watching.standing[key] = found
        elif watching.seen[key] >= TOLD_AFTER:
            watching.standing[key] = found
            _tell(state, at, found, True, out)


def _tell(state: State, at: Seconds, found: Finding, stands: bool, out: list[Command]) -> None:
    """A record, and a line for the operator unless diagnosis only observes."""
    record = FindingSet(
        id=state.record_id("finding"),
        at=at,
        code=found.code,
        level=level_of(found),
        stands=stands,
        loops=found.loops,
        scope=found.scope,
        summary=found.summary,
        confidence=found.confidence,
        evidence=tuple((one.what, one.value, one.limit) for one in found.evidence),
        lead_s=found.lead_s,
    )
    out.append(Record(record))
    if state.policy.diagnosis.mode == "observe":
        return
    if stands:
        text = f"{found.code} {found.summary}; next: {found.next_step}"
        out.append(Notice("warning", "finding", text))
    else:
        out.append(Notice("info", "finding-gone", f"{found.code} {found.summary}"))
