"""Do the budgets of the mandate cover this request, and what of them is set aside for it?

The worst case is set aside before the effect: the prompt with a margin, and the longest answer,
which gets a bound if it has none. What was not spent comes back when the outcome is known.
"""

from flyball.governor.commands import Command, TellBudget
from flyball.governor.endpoint import EndpointState
from flyball.governor.flight import Flight
from flyball.governor.purses import ASK_S
from flyball.governor.request.allow import NO_DECODE
from flyball.governor.request.grant import granted
from flyball.governor.request.pick import Wait
from flyball.governor.state import State
from flyball.governor.tariff import PROMPT_MARGIN
from flyball.model.faults import Refusal
from flyball.model.mandate import MicroUsd, Spend
from flyball.units import Seconds, Tokens

# An answer without a bound gets this one where a budget must cover the worst case.
ANSWER_TOKENS_MAX = 4096
# Longest wait for a part of the budget that other workers have.
LEASE_WAIT_S: Seconds = 2.0
# An approval counts for one request: it is a budget of one.
_ONCE = 1


def has_budget(flight: Flight) -> bool:
    """Whether some block of its mandate sets a ceiling."""
    mandate = flight.head.mandate
    return mandate is not None and bool(mandate.spends)


def cost_at(state: State, flight: Flight, endpoint: EndpointState) -> MicroUsd:
    """The most that it can cost there, as the budgets count it."""
    prompt = PROMPT_MARGIN * flight.prompt_tokens
    return state.tariffs[endpoint.pool_index].cost(prompt, _answer_max(flight))


def _answer_max(flight: Flight) -> Tokens:
    if flight.head.operation in NO_DECODE:
        return 0
    return flight.output_tokens_max or ANSWER_TOKENS_MAX


def afford(
    state: State, flight: Flight, at: Seconds, endpoint: EndpointState, out: list[Command]
) -> Wait | Refusal | None:
    """Set the cost aside in all budgets; or wait for a lease, or say which budget lacks it."""
    mandate = flight.head.mandate
    if mandate is None:
        return None
    if mandate.spends:
        no = _reserve(state, flight, mandate.spends, at, endpoint, out)
        if no is not None:
            return no
    if flight.approvals and not flight.attempt:
        return _use_up(state, flight, at, out)
    return None


def _reserve(
    state: State,
    flight: Flight,
    spends: tuple[Spend, ...],
    at: Seconds,
    endpoint: EndpointState,
    out: list[Command],
) -> Wait | Refusal | None:
    if not flight.output_tokens_max and flight.head.operation not in NO_DECODE:
        flight.output_tokens_max = ANSWER_TOKENS_MAX
        granted(flight).clamp_output = True
    held = flight.reserved - flight.spent
    # Of two copies each needs its own; an attempt that failed leaves what it had to the next.
    needed = cost_at(state, flight, endpoint) - (0 if flight.rival is not None else held)
    if needed <= 0:
        return None
    no = _take(state, flight, spends, needed, at, out)
    if no is None:
        flight.reserved += needed
    return no


def _take(
    state: State,
    flight: Flight,
    spends: tuple[Spend, ...],
    needed: MicroUsd,
    at: Seconds,
    out: list[Command],
) -> Wait | Refusal | None:
    """Out of all purses, or none; a worker asks the treasury for what its purse lacks."""
    try:
        lacking = state.purses.reserve(spends, needed, at)
    except OverflowError as fault:
        return Refusal(code="overloaded", detail=str(fault), retry_after_s=5.0)
    if lacking is None:
        return None
    spend, purse = lacking
    limit = spend.limit_micro_usd
    detail = f"block {spend.block[:16]} has {purse.free} of {limit} micro-USD left, {needed} needed"
    refusal = Refusal(code="budget_exhausted", detail=detail)
    if state.purses.is_whole or needed > limit:
        return refusal
    if at < purse.dry_until:
        if not purse.lent:
            return refusal
        more = f"{detail}; other workers have {purse.lent}"
        return Refusal(code="budget_exhausted", detail=more, retry_after_s=1.0, should_retry=True)
    if at - purse.asked_at >= ASK_S:
        purse.asked_at = at
        wanted = needed - max(0, purse.free)
        out.append(TellBudget(spend.block, limit, wanted))
    # Looked at again while it waits, it waits no longer for that.
    until = flight.held_until if flight.held_until > at else at + LEASE_WAIT_S
    return Wait(min(until, flight.deadline_at), refusal)


def _use_up(state: State, flight: Flight, at: Seconds, out: list[Command]) -> Wait | Refusal | None:
    """Approvals hold for one request, whichever worker gets it: each is a budget of one."""
    spends = tuple([Spend(f"approval:{one.id}", _ONCE) for one in flight.approvals])
    no = _take(state, flight, spends, _ONCE, at, out)
    if no is None:
        state.purses.settle(spends, _ONCE, _ONCE)
    elif isinstance(no, Refusal):
        detail = f"the approval {flight.approvals[0].id[:16]} was used already"
        return Refusal(code="policy_denied", detail=detail)
    return no


def charge(
    state: State, flight: Flight, endpoint: EndpointState, prompt: Tokens, answer: Tokens
) -> None:
    """An attempt cost that much of what was set aside, whatever becomes of the request."""
    cost = state.tariffs[endpoint.pool_index].cost(prompt or flight.prompt_tokens, answer)
    flight.spent = min(flight.reserved, flight.spent + cost)


def settle_budget(state: State, flight: Flight) -> None:
    """The request is over: take what it cost, free the rest."""
    mandate = flight.head.mandate
    if mandate is not None and flight.reserved:
        state.purses.settle(mandate.spends, flight.reserved, flight.spent)
        flight.reserved = 0
