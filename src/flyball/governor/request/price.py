"""What would this request cost at each endpoint: own lateness, harm to others, resources?

Fills the scratch matrix (rows named in `state`), one column per endpoint, in one unit: USD.
Lateness = value * P(miss), P(miss) = 1 - prod over promises of 1 / (1 + exp((predicted - promised)
/ width)): a logistic in the predicted latency, whose width grows with the measured error of the
endpoint's predictions. A column that may not be used has an infinite total.
"""

import numpy as np

from flyball.governor.flight import Flight
from flyball.governor.state import (
    HARM,
    LATENESS,
    RESOURCE,
    SPARE,
    TOTAL,
    TPOT,
    TTFT,
    UNCACHED,
    State,
)
from flyball.governor.view import Vector
from flyball.units import Seconds

# Indices into `marginal.ROWS`.
_TTFT_BASE, _TTFT_TOKEN, _TPOT_BASE, _TPOT_KV, _USD_BASE, _USD_TOKEN, _USD_KV, _USD_OUT = range(8)
_TTFT_WIDTH, _TPOT_WIDTH, _HARM_BASE, _HARM_TOKEN, _HARM_KV = range(8, 13)

EXPONENT_MAX = 50.0


def price_candidates(state: State, flight: Flight, at: Seconds) -> Vector:
    """The scratch matrix [8 x endpoints] for this request."""
    rows = state.view.fresh_rows(at)
    out = state.scratch
    uncached = out[UNCACHED]
    uncached.fill(flight.prompt_tokens)
    _credit_prefix(state, flight, uncached)
    kv = flight.prompt_tokens + 0.5 * flight.output_tokens

    ttft, tpot, spare = out[TTFT], out[TPOT], out[SPARE]
    np.multiply(rows[_TTFT_TOKEN], uncached, out=ttft)
    ttft += rows[_TTFT_BASE]
    np.multiply(rows[_TPOT_KV], kv, out=tpot)
    tpot += rows[_TPOT_BASE]
    _lateness(state, flight, rows, out)

    harm = out[HARM]
    np.multiply(rows[_HARM_TOKEN], uncached, out=harm)
    harm += rows[_HARM_BASE]
    np.multiply(rows[_HARM_KV], kv, out=spare)
    harm += spare

    resource = out[RESOURCE]
    np.multiply(rows[_USD_TOKEN], uncached, out=resource)
    np.multiply(rows[_USD_OUT], float(flight.output_tokens), out=spare)
    resource += spare
    np.multiply(rows[_USD_KV], kv, out=spare)
    resource += spare

    total = out[TOTAL]
    np.add(out[LATENESS], harm, out=total)
    total += resource
    total += flight.scope.penalty
    total += state.view.blocked
    return out


def _credit_prefix(state: State, flight: Flight, uncached: Vector) -> None:
    """Take off the tokens that an endpoint is believed to hold in its prefix cache."""
    prefix = flight.head.prefix
    if not prefix:
        return
    matches = state.prefix_index.match(prefix)
    if not matches:
        return
    tokens_per_block = flight.head.prefix_block_bytes / (
        state.ratio(flight.head.model).bytes_per_token
    )
    most = flight.prompt_tokens - 1.0
    for endpoint, blocks in matches:
        uncached[endpoint] -= min(most, blocks * tokens_per_block)


def _lateness(state: State, flight: Flight, rows: Vector, out: Vector) -> None:
    """Expected loss from a broken promise, by endpoint, into row LATENESS."""
    promise, head = flight.klass.promise, flight.head
    late, spare = out[LATENESS], out[SPARE]
    kept = state.work
    kept.fill(1.0)
    ttft_s = head.ttft_s_max or promise.ttft_s
    tpot_s = head.tpot_s_max or promise.tpot_s
    e2e_s = promise.e2e_s
    if head.deadline_s and (not e2e_s or head.deadline_s < e2e_s):
        e2e_s = head.deadline_s
    if ttft_s > 0.0:
        np.subtract(out[TTFT], ttft_s, out=spare)
        _multiply_kept(spare, rows[_TTFT_WIDTH], 0.25 * ttft_s, kept)
    if tpot_s > 0.0 and flight.output_tokens > 1:
        np.subtract(out[TPOT], tpot_s, out=spare)
        _multiply_kept(spare, rows[_TPOT_WIDTH], 0.25 * tpot_s, kept)
    if e2e_s > 0.0:
        np.multiply(out[TPOT], flight.output_tokens - 1.0, out=spare)
        spare += out[TTFT]
        spare -= e2e_s
        _multiply_kept(spare, rows[_TTFT_WIDTH], 0.25 * e2e_s, kept)
    np.subtract(1.0, kept, out=late)
    late *= flight.value_usd


def _multiply_kept(
    excess_s: Vector, inverse_width: Vector, width_s_max: Seconds, kept: Vector
) -> None:
    """kept *= 1 / (1 + exp(excess / width)); a tight promise narrows the width, never widens it."""
    excess_s *= np.maximum(inverse_width, 1.0 / width_s_max)
    np.minimum(excess_s, EXPONENT_MAX, out=excess_s)
    np.exp(excess_s, out=excess_s)
    excess_s += 1.0
    kept /= excess_s
