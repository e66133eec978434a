"""By when will an answer surely be whole, and which endpoints do guarantees close to others?

A prediction is taken as the median of a log-normal whose spread is the measured one of that
endpoint's predictions, widened by how often answers have fallen outside: `bound_s` is its quantile
at 1 - risk.
"""

from math import exp, inf, log, sqrt

from flyball.governor.endpoint import (
    DEPTHS,
    DEVIATION,
    OBSERVATIONS_TO_TRUST,
    RATE_MEMORY_S,
    SPREAD_FLOOR,
    SPREAD_PRIOR,
    TAIL_Z,
    EndpointState,
)
from flyball.governor.flight import Flight
from flyball.governor.marginal import PREFILL_SHARE_MAX, ROWS
from flyball.governor.state import TPOT, TTFT, State
from flyball.governor.view import Vector
from flyball.units import Ratio, Seconds

_TTFT_BASE = ROWS.index("ttft_base")


def quantile(risk: Ratio) -> float:
    """z with P(N(0, 1) > z) = risk, within 4.5e-4, at least 0 (Abramowitz & Stegun 26.2.23)."""
    if risk >= 0.5:
        return 0.0
    t = sqrt(-2.0 * log(max(risk, 1e-12)))
    top = 2.515517 + t * (0.802853 + t * 0.010328)
    return t - top / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)))


def bound_s(e: EndpointState, ttft_s: Seconds, tpot_s: Seconds, tokens: int, z: float) -> Seconds:
    """Time to a whole answer of `tokens` that is exceeded with the chance that z stands for."""
    first, later = margins(e, z, e.depth)
    return ttft_s * first + tpot_s * later * max(0, tokens - 1)


def margins(e: EndpointState, z: float, depth: int) -> tuple[float, float]:
    """Factors on a predicted first token, with `depth` waiting in front, and on a later one."""
    tpot_error = max(SPREAD_FLOOR, e.tpot_error)
    if e.observations < OBSERVATIONS_TO_TRUST:
        tpot_error = max(tpot_error, SPREAD_PRIOR)
    part = min(depth, DEPTHS - 1)
    first = z * (DEVIATION * e.stray_deviation[part] + e.tail / TAIL_Z)
    return exp(e.stray_mean[part] + first), exp(z * DEVIATION * tpot_error)


def close_promised(state: State, flight: Flight, matrix: Vector, total: Vector) -> None:
    """Put an infinite price on each endpoint where this request would break a guarantee."""
    book = state.promises
    book_limits = book.limits
    for index in book_limits:
        if total[index] < inf and breaks(state, flight, matrix, index):
            total[index] = inf
            flight.crowded_out = True


def breaks(state: State, flight: Flight, matrix: Vector, index: int) -> bool:
    """Whether the request that was just priced, if it went there, would break a guarantee.

    What is guaranteed counts as waiting there already: the first token of the last of it comes
    after this request's own, so `matrix` row TTFT is what it would see.
    """
    limit = state.promises.limits[index]
    endpoint = state.view.endpoints[index]
    # In front of the last guarantee: all that waits now but itself, and this request.
    first, later = margins(endpoint, limit.z, endpoint.depth)
    ttft_s = max(float(matrix[TTFT, index]), float(state.view.rows[_TTFT_BASE, index])) * first
    tpot_s = float(matrix[TPOT, index]) * later * _stretch(endpoint, flight.prompt_tokens)
    if tpot_s > limit.pace_s_max:
        return True
    for tokens, deadline_s in limit.whole:
        if ttft_s + tpot_s * max(0, tokens - 1) > deadline_s:
            return True
    return False


def _stretch(e: EndpointState, prompt_tokens: int) -> float:
    """How much longer tokens take there once this prompt's prefill has its share of the time."""
    token_s = e.mixed.per_prefill_token_s
    share = min(PREFILL_SHARE_MAX, e.prefill_rate * token_s)
    after = min(PREFILL_SHARE_MAX, share + prompt_tokens * token_s / RATE_MEMORY_S)
    return (1.0 - share) / (1.0 - after)


def placed(state: State, flight: Flight, at: Seconds) -> None:
    """A guaranteed request was sent: protect its pace from here on."""
    guarantee = flight.guarantee
    endpoint = flight.endpoint
    if guarantee is None or endpoint is None:
        return
    state.promises.run(guarantee, flight.request_id, endpoint)
    first, _ = margins(endpoint, guarantee.z, flight.depth)
    protect(state, flight, at + flight.ttft_s * first)


def protect(state: State, flight: Flight, begun_at: Seconds) -> None:
    """Its first token comes, or came, at `begun_at`: the time left is for the others."""
    guarantee = flight.guarantee
    if guarantee is None:
        return
    others = guarantee.quote.output_tokens - 1
    left_s = flight.arrived_at + guarantee.quote.deadline_s - begun_at
    # What is lost already need not be protected from others: it would only keep them out.
    pace_s_max = left_s / others if others > 0 and left_s > 0.0 else inf
    state.promises.set_pace(guarantee, pace_s_max)
