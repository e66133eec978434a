"""Where does it run: the least priced of the feasible, held or refused when no price is met?

Order of the questions: is there a feasible endpoint; may the view be believed; which endpoint costs
least (near-equal ones are drawn from at random, more widely as the view ages); can the promise
still be kept there; is the request worth its price. Every answer carries what the record needs:
candidates with each term of their cost, and the propensity of the choice.
"""

from math import exp, inf, isinf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flyball.governor.endpoint import EndpointState
from flyball.governor.flight import Flight
from flyball.governor.loops.retry import RETRY, falls_below_s, is_worth, spread
from flyball.governor.marginal import ROWS, TYPICAL_OUTPUT_TOKENS
from flyball.governor.request.grant import low_draw
from flyball.governor.request.guard import bound_s, close_promised
from flyball.governor.request.identify import CONTINUES
from flyball.governor.request.price import price_candidates
from flyball.governor.state import TOTAL, State
from flyball.governor.view import Vector
from flyball.model.decision import Candidate, Rule
from flyball.model.faults import Refusal
from flyball.units import Ratio, Seconds, Usd

IndexVector = NDArray[np.intp]
Column = tuple[int, float, float, float, float, float, float]

CANDIDATES_KEPT = 4
# Costs below this share of a request's value are all alike; more would throw away warm caches.
NOTHING_OF_VALUE = 1e-4
# The margin of what counts as equal grows by itself for each such step of the readings' age.
AGE_STEP_S = 0.05
WEIGHTED_LOAD = ROWS.index("weighted_load")
AFFINITY_LOAD_RATIO_MAX = 1.5
RETRY_AFTER_S_MIN = 0.05
RETRY_AFTER_S_SLOW = 1.0
LESSON_S = 1.0
NO_MATCHES: dict[int, int] = {}
FALLBACKS: dict[str, Rule] = {
    "stale": "fallback-stale-view",
    "mispredicted": "fallback-mispredicted",
}
FALLBACK_RULES = frozenset(FALLBACKS.values())


class Choice(NamedTuple):
    """An endpoint (number), its ordered fall-backs, and what made it so."""

    endpoint: int
    fallbacks: tuple[int, ...]
    rule: Rule
    probe_arm: str
    candidates: tuple[Candidate, ...]
    candidates_count: int
    price_usd: Usd
    view_age_s: Seconds


class Wait(NamedTuple):
    """No endpoint is worth it now: hold until then; `refusal` is the answer if nothing changes."""

    until: Seconds
    refusal: Refusal


def pick(state: State, flight: Flight, at: Seconds) -> Choice | Wait | Refusal:
    """Choose for this request at this moment."""
    choice = force(state, flight, at)
    if choice is None:
        return _nothing_left(state, flight, at)
    if flight.attempt or flight.guarantee is not None:
        # Once admitted, or guaranteed, it is carried on somewhere: late rather than never.
        return _not_worth_again(state, flight, at, choice) or choice
    return _admit(state, flight, at, choice) or choice


def force(state: State, flight: Flight, at: Seconds) -> Choice | None:
    """The best endpoint whatever its price; None if none is open."""
    state.view.audit_trust(at)
    matrix = price_candidates(state, flight, at)
    total = state.total
    for tried in flight.tried:
        total[tried] = inf
    if flight.session_source == CONTINUES:
        _pin(state, flight, total)
    if state.promises.limits and flight.guarantee is None and state.policy.mode == "enforce":
        close_promised(state, flight, matrix, total)
    ranked = _columns(matrix, total.argsort()[:CANDIDATES_KEPT])
    while ranked and ranked[-1][-1] == inf:
        ranked.pop()
    if not ranked:
        return None
    untrusted = state.view.untrusted
    if untrusted:
        return _least_request(state, flight, matrix, FALLBACKS[untrusted])
    if flight.z:
        ranked = _surely_in_time(state, flight, at, ranked)
    return _least_priced(state, flight, matrix, ranked)


def _pin(state: State, flight: Flight, total: Vector) -> None:
    """A stored answer lives in one engine: while that one is open, nowhere else will do."""
    home = _home(state, flight)
    if home >= 0 and not isinf(total[home]):
        kept = total[home]
        total.fill(inf)
        total[home] = kept


def _home(state: State, flight: Flight) -> int:
    """The endpoint where the session lives, or -1."""
    session = state.sessions.by_key.get(flight.session)
    return state.view.index_of.get(session.home, -1) if session is not None else -1


