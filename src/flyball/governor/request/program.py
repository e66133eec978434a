"""May this step of an agent's session go on, and may a new session begin?

An agent's session is a program: half of it is worth nothing. So whether there is room is asked at
its first step, which may wait in line; later steps are placed late rather than refused. There is
room for one more session while the contexts of those under way fit the fleet's KV (beyond it each
evicts the other's, and all prompts are computed anew) and steps under way are not placed late.

A session that has used up its budget, or goes round in circles, is told so in words that the
agent's model can act on.
"""

from math import log

from flyball.governor.commands import Command, Notice, Record
from flyball.governor.flight import Flight
from flyball.governor.programs import LINE_MAX, RATE_MEMORY_S, ClassPrograms, Program
from flyball.governor.state import State
from flyball.model.decision import LoopAction
from flyball.model.faults import Refusal
from flyball.model.request import SessionBudget, SessionRules
from flyball.units import Seconds, Tokens, Usd

LATE_SHARE_MAX = 0.25
CALM = 0.99
EXTRA_S: Seconds = 4.0
# The head of the line is priced no more often than this.
KNOCK_S: Seconds = 0.05
RETRY_AFTER_S_MIN, RETRY_AFTER_S_MAX = 1.0, 60.0
NO_BUDGET = SessionBudget()


def enter(state: State, flight: Flight, at: Seconds, out: list[Command]) -> Refusal | None:
    """Join the call to its session; refuse what is over budget, in a loop, or finds no room.

    A first step that has to wait gets `held_until`; `join_line` takes it then.
    """
    group = state.programs.by_class[flight.klass.name]
    program = group.find(flight.session, at)
    wish = flight.head.session_budget
    refusal = None
    if group.is_limited or wish is not None:
        refusal = _over_budget(wish or NO_BUDGET, group.rules, program, at)
    if refusal is None and group.rules.runaway != "off":
        refusal = _runaway(state, flight, group, program, at, out)
    if refusal is not None:
        return refusal
    flight.program = program
    flight.session_step = program.done + 1
    flight.session_left = group.survival.left(program.done)
    flight.value_usd = group.step_value(program.done, flight.session_left)
    group.note_step(program, at)
    if program.is_admitted or state.policy.mode == "observe":
        return None
    flight.bid_usd = group.value_usd
    if not group.line and _has_room(state, flight, group, at):
        return None
    if len(group.line) >= min(LINE_MAX, state.policy.resilience.held_max):
        return _full(group, group.wait_s())
    flight.held_until = min(at + group.rules.wait_s_max, flight.deadline_at)
    return None


def join_line(state: State, flight: Flight) -> None:
    """It waits for room, behind those of its class that came before.

    One that has waited in vain and comes again goes to the front: it has come before all of them.
    """
    line, program = state.programs.by_class[flight.klass.name].line, flight.program
    if program is not None and program.has_waited:
        line.appendleft(flight.request_id)
    else:
        line.append(flight.request_id)


def knock(state: State, at: Seconds) -> Flight | None:
    """Who may try to begin now: the head of a line, of those with room the most worth its context.

    It stays in line until `leave_line`.
    """
    programs = state.programs
    if at < programs.knock_at:
        return None
    programs.knock_at = at + KNOCK_S
    for group in sorted(programs.by_class.values(), key=lambda group: -group.density()):
        line = group.line
        while line and line[0] not in state.flights:
            line.popleft()
        if line:
            flight = state.flights[line[0]]
            if _has_room(state, flight, group, at):
                return flight
    return None


def leave_line(state: State, flight: Flight) -> None:
    """The head of its line has been answered; the next may knock at once."""
    state.programs.by_class[flight.klass.name].line.popleft()
    state.programs.knock_at = 0.0


