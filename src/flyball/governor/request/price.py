"""What would this request cost at each endpoint: own lateness, harm to others, resources?

Fills the scratch matrix (rows named in `state`), one column per endpoint, in one unit: USD.
Lateness = value * P(miss), P(miss) = 1 - prod over promises of 1 / (1 + exp((predicted - promised)
/ width)): a logistic in the predicted latency, whose width grows with the measured error of the
endpoint's predictions. A column that may not be used has an infinite total.

Everything but lateness is linear in the request's sizes, so one product of a small weight matrix
with the view's rows gives it; endpoints that hold the prompt's prefix are then credited.
"""

import numpy as np

from flyball.governor.flight import Flight
from flyball.governor.marginal import ROWS
from flyball.governor.state import HARM, RESOURCE, TPOT, TTFT, State
from flyball.governor.view import Vector
from flyball.units import Seconds, Usd

_ROW = {name: number for number, name in enumerate(ROWS)}
_TTFT_TOKEN, _USD_TOKEN, _USD_KV, _HARM_TOKEN = (
    _ROW["ttft_per_token"],
    _ROW["usd_per_token"],
    _ROW["usd_per_kv"],
    _ROW["harm_per_token"],
)

# Cells of the weight matrix that a request's sizes fill.
_TTFT_BY_PROMPT = (TTFT, _ROW["ttft_per_token"])
_HARM_BY_PROMPT = (HARM, _ROW["harm_per_token"])
_USD_BY_PROMPT = (RESOURCE, _ROW["usd_per_token"])
_TPOT_BY_KV = (TPOT, _ROW["tpot_per_kv"])
_HARM_BY_KV = (HARM, _ROW["harm_per_kv"])
_USD_BY_KV = (RESOURCE, _ROW["usd_per_kv"])
_USD_BY_OUTPUT = (RESOURCE, _ROW["usd_per_output"])
_USD_BY_SENT = (RESOURCE, _ROW["usd_per_sent"])

# Above so many matches a vector of credits is cheaper than one endpoint after the other.
MATCHES_ONE_BY_ONE = 4


def price_candidates(state: State, flight: Flight, at: Seconds) -> Vector:
    """The scratch matrix [6 x endpoints] for this request."""
    rows = state.view.fresh_rows(at)
    out = state.scratch
    _set_sizes(state.weights, float(flight.prompt_tokens), float(flight.output_tokens))
    np.matmul(state.weights, rows, out=state.linear)
    flight.matches = _credit_prefix(state, flight, rows, out) if flight.head.prefix else ()
    budget_price = state.view.budget_price[flight.class_index]
    if budget_price > 0.0:
        _budget(state, flight, budget_price, out)
    _lateness(state, flight, rows, out)
    total = state.total
    np.add(state.lateness, state.harm, out=total)
    total += state.resource
    total += flight.scope.closed(state.view)
    return out


def _budget(state: State, flight: Flight, budget_price: Usd, out: Vector) -> None:
    """Money out of a budget that is short costs more than its amount."""
    paid = state.view.paid
    np.multiply(paid[0], budget_price * flight.prompt_tokens, out=state.work)
    out[RESOURCE] += state.work
    np.multiply(paid[1], budget_price * flight.output_tokens, out=state.work)
    out[RESOURCE] += state.work


def _set_sizes(matrix: Vector, prompt: float, output: float) -> None:
    kv = prompt + 0.5 * output
    matrix[_TTFT_BY_PROMPT] = matrix[_HARM_BY_PROMPT] = matrix[_USD_BY_PROMPT] = prompt
    matrix[_TPOT_BY_KV] = matrix[_HARM_BY_KV] = matrix[_USD_BY_KV] = kv
    matrix[_USD_BY_OUTPUT] = output
    matrix[_USD_BY_SENT] = prompt


def _credit_prefix(
    state: State, flight: Flight, rows: Vector, out: Vector
) -> tuple[tuple[int, int], ...]:
    """Take off the tokens an endpoint is believed to hold; returns who holds how many.

    They are neither computed again nor do they take new room from other sessions' caches.
    """
    matches = state.prefix_index.match(flight.head.prefix)
    if not matches:
        return ()
    block = flight.head.prefix_block_bytes / state.ratio(flight.head.model).bytes_per_token
    most = flight.prompt_tokens - 1
    credits = state.prefix_index.credits
    flight.blocks_held = matches
    credited = tuple(
        [(e, min(most, int(blocks * block * credits[e]))) for e, blocks in matches.items()]
    )
    if len(credited) <= MATCHES_ONE_BY_ONE:
        for e, tokens in credited:
            out[TTFT, e] -= tokens * rows[_TTFT_TOKEN, e]
            out[HARM, e] -= tokens * rows[_HARM_TOKEN, e]
            out[RESOURCE, e] -= tokens * (rows[_USD_TOKEN, e] + rows[_USD_KV, e])
        return credited
    cached = state.work
    cached.fill(0.0)
    for e, tokens in credited:
        cached[e] = tokens
    out[TTFT] -= cached * rows[_TTFT_TOKEN]
    out[HARM] -= cached * rows[_HARM_TOKEN]
    out[RESOURCE] -= cached * (rows[_USD_TOKEN] + rows[_USD_KV])
    return credited


def _lateness(state: State, flight: Flight, rows: Vector, out: Vector) -> None:
    """Expected loss from a broken promise, by endpoint, into row LATENESS."""
    promise, head = flight.klass.promise, flight.head
    ttft_s = head.ttft_s_max or promise.ttft_s
    tpot_s = (head.tpot_s_max or promise.tpot_s) if flight.output_tokens > 1 else 0.0
    e2e_s = flight.e2e_s
    slope, offset = state.promise_columns(ttft_s, tpot_s)
    z, ones = state.exponents, state.ones
    np.multiply(state.latencies, slope, out=z)
    z -= offset
    z *= state.view.trust
    np.minimum(z, state.exponent_max, out=z)
    np.exp(z, out=z)
    z += ones
    late = state.lateness
    np.multiply(state.ttft_exponents, state.tpot_exponents, out=late)
    if e2e_s > 0.0:
        late *= _e2e_excess(state, flight, rows, out, e2e_s)
    np.divide(-flight.value_usd, late, out=late)
    late += flight.value_usd


def _e2e_excess(state: State, flight: Flight, rows: Vector, out: Vector, e2e_s: Seconds) -> Vector:
    """1 + exp(z) for the whole answer's promise."""
    z = state.work
    np.multiply(out[TPOT], flight.output_tokens - 1.0, out=z)
    z += out[TTFT]
    z -= e2e_s
    z *= rows[_ROW["ttft_trust"]] / min(state.policy.pricing.ttft_width_s, 0.25 * e2e_s)
    np.minimum(z, state.exponent_max[: len(z)], out=z)
    np.exp(z, out=z)
    z += 1.0
    return z
