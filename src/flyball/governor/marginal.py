"""What would one more request do at this endpoint: its own latency, and the harm to others there?

Linear in the request's sizes, so that a request reads one row per endpoint and recomputes nothing:

    ttft_s = ttft_base + ttft_per_token * uncached      tpot_s = tpot_base + tpot_per_kv * kv
    usd    = usd_per_token * uncached + usd_per_sent * prompt + usd_per_kv * kv
             + usd_per_output * output
    harm   = harm_base + harm_per_token * uncached + harm_per_kv * kv

`weighted_load` = requests there, with this one, per unit of the engine's speed: what the fall-back
rule reads when predictions are not believed. `*_trust` in (0, 1] widens the logistic of a miss
where predictions have been off.

TTFT: work waiting in front, in chunks of `step_tokens_max`, each chunk one mixed step (the form of
chunked prefill; the step cost is the pool's Profile). TPOT: one decode step after this one
joins, stretched by the share of time that prefill takes. Harm: the derivative of the expected
misses of the sequences running there (TPOT) and of those about to arrive (TTFT), times their
value: a finite difference of the same predictor, which is the congestion price of live state.
"""

from math import exp

from flyball.governor.endpoint import EndpointState
from flyball.governor.policy import Policy
from flyball.model.prices import PoolPrice
from flyball.pricing.work import ANSWER_TOKEN_BYTES, PROMPT_TOKEN_BYTES
from flyball.units import Seconds, Usd

ROWS = (
    "ttft_base",
    "ttft_per_token",
    "tpot_base",
    "tpot_per_kv",
    "usd_per_token",
    "usd_per_kv",
    "usd_per_output",
    "usd_per_sent",
    "ttft_trust",
    "tpot_trust",
    "harm_base",
    "harm_per_token",
    "harm_per_kv",
    "weighted_load",
)

PREFILL_SHARE_MAX = 0.8
# Weighted least-request: as if no engine gained from more than 64 sequences at once.
WEIGHT_SEQS_MAX = 64
# Sequences among which a plan shares a step at least, where it has work for them.
PLANNED_SEQS = 64
KV_PRESSURE_FROM = 0.7
TYPICAL_PROMPT_TOKENS = 512.0
TYPICAL_OUTPUT_TOKENS = 256.0


def refresh(
    e: EndpointState,
    at: Seconds,
    policy: Policy,
    price: PoolPrice | None,
    arrival_usd_per_s: float,
    usd_per_byte: Usd = 0.0,
) -> tuple[float, ...]:
    """The row of `ROWS` for endpoint `e`; `arrival_usd_per_s` = value of work arriving there,
    `usd_per_byte` = what the way there costs, shadow price included."""
    decode, mixed = e.decode, e.mixed
    pricing = policy.pricing
    seqs = e.running + e.peer_running + e.foreign_running
    waiting = e.foreign_waiting
    kv = (e.kv + e.peer_kv) * e.kv_share + e.foreign_kv
    backlog = e.pending_prefill + e.peer_prefill + waiting * TYPICAL_PROMPT_TOKENS
    # Work under a guarantee that has not come yet counts as if it waited there already.
    promised = e.reserved + e.peer_reserved
    if promised:
        kv += e.reserved_kv + e.peer_reserved_kv
        backlog += e.reserved_prefill + e.peer_reserved_prefill

    ttft_bias, tpot_bias = e.ttft_bias, e.tpot_bias
    mixed_base = mixed.base_s + mixed.per_seq_s * seqs + mixed.per_kv_token_s * kv
    token_s = mixed.per_prefill_token_s + mixed_base / e.step_tokens_max
    rate = e.prefill_rate * exp(-max(0.0, at - e.prefill_rate_at) / 5.0)
    prefill_share = min(PREFILL_SHARE_MAX, rate * mixed.per_prefill_token_s)
    stretch = tpot_bias / (1.0 - prefill_share)
    tpot_base = stretch * (
        decode.base_s + decode.per_seq_s * (seqs + 1) + decode.per_kv_token_s * kv
    )
    residual = 0.5 * tpot_base if seqs else 0.0
    slots = e.pending + e.peer_pending + waiting + seqs + promised
    wait = 0.0
    seqs_max = e.seqs_max if at >= e.slow_start_until else _seqs_max(e, at, policy)
    if slots >= seqs_max:
        wait = _slot_wait_s(slots, seqs_max, seqs, tpot_base)
    if kv > e.kv_max:
        wait += _kv_wait_s(kv, e.kv_max, tpot_base)
    ttft_base = e.rtt_s + ttft_bias * (
        e.overhead_s + residual + mixed_base + token_s * backlog + wait
    )
    ttft_per_token = ttft_bias * token_s

    harm_seq = harm_kv = harm_stall = harm_arrivals = 0.0
    if e.running:
        harm_seq, harm_kv, harm_stall = _harm_to_running(e, policy, tpot_base, stretch)
    if backlog > 0.0 and arrival_usd_per_s > 0.0:
        slope = _arrivals_slope(policy, ttft_base, backlog * token_s)
        harm_arrivals = arrival_usd_per_s * slope
    weight = pricing.externality_weight
    prefill_s = mixed.per_prefill_token_s
    harm_token = weight * (harm_stall * prefill_s + harm_arrivals * ttft_per_token)

    usd = _resources(e, price, policy, usd_per_byte, seqs, kv, TYPICAL_OUTPUT_TOKENS * tpot_base)
    return (
        ttft_base,
        ttft_per_token,
        tpot_base,
        stretch * decode.per_kv_token_s,
        *usd,
        pricing.ttft_width_s / (pricing.ttft_width_s + e.ttft_error * ttft_base * 0.5),
        pricing.tpot_width_s / (pricing.tpot_width_s + e.tpot_error * tpot_base * 0.5),
        weight * harm_seq,
        harm_token,
        weight * harm_kv,
        (slots + 1) * decode.base_s / min(e.seqs_max, WEIGHT_SEQS_MAX),
    )


