"""What is the most that any control could make of this fleet under this load? (Fluid upper bound.)

Perfect information, no chance, no queue: classes flow to pools at constant rates. A replica that
gives a share of its time to one class runs r steps per second, each of which costs the step's base
and yields one token of every running sequence, so at rate x of that class

    base r + x work <= 1        work = mean over requests of
                                       answer (per_seq + per_kv_token (prompt + answer / 2))
                                       + fresh (per_prefill + per_prefill_context context)
    x answer / r <= seqs_max    x (kv answer / r + resident) <= kv_tokens_max
    x fresh / r <= step_tokens_max,  r >= 1 / promised time per token

The most x over r is found in closed form or by bisection (one bound rises with r, the other falls).
Whole shares of replicas per class bound any mixture, since a mixture must run at the pace of its
strictest class. A session's class has two modes: its cache kept between steps (only what is new is
computed, the rest is resident meanwhile) or dropped. Linear step costs as in
`model/profile.py`; decode coefficients for decoding, mixed ones for prompts. At full clocks.

The linear programme over shares is the joint problem of `pricing/` without its congestion cost,
whose certified dual value is the bound.
"""

from collections.abc import Sequence
from math import inf
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from flyball.model.fleet import Fleet, Pool
from flyball.pricing.highs import Solver
from flyball.pricing.problem import Activity, PoolCapacity, Problem
from flyball.units import Ratio, Seconds, Tokens, Usd

Mode = Literal["kept", "dropped"]
_ROUNDS = 50
_SCALE_MAX = 1024.0
_HALVINGS = 12
# Of the demand: what a solver's rounding may leave unserved where all can be served.
_ALL_BUT = 1e-3


class Demand(Struct, frozen=True, kw_only=True):
    """One class's requests, as means per request.

    `fresh` = prompt tokens to compute if caches are kept, `fresh_context` = sum of p * (prefix +
    p / 2) over them, `*_dropped` = the same with nothing in the cache. `answer_context` = answer x
    (prompt + answer / 2), token-steps of KV read. `resident` = token-seconds of KV kept between
    steps. `tpot_s` = promised, inf = none.
    """

    name: str
    rate: float
    value_usd: Usd
    answer: Tokens | float
    answer_context: float
    fresh: float
    fresh_context: float
    fresh_dropped: float
    fresh_context_dropped: float
    resident: float = 0.0
    tpot_s: Seconds = inf
    jurisdictions: tuple[str, ...] = ()

    def over(self, seconds: Seconds) -> "Demand":
        """The same spread over so many seconds, its `rate` being a number of requests."""
        return replace(self, rate=self.rate / seconds)


def rate_max(pool: Pool, one: Demand, mode: Mode = "kept") -> float:
    """Requests per second that one replica gives this class at most; 0 = it may not or cannot."""
    profile, limits = pool.profile, pool.profile.limits
    decode, mixed = profile.decode, profile.mixed
    kept = mode == "kept"
    fresh = one.fresh if kept else one.fresh_dropped
    context = one.fresh_context if kept else one.fresh_context_dropped
    base = max(1e-9, decode.base_s + min((0.0, *(more for _, more in decode.curve))))
    work = one.answer * decode.per_seq_s + one.answer_context * decode.per_kv_token_s
    work += fresh * mixed.per_prefill_token_s + context * mixed.per_prefill_context_s
    least = 1.0 / one.tpot_s
    if base * least >= 1.0:
        return 0.0

    def by_time(steps: float) -> float:
        return (1.0 - base * steps) / work if work > 0.0 else inf

    def by_room(steps: float) -> float:
        resident = one.resident if kept else 0.0
        return min(
            limits.seqs_max * steps / one.answer if one.answer else inf,
            limits.kv_tokens_max / max(1e-9, one.answer_context / max(steps, 1e-9) + resident),
            limits.step_tokens_max * steps / fresh if fresh else inf,
        )

    low, high = max(least, 1e-9), 1.0 / base
    if by_room(low) >= by_time(low):
        return by_time(low)
    for _ in range(_ROUNDS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if by_room(middle) < by_time(middle) else (low, middle)
    return by_room(low)


def value_max(fleet: Fleet, demands: Sequence[Demand]) -> Usd:
    """The most value per second that the fleet can make of these requests."""
    asked = [one for one in demands if one.rate > 0.0]
    if not asked:
        return 0.0
    worths = [one.value_usd for one in asked]
    return Solver().solve(_problem(fleet, asked, 1.0, worths)).bound_usd_per_s


def headroom(fleet: Fleet, demands: Sequence[Demand]) -> Ratio:
    """The multiple of the demand at which the fleet could just still serve all of it.

    0 if there is none, or a class that nothing can serve; at most 1,024.
    """
    asked = [one for one in demands if one.rate > 0.0]
    if not asked:
        return 0.0
    solver, total = Solver(), sum(one.rate for one in asked)

    def is_served(scale: float) -> bool:
        found = solver.solve(_problem(fleet, asked, scale, [1.0] * len(asked)))
        return found.bound_usd_per_s >= (1.0 - _ALL_BUT) * total * scale

    low, high = 0.0, 1.0
    while is_served(high) and high < _SCALE_MAX:
        low, high = high, 2.0 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if is_served(middle) else (low, middle)
    return low


def _problem(
    fleet: Fleet, demands: Sequence[Demand], scale: float, worths: Sequence[Usd]
) -> Problem:
    replicas = {pool.name: 0 for pool in fleet.pools}
    for endpoint in fleet.endpoints:
        replicas[endpoint.pool] += 1
    activities: list[Activity] = []
    for c, one in enumerate(demands):
        for p, pool in enumerate(fleet.pools):
            where = fleet.site_of(pool).jurisdiction
            if one.jurisdictions and where not in one.jurisdictions:
                continue
            rate = max(rate_max(pool, one, mode) for mode in _modes(one))
            if rate > 0.0:
                worth = worths[c]
                activities.append(
                    Activity(class_index=c, pool_index=p, value_usd=worth, gpu_s=1.0 / rate)
                )
    return Problem(
        made_at=0.0,
        class_names=tuple(one.name for one in demands),
        demand_per_s=tuple(one.rate * scale for one in demands),
        pools=tuple(
            PoolCapacity(
                name=pool.name,
                site_index=0,
                gpu_s_max=float(replicas[pool.name]),
                kv_tokens_max=1.0,
            )
            for pool in fleet.pools
        ),
        activities=tuple(activities),
        site_names=("all",),
        site_watts_max=(inf,),
        site_usd_per_joule=(0.0,),
    )


def _modes(one: Demand) -> tuple[Mode, ...]:
    return ("kept", "dropped") if one.resident else ("kept",)