def _columns(matrix: Vector, order: IndexVector) -> list[Column]:
    """The matrix' columns of these endpoints: (index, then the rows in their order)."""
    indices: list[int] = order.tolist()
    terms: list[list[float]] = matrix.take(order, axis=1).tolist()
    return list(zip(indices, *terms, strict=True))


def _surely_in_time(
    state: State, flight: Flight, at: Seconds, ranked: list[Column]
) -> list[Column]:
    """Those where its time is kept with room for what predictions have been off by; all if none."""
    left_s = flight.e2e_s - (at - flight.arrived_at)
    fitting = [column for column in ranked if _whole_s(state, flight, column) <= left_s]
    return fitting or ranked


def _whole_s(state: State, flight: Flight, column: Column) -> Seconds:
    endpoint = state.view.endpoints[column[0]]
    return bound_s(endpoint, column[1], column[2], flight.output_tokens, flight.z)


def _nothing_left(state: State, flight: Flight, at: Seconds) -> Wait | Refusal:
    """Every feasible endpoint is blocked, was tried or is promised to others: say when the first
    may open again."""
    if flight.crowded_out:
        promised = len(state.promises.open) + len(state.promises.kept)
        detail = f"{promised} guarantees leave no room that would not break one"
        refusal = Refusal(code="capacity_promised", detail=detail, retry_after_s=1.0)
        return _hold_or_refuse(state, flight, at, refusal)
    soonest = inf
    for index, why in enumerate(flight.scope.reasons):
        if not why and index not in flight.tried and state.view.blocked[index]:
            soonest = min(soonest, max(0.5, state.view.endpoints[index].circuit_until - at))
    retry_after = 2.0 if isinf(soonest) else soonest
    what = "all were tried" if flight.tried else "all are draining or have failed"
    detail = f"{flight.scope.count} endpoints serve {flight.head.model!r}, {what}"
    return Refusal(code="no_endpoint", detail=detail, retry_after_s=retry_after)


def _least_request(state: State, flight: Flight, matrix: Vector, rule: Rule) -> Choice:
    """The stated safe rule: least requests per unit of speed, the session's home kept if fair."""
    load = np.where(np.isfinite(state.total), state.view.rows[WEIGHTED_LOAD], inf)
    order = load.argsort()
    home = _home(state, flight)
    if home >= 0 and load[home] <= AFFINITY_LOAD_RATIO_MAX * load[order[0]]:
        order = np.concatenate((np.array([home]), order[order != home]))
    count = int(np.isfinite(load).sum())
    columns = _columns(matrix, order[: min(count, CANDIDATES_KEPT)])
    return _choice(state, flight, columns, count, rule, "none", 1.0)


def _least_priced(state: State, flight: Flight, matrix: Vector, ranked: list[Column]) -> Choice:
    """The cheapest, or one drawn among those within the margin that the view's age allows."""
    pricing = state.policy.pricing
    draw, explore = flight.draw, pricing.explore_ratio
    if draw < explore:
        return _explore(state, flight, matrix, ranked, draw / explore)
    least, age_s = ranked[0][-1], state.view.age_s(ranked[0][0])
    margin = pricing.near_equal_ratio * max(abs(least), NOTHING_OF_VALUE * flight.value_usd)
    near = 1
    while near < len(ranked):
        column = ranked[near]
        age_s = max(age_s, state.view.age_s(column[0]))
        steps = 1.0 + min(age_s, pricing.view_age_s_max) / AGE_STEP_S
        if column[-1] > least + margin * steps:
            break
        near += 1
    count = flight.scope.count
    propensity = (1.0 - explore) / near + explore / count
    if near > 1:
        chosen = int((draw - explore) / (1.0 - explore) * near)
        ranked.insert(0, ranked.pop(chosen))
    rule: Rule = "price" if count > 1 else "single"
    return _choice(state, flight, ranked, count, rule, "none", propensity, near)


def _explore(
    state: State, flight: Flight, matrix: Vector, ranked: list[Column], draw: float
) -> Choice:
    """The probe arm: uniform over all open endpoints, so that effects can be estimated later."""
    usable = np.flatnonzero(np.isfinite(matrix[TOTAL]))
    chosen = usable[int(draw * len(usable))]
    columns = _columns(matrix, np.array([chosen]))
    columns += [column for column in ranked if column[0] != chosen]
    propensity = state.policy.pricing.explore_ratio / len(usable)
    columns = columns[:CANDIDATES_KEPT]
    return _choice(state, flight, columns, len(usable), "probe", "explore", propensity)