def placed(state: State, flight: Flight, at: Seconds, usd: Usd) -> None:
    """An attempt of a step is under way, at that price of resources."""
    program = flight.program
    if program is None:
        return
    program.spend(at, usd)
    if flight.attempt > 1:
        return
    program.in_flight += 1
    state.programs.kv_running += flight.prompt_tokens
    group = state.programs.by_class.get(flight.klass.name)
    if program.is_admitted:
        state.programs.note_placed(bool(flight.advice))
    elif group is not None:
        program.asked_at = state.programs.extra_at = at
        group.admit(program, flight.prompt_tokens)


def closed(
    state: State, flight: Flight, at: Seconds, is_good: bool, prompt: Tokens, answer: Tokens
) -> None:
    """A step came to its end; token counts as the engine told, 0 = it did not."""
    program = flight.program
    if program is None or not flight.attempt:
        return
    program.in_flight -= 1
    state.programs.kv_running -= flight.prompt_tokens
    program.seen_at = at
    prompt = prompt or flight.prompt_tokens
    program.tokens += prompt + answer
    group = state.programs.by_class.get(flight.klass.name)
    if group is None:  # the class has lost its sessions meanwhile
        return
    if program.key in group.live:
        group.live.move_to_end(program.key)
    if is_good:
        program.done += 1
        group.note_context(program, prompt + answer)


def no_room(state: State, flight: Flight) -> Refusal | None:
    """The answer to a first step that has waited in vain; None for any other request."""
    group = state.programs.by_class.get(flight.klass.name)
    if group is None or flight.program is None or flight.program.is_admitted:
        return None
    flight.program.has_waited = True
    return _full(group, group.wait_s())


def _has_room(state: State, flight: Flight, group: ClassPrograms, at: Seconds) -> bool:
    """Whether its context fits beside those of its class and of worthier ones, also to come.

    Nested limits, as booking limits of fares are (Littlewood 1972; Belobaba 1989): a class worth
    less per token and second never fills what a worthier one wants. Full KV costs only time to
    compute prompts anew: while all classes are in time, that is tried, one session at a time.
    """
    programs, workers = state.programs, state.policy.workers
    if programs.late_share > LATE_SHARE_MAX:
        return False
    before = programs.context_before(group)
    if not before:
        return True
    wanted = max(float(flight.prompt_tokens), group.context_mean)
    taken = workers * before + wanted
    if taken <= group.rules.kv_ratio_max * _kv_open(state, flight):
        return True
    return programs.in_time_share >= CALM and at - programs.extra_at >= EXTRA_S


def _kv_open(state: State, flight: Flight) -> float:
    """KV tokens where it may run now, less what runs there for requests outside sessions."""
    blocked, reasons = state.view.blocked, flight.scope.reasons
    size = running = 0.0
    for endpoint in state.view.endpoints:
        if not reasons[endpoint.index] and not blocked[endpoint.index]:
            size += endpoint.kv_max
            running += (endpoint.kv + endpoint.peer_kv) * endpoint.kv_share
    return size - max(0.0, running - state.policy.workers * state.programs.kv_running)


def _full(group: ClassPrograms, wait_s: Seconds) -> Refusal:
    detail = (
        f"{len(group.live)} sessions of class {group.name} are under way, {len(group.line)} wait; "
        f"room is expected in about {wait_s:.0f} s"
    )
    after_s = min(RETRY_AFTER_S_MAX, max(RETRY_AFTER_S_MIN, wait_s))
    return Refusal(code="sessions_full", detail=detail, retry_after_s=after_s)


def _least(own: float, wish: float) -> float:
    """The lower of two limits, where 0 = no limit."""
    return min(own, wish) if own and wish else own or wish


