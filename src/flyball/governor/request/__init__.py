"""The path of one request: identify → authorize → allow → pick (at the prices) → place → settle.

`arrive` walks the first five; what comes later (first byte, answer, failure) goes to `settle`.
Nothing here waits: a request that must wait is held, and `reconsider` walks `pick` again when room
may have come free.
"""

from flyball.governor.commands import Command, Hold
from flyball.governor.flight import Flight
from flyball.governor.loops.queue import urgency
from flyball.governor.loops.retry import RETRY, RETRY_AFTER_S, spread
from flyball.governor.request import program, quote
from flyball.governor.request.allow import allow
from flyball.governor.request.authorize import authorize
from flyball.governor.request.grant import bound_output, low_draw
from flyball.governor.request.identify import identify
from flyball.governor.request.permit import Permit, permit, where
from flyball.governor.request.pick import Choice, Wait, force, pick
from flyball.governor.request.place import place
from flyball.governor.request.settle import refused
from flyball.governor.request.tier import pick_tier
from flyball.governor.state import State
from flyball.model.faults import Refusal
from flyball.units import Seconds

# A held queue that is priced again in full costs more than it earns: stop after so many noes.
HELD_NOES_MAX = 8


def arrive(state: State, flight: Flight, at: Seconds, out: list[Command]) -> None:
    """One request, from its arrival to a Forward, a Hold or a Reject."""
    refusal = identify(state, flight, at)
    if refusal is None and flight.head.quote:
        refusal = quote.present(state, flight, at)
    refusal = refusal or authorize(state, flight, at, out) or allow(state, flight, at)
    if refusal is None and flight.head.quote:
        refusal = quote.cover(state, flight, out)
    if refusal is None and flight.is_retry and flight.guarantee is None:
        refusal = _feeding_itself(state, flight, at)
    if refusal:
        refused(state, flight, at, refusal, out)
        return
    if flight.klass.sessions is not None and flight.session:
        refusal = program.enter(state, flight, at, out)
        if refusal and state.policy.mode == "enforce":
            refused(state, flight, at, refusal, out)
            return
    if flight.class_index in state.grants:
        bound_output(flight)
    state.flights[flight.request_id] = flight
    if flight.party is not None:
        flight.party.flights.add(flight.request_id)
    if refusal:
        _observe(state, flight, at, refusal, out)
    elif flight.held_until:
        program.join_line(state, flight)
        out.append(Hold(flight.request_id, flight.held_until))
    else:
        decide(state, flight, at, out)


def _feeding_itself(state: State, flight: Flight, at: Seconds) -> Refusal | None:
    """Retries must stay below half of all attempts, whatever this one is worth; what has a
    guarantee was counted when that was given."""
    if flight.guarantee is not None or state.retry_gain.may_retry():
        return None
    if state.modes.effective(RETRY.name, at) != "enforce":
        return None
    wait_s = spread(RETRY_AFTER_S, low_draw(flight.draw))
    return Refusal(code="retry_budget_spent", retry_after_s=wait_s)


def decide(state: State, flight: Flight, at: Seconds, out: list[Command]) -> None:
    """Pick, then place, hold or refuse."""
    answer = pick_tier(state, flight, at)
    if isinstance(answer, Choice):
        go(state, flight, at, answer, out)
    elif state.policy.mode == "observe" and not flight.tried:
        _observe(state, flight, at, answer, out)
    elif isinstance(answer, Wait):
        flight.held_until = answer.until
        if flight.program is not None:
            program.join_line(state, flight)
        else:
            state.held.append(flight)
        out.append(Hold(flight.request_id, answer.until))
    else:
        refused(state, flight, at, answer, out)


def go(
    state: State, flight: Flight, at: Seconds, choice: Choice, out: list[Command], advice: str = ""
) -> None:
    """Ask policy about the chosen place, where there is any to ask, then place it there."""
    index = where(state, flight, choice)
    if state.governed or flight.party is not None:
        answer = permit(state, flight, at, choice, index, out)
        if isinstance(answer, Permit):
            choice, index = answer
        elif isinstance(answer, Wait):
            state.held.append(flight)
            if flight.held_until != answer.until:
                flight.held_until = answer.until
                out.append(Hold(flight.request_id, answer.until))
            return
        else:
            refused(state, flight, at, answer, out)
            return
    place(state, flight, at, choice, index, out, advice)


def _observe(
    state: State, flight: Flight, at: Seconds, answer: Wait | Refusal, out: list[Command]
) -> None:
    """Observe mode refuses for no price: place it, and write down what would have been done."""
    refusal = answer.refusal if isinstance(answer, Wait) else answer
    choice = force(state, flight, at)
    if choice is None:
        refused(state, flight, at, refusal, out)
        return
    verb = "hold" if isinstance(answer, Wait) else "refuse"
    go(state, flight, at, choice, out, advice=f"{verb}: {refusal.code}: {refusal.detail}")


def reconsider(state: State, at: Seconds, out: list[Command]) -> None:
    """Room may have come free: try the held, dearest lateness first.

    The order is that of `governor/loops/queue.py`.
    """
    if state.programs.by_class and state.programs.in_line:
        _begin_sessions(state, at, out)
    if not state.held:
        return
    waiting = [flight for flight in state.held if flight.request_id in state.flights]
    waiting.sort(key=lambda flight: -_urgency(flight, at))
    state.held.clear()
    noes = 0
    for place_in_line, flight in enumerate(waiting):
        if noes >= HELD_NOES_MAX:
            state.held.extend(waiting[place_in_line:])
            return
        answer = pick_tier(state, flight, at)
        if isinstance(answer, Choice):
            go(state, flight, at, answer, out)
        elif isinstance(answer, Wait):
            state.held.append(flight)
            noes += 1
        else:
            refused(state, flight, at, answer, out)


def _begin_sessions(state: State, at: Seconds, out: list[Command]) -> None:
    """Let in, one after the other, the first steps of sessions for which there is room now."""
    while flight := program.knock(state, at):
        answer = pick(state, flight, at)
        if isinstance(answer, Wait):
            return
        program.leave_line(state, flight)
        if isinstance(answer, Choice):
            go(state, flight, at, answer, out)
        else:
            refused(state, flight, at, answer, out)


def _urgency(flight: Flight, at: Seconds) -> float:
    work = flight.prompt_tokens + 8.0 * flight.output_tokens
    waited_s, allowed_s = at - flight.arrived_at, flight.held_until - flight.arrived_at
    return urgency(flight.value_usd, work, waited_s, allowed_s)