def _choice(
    state: State,
    flight: Flight,
    columns: list[Column],
    count: int,
    rule: Rule,
    arm: str,
    propensity: Ratio,
    near: int = 1,
) -> Choice:
    """Write down the first few columns as candidates: the chosen, then what was within reach."""
    endpoints = state.view.endpoints
    cached = dict(flight.matches) if flight.matches else NO_MATCHES
    candidates: list[Candidate] = []
    for index, ttft_s, tpot_s, lateness, harm, resource, total in columns:
        chance = propensity if len(candidates) < near else 0.0
        name = endpoints[index].name
        held = cached.get(index, 0) if cached else 0
        candidates.append(
            Candidate(name, ttft_s, tpot_s, held, lateness, harm, resource, total, chance)
        )
    others = tuple([column[0] for column in columns[1:]])
    first = columns[0]
    age_s = state.view.age_s(first[0])
    return Choice(first[0], others, rule, arm, tuple(candidates), count, first[-1], age_s)


def _admit(state: State, flight: Flight, at: Seconds, choice: Choice) -> Wait | Refusal | None:
    """Refuse early, or hold, what would miss its promise or does more harm than it is worth."""
    refusal = _promise_out_of_reach(state, flight, at, choice)
    refusal = refusal or _above_value(state, flight, choice)
    if refusal is None:
        return None
    if flight.program is not None:
        return _of_session(state, flight, at, choice, refusal)
    if flight.is_retry and not state.budget.spend():
        wait_s = spread(max(1.0, refusal.retry_after_s), low_draw(flight.draw))
        return Refusal(code="retry_budget_spent", retry_after_s=wait_s)
    if not state.view.endpoints[choice.endpoint].load:
        return refusal  # nothing runs in front of it whose end could change the answer
    return _hold_or_refuse(state, flight, at, refusal)


def _hold_or_refuse(state: State, flight: Flight, at: Seconds, refusal: Refusal) -> Wait | Refusal:
    until = min(flight.arrived_at + flight.klass.gate_s_max, flight.deadline_at)
    if until > at and len(state.held) < state.policy.resilience.held_max:
        return Wait(until, refusal)
    return refusal


def _of_session(
    state: State, flight: Flight, at: Seconds, choice: Choice, refusal: Refusal
) -> Wait | Refusal | None:
    """A session's first step may wait; a later one goes on, late, within the limit of its class."""
    rules, program = flight.klass.sessions, flight.program
    if rules is None or program is None:
        return refusal
    if not program.is_admitted:
        until = flight.held_until or min(at + rules.wait_s_max, flight.deadline_at)
        return Wait(until, refusal) if until > at else refusal
    endpoint = state.view.endpoints[choice.endpoint]
    believed = 0.0 if choice.rule in FALLBACK_RULES else choice.candidates[0].ttft_s
    expected_s = max(believed, endpoint.rtt_s + endpoint.queue_s) + at - flight.arrived_at
    promised_s = flight.head.ttft_s_max or flight.klass.promise.ttft_s
    if expected_s - promised_s > rules.late_s_max:
        return refusal
    flight.advice = f"refuse: {refusal.code}: {refusal.detail}"
    return None


def _not_worth_again(state: State, flight: Flight, at: Seconds, choice: Choice) -> Refusal | None:
    """Another attempt must cover its price with the value that it will probably save. A guarantee
    or a session under way is carried on all the same: it is worth more than this one answer."""
    if flight.guarantee is not None or flight.program is not None:
        return None
    if choice.rule in FALLBACK_RULES or state.modes.effective(RETRY.name, at) != "enforce":
        return None
    price = _bid_price(flight, choice.candidates[0])
    if is_worth(flight.value_usd, state.retry_gain.success, price):
        return None
    return _dear(state, flight, choice, price)


def _bid_price(flight: Flight, best: Candidate) -> Usd:
    return best.externality_usd + (best.resource_usd if flight.klass.sheddable else 0.0)


