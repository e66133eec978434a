"""May a loop do this to requests of this class, there?

The loops are principals of policy too. The answer is kept by class, model and pool until the
policies change, so that it costs a request one look into a table; what differs from one request of
a class to the next is not asked about here.
"""

from flyball.governor.flight import Flight
from flyball.governor.request.asked import decide, subject_of
from flyball.governor.state import State
from flyball.model.verdict import Action, Circumstances
from flyball.units import Seconds


def may(
    state: State, flight: Flight, action: Action, loop: str, pool_index: int, at: Seconds
) -> bool:
    """Whether policy lets that loop act so on this request's class at that pool."""
    if not state.governed:
        return True
    model = flight.head.model
    key = (action, flight.klass.name, model, pool_index)
    found = state.loop_leave.get(key)
    if found is None:
        subject = subject_of(flight, model, action, loop)
        verdict = decide(state, subject, Circumstances(at=at), state.places[pool_index])
        found = state.loop_leave[key] = verdict.allowed
    return found
