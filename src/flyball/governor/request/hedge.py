"""Is a second copy worth sending, and which of the two goes on?

A copy is an attempt of its own, with its own intent and outcome, and comes out of the same budget
as retries. The newer of the two is the flight's own; the other is kept beside it as its `rival`.
The first byte decides: the driver closes the other connection then, and the core lets its work go.
"""

from flyball.governor.commands import Command
from flyball.governor.events import HedgeDue
from flyball.governor.flight import Flight, Rival
from flyball.governor.loops.hedge import HEDGE, is_worth, p_miss
from flyball.governor.request.afford import afford
from flyball.governor.request.grant import first_byte_left_s
from flyball.governor.request.leave import may
from flyball.governor.request.permit import against
from flyball.governor.request.pick import FALLBACK_RULES, Choice, force
from flyball.governor.request.place import place
from flyball.governor.state import State
from flyball.units import Seconds, Usd

# An answer that is overdue is taken to need half as long again.
OVERDUE_MORE = 0.5


def due(state: State, event: HedgeDue, out: list[Command]) -> None:
    """No first byte came yet: send a copy elsewhere if the miss that it averts is worth it."""
    flight, at = state.flights.get(event.request_id), event.at
    if flight is None or flight.endpoint is None or flight.first_byte_at or flight.rival:
        return
    if flight.attempt >= flight.attempts_max:
        return
    tried = flight.tried
    flight.tried = (*tried, flight.endpoint.index)
    choice = force(state, flight, at)
    flight.tried = tried
    if choice is None or not _pays(state, flight, at, choice):
        return
    if not (state.retry_gain.may_retry() and state.budget.spend()):
        return
    flight.rival = Rival(flight)
    choice = choice._replace(rule="hedge")
    if not _is_allowed(state, flight, at, choice, out):
        flight.rival = None
        return
    place(state, flight, at, choice, choice.endpoint, out)
    flight.copy_attempt = flight.attempt


def _is_allowed(
    state: State, flight: Flight, at: Seconds, choice: Choice, out: list[Command]
) -> bool:
    """Whether policy and the mandate's budgets let the copy go there; nowhere else is tried."""
    if not state.governed and flight.party is None:
        return True
    endpoint = state.view.endpoints[choice.endpoint]
    if not may(state, flight, "retry", HEDGE.name, endpoint.pool_index, at):
        return False
    verdict = flight.verdict
    no = against(state, flight, at, endpoint) or afford(state, flight, at, endpoint, out)
    if no is not None:
        flight.verdict = verdict
    return no is None


def _pays(state: State, flight: Flight, at: Seconds, choice: Choice) -> bool:
    best = choice.candidates[0]
    waited_s = at - flight.forwarded_at
    promised_s = waited_s + first_byte_left_s(flight, at, best)
    if promised_s <= waited_s or choice.rule in FALLBACK_RULES:
        return False
    width_s = state.policy.pricing.ttft_width_s
    overdue_s = max(flight.ttft_s, (1.0 + OVERDUE_MORE) * waited_s)
    miss = p_miss(overdue_s, promised_s, width_s)
    miss_of_copy = p_miss(waited_s + best.ttft_s, promised_s, width_s)
    price: Usd = best.externality_usd + best.resource_usd
    return is_worth(flight.value_usd, miss, miss_of_copy, price)