def _over_budget(
    wish: SessionBudget, rules: SessionRules, program: Program, at: Seconds
) -> Refusal | None:
    """Whether one of its budgets is used up, or money goes too fast."""
    for what, used, limit in (
        ("calls", program.done + program.in_flight, _least(rules.steps_max, wish.steps)),
        ("tokens", program.tokens, _least(rules.tokens_max, wish.tokens)),
        ("USD", program.usd, _least(rules.usd_max, wish.usd)),
        ("s since its first call", at - program.begun_at, _least(rules.wall_s_max, wish.wall_s)),
    ):
        if limit and used >= limit:
            detail = f"{_figure(used)} of {_figure(limit)} {what}"
            return Refusal(code="session_budget_spent", detail=detail)
    limit = rules.usd_per_minute_max
    rate = program.rate(at) if limit else 0.0
    if rate <= limit:
        return None
    detail = f"{rate:.4g} USD in the last minute, {limit:.4g} allowed"
    after_s = max(RETRY_AFTER_S_MIN, RATE_MEMORY_S * log(rate / limit))
    return Refusal(code="session_too_fast", detail=detail, retry_after_s=after_s)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.4g}"


def _runaway(
    state: State,
    flight: Flight,
    group: ClassPrograms,
    program: Program,
    at: Seconds,
    out: list[Command],
) -> Refusal | None:
    """Watch the call; refuse it if its session goes round in circles and it brings nothing new."""
    rules, watch = group.rules, program.watch
    if not flight.is_retry:
        if watch.is_moving:
            program.stale_tokens, program.stale_usd = program.tokens, program.usd
        watch.step(flight.head, not program.in_flight)
        if program.stopped and watch.is_moving and not watch.cycles:
            program.stopped = ""
    if not program.stopped:
        # Beyond what hardly any session takes, or after a stop, less is needed to be sure.
        is_doubtful = bool(program.stops) or program.done > group.survival.tail
        repeats_max = max(3, rules.repeats_max // 2) if is_doubtful else rules.repeats_max
        why = watch.why(repeats_max, rules.compactions_max)
        if not why:
            return None
        detail = _evidence(program, group, why)
        if rules.runaway == "stop":
            program.stopped = detail
            program.stops += 1
        _tell(state, program, rules.runaway, why, detail, at, out)
    if state.policy.mode == "enforce" and program.stopped:
        return Refusal(code="session_runaway", detail=program.stopped)
    return None


def _evidence(program: Program, group: ClassPrograms, why: str) -> str:
    """What repeats, how often, what it cost."""
    watch = program.watch
    tokens, usd = program.tokens - program.stale_tokens, program.usd - program.stale_usd
    if why == "compactions":
        what = (
            f"its context was filled to about {watch.peak_bytes // 1024} KiB and thrown away "
            f"{watch.cycles} times in a row, after {watch.cycle_steps} calls each"
        )
        tokens, usd = program.tokens, program.usd
    elif why == "no progress":
        what = (
            f"the last {watch.stale_growing} calls brought back only results seen before, while "
            f"the context grew to {watch.context_bytes // 1024} KiB"
        )
    elif watch.same:
        what = f"the same prompt was sent {watch.same} times in a row after it was answered"
    else:
        what = (
            f"the last {watch.stale} calls repeated earlier ones, with the same tool call and the "
            "same result"
        )
    cost = f"that cost {tokens:,} tokens and {usd:.4f} USD"
    if program.done > group.survival.tail:
        cost += f"; it has taken {program.done} calls, more than 999 in 1,000 sessions of its class"
    return f"{what}; {cost}"


def _tell(
    state: State,
    program: Program,
    action: str,
    why: str,
    detail: str,
    at: Seconds,
    out: list[Command],
) -> None:
    """Once per session to the operator's log; each stop to the ledger."""
    if action == "stop":
        record = LoopAction(
            id=state.record_id("act"),
            at=at,
            loop="runaway",
            actuator="session.stopped",
            scope=program.key,
            old="running",
            new="stopped",
            reason=f"{why}: {detail}",
            mode=state.policy.mode,
        )
        out.append(Record(record))
    if not program.is_warned:
        program.is_warned = True
        text = f"session {program.key}: {detail}; action: {action}"
        out.append(Notice("warning", "session_runaway", text))