def _resources(
    e: EndpointState,
    price: PoolPrice | None,
    policy: Policy,
    usd_per_byte: Usd,
    seqs: int,
    kv: float,
    residence_s: Seconds,
) -> tuple[Usd, Usd, Usd, Usd]:
    """USD per uncached token, per KV token held, per answer token and per token of prompt sent.

    The plan prices GPU time as it will be used, at a large batch; a request that comes to an engine
    at rest displaces nobody there, and is charged its share of such a batch, not of its own. Energy
    is what the steps really take.
    """
    pricing, decode = policy.pricing, e.decode
    weight, prefill_s = pricing.plan_price_weight, e.mixed.per_prefill_token_s
    gpu_usd = (price.usd_per_gpu_second if price else 0.0) * weight
    joule_usd = e.joule_usd + (price.usd_per_joule if price else 0.0) * weight
    watt_usd = joule_usd * e.watts_span
    kv_usd = (
        pricing.kv_price_weight * _kv_pressure(e, kv) * prefill_s * (e.base_usd_per_s + gpu_usd)
    )
    kv_usd += (price.usd_per_kv_token_second if price else 0.0) * residence_s
    planned_s = decode.per_seq_s + decode.base_s / max(min(e.seqs_max, PLANNED_SEQS), seqs + 1.0)
    drawn_s = decode.per_seq_s + decode.base_s / max(8.0, seqs + 1.0)
    return (
        e.input_usd + (gpu_usd + watt_usd) * prefill_s,
        kv_usd,
        e.output_usd + gpu_usd * planned_s + watt_usd * drawn_s + usd_per_byte * ANSWER_TOKEN_BYTES,
        usd_per_byte * PROMPT_TOKEN_BYTES,
    )


def _seqs_max(e: EndpointState, at: Seconds, policy: Policy) -> int:
    """Sequence slots in slow start: they open one after the other over `slow_start_s`."""
    left = e.slow_start_until - at
    return max(1, int(e.seqs_max * (1.0 - left / policy.resilience.slow_start_s)))


def _slot_wait_s(slots: int, seqs_max: int, seqs: int, tpot_s: Seconds) -> Seconds:
    """Wait for a sequence slot: a slot falls free every residence / running seconds."""
    over = slots + 1 - seqs_max
    return over * TYPICAL_OUTPUT_TOKENS * tpot_s / max(1, seqs)


def _kv_wait_s(wanted: float, kv_max: float, tpot_s: Seconds) -> Seconds:
    """Wait for KV space: all that is held falls free over one residence time."""
    return (wanted - kv_max) / kv_max * TYPICAL_OUTPUT_TOKENS * tpot_s


def _harm_to_running(
    e: EndpointState, policy: Policy, tpot_s: Seconds, stretch: float
) -> tuple[float, float, float]:
    """USD per joining sequence, per KV token it holds, and per second of stall."""
    slope = 0.0
    for class_index, count in e.running_by_class.items():
        klass = policy.classes[class_index]
        promised = klass.promise.tpot_s
        if promised > 0.0 and count:
            width = min(policy.pricing.tpot_width_s, 0.25 * promised)
            slope += count * klass.value_usd * _logistic_slope((tpot_s - promised) / width) / width
    return (
        slope * stretch * e.decode.per_seq_s,
        slope * stretch * e.decode.per_kv_token_s,
        slope / TYPICAL_OUTPUT_TOKENS,
    )


def _arrivals_slope(policy: Policy, ttft_s: Seconds, busy_s: Seconds) -> float:
    """Misses per second of delay, per unit of arrival value: those who come while this is busy."""
    klass = policy.classes[0]
    # A class that promises whole answers only: what delays the first token delays those as much.
    promised = klass.promise.ttft_s or klass.promise.e2e_s - klass.client_rtt_s
    if promised <= 0.0:
        return 0.0
    width = min(policy.pricing.ttft_width_s, 0.25 * promised)
    return busy_s * _logistic_slope((ttft_s - promised) / width) / width


def _logistic_slope(z: float) -> float:
    if z > 30.0 or z < -30.0:
        return 0.0
    p = 1.0 / (1.0 + exp(-z))
    return p * (1.0 - p)


def _kv_pressure(e: EndpointState, kv: float) -> float:
    """How surely a new KV token evicts a live session's cache: 0 below 70 % fill, 1 when full."""
    fill = (kv + e.session_tokens) / e.kv_max
    return max(0.0, min(1.0, (fill - KV_PRESSURE_FROM) / (1.0 - KV_PRESSURE_FROM)))