def _above_value(state: State, flight: Flight, choice: Choice) -> Refusal | None:
    """Bid price: the harm to others counts for all, the price of resources for sheddable classes.

    Scarcity prices are kept out of the test of classes that are not sheddable: they would refuse
    work that can be served in time. A first step is worth the session that it begins.
    """
    best = choice.candidates[0]
    if choice.rule in FALLBACK_RULES:
        return None
    price = _bid_price(flight, best)
    if price <= flight.value_usd or price <= flight.bid_usd:
        return None
    return _dear(state, flight, choice, price)


def _dear(state: State, flight: Flight, choice: Choice, price: Usd) -> Refusal:
    """Told with the time in which the price will have come down to the value, spread."""
    endpoint = state.view.endpoints[choice.endpoint]
    drain_s = endpoint.queue_s + TYPICAL_OUTPUT_TOKENS * choice.candidates[0].tpot_s
    wait_s = max(RETRY_AFTER_S_MIN, falls_below_s(price, flight.value_usd, drain_s))
    return Refusal(
        code="price_above_value",
        detail=f"price {price:.6f} USD, value {flight.value_usd:.6f} USD",
        retry_after_s=spread(wait_s, low_draw(flight.draw)),
        price_usd=price,
    )


def _promise_out_of_reach(
    state: State, flight: Flight, at: Seconds, choice: Choice
) -> Refusal | None:
    """The first token, the pace or the whole answer expected later than promised (by more than
    `early_refusal_ratio`): an early no is worth more to the caller than a late answer.

    The wait is the larger of what the model predicts and what the queue itself has shown. Where
    the model is not believed only the queue counts.
    """
    head, promise, best = flight.head, flight.klass.promise, choice.candidates[0]
    endpoint = state.view.endpoints[choice.endpoint]
    ratio = state.policy.pricing.early_refusal_ratio
    # The wait for a session to begin is told beforehand; what was promised counts from then on.
    waited = 0.0 if flight.bid_usd else at - flight.arrived_at
    shown_s = endpoint.rtt_s + endpoint.queue_s
    is_believed = choice.rule not in FALLBACK_RULES
    ttft_s = _ttft_if_idle(state, choice.endpoint, best.ttft_s) if is_believed else 0.0
    expected_s = max(ttft_s, shown_s) + waited
    promised_s = head.ttft_s_max or promise.ttft_s
    if promised_s and expected_s > ratio * promised_s:
        what = f"first token expected after {expected_s:.3f} s, promised {promised_s:.3f} s"
        return _late(what, expected_s - promised_s, best)
    pace_s = head.tpot_s_max or promise.tpot_s
    is_paced = is_believed and pace_s and endpoint.load and flight.output_tokens > 1
    if is_paced and best.tpot_s > ratio * pace_s:
        what = f"{best.tpot_s:.3f} s a token expected, promised {pace_s:.3f} s"
        return _late(what, RETRY_AFTER_S_SLOW, best)
    e2e_s = expected_s + (best.tpot_s * (flight.output_tokens - 1) if is_believed else 0.0)
    deadline_s = flight.deadline_s
    if flight.z and is_believed and not _is_lesson_due(endpoint, at):
        e2e_s = max(
            e2e_s,
            waited + bound_s(endpoint, best.ttft_s, best.tpot_s, flight.output_tokens, flight.z),
        )
    if deadline_s and e2e_s > deadline_s:
        what = f"answer expected after {e2e_s:.3f} s, deadline {deadline_s:.3f} s"
        return _late(what, e2e_s - deadline_s, best)
    return None


def _is_lesson_due(endpoint: EndpointState, at: Seconds) -> bool:
    """An idle endpoint that has answered nothing for long is tried once more: what was learnt of it
    may hold no more, and only a request can show that."""
    return not endpoint.load and at - endpoint.served_at > LESSON_S


def _late(detail: str, late_s: Seconds, best: Candidate) -> Refusal:
    return Refusal(
        code="deadline_unreachable",
        detail=detail,
        retry_after_s=max(RETRY_AFTER_S_MIN, late_s),
        price_usd=best.total_usd,
    )


def _ttft_if_idle(state: State, index: int, ttft_s: Seconds) -> Seconds:
    """The prediction, but without its learnt correction where nothing runs: else a wrong lesson
    would refuse all work for ever, and nothing could correct it."""
    endpoint = state.view.endpoints[index]
    if endpoint.load or endpoint.ttft_bias_log <= 0.0:
        return ttft_s
    return endpoint.rtt_s + (ttft_s - endpoint.rtt_s) / exp(endpoint.ttft_bias_log)
