"""How much work arrives, of which value, and what is each endpoint about to be asked for?"""

from math import exp

from flyball.governor.state import State
from flyball.units import Seconds

# A session that has not called for five minutes has most likely lost its cache or its user.
SESSION_MEMORY_S = 300.0


def estimate(state: State, at: Seconds) -> None:
    """Decay rates to now; spread the arriving value over the endpoints; age the sessions."""
    state.sessions.expire(at)
    if state.programs.by_class:
        state.programs.expire(at, state.policy.tick_s)
    view = state.view
    fade = exp(-state.policy.tick_s / SESSION_MEMORY_S)
    arriving_usd_per_s = 0.0
    for klass in state.policy.classes:
        tally = state.tallies[klass.name]
        tally.decay(at)
        arriving_usd_per_s += tally.rate_per_s * klass.value_usd
    count = max(1, len(view.endpoints))
    for endpoint in view.endpoints:
        endpoint.session_tokens *= fade
        view.arrival_usd_per_s[endpoint.index] = arriving_usd_per_s / count
    view.dirty.update(range(len(view.endpoints)))
