"""How long should an agent's KV be kept between two of its steps?

Keeping a token for t seconds costs t times the price of KV; to compute it again costs its prefill
at the price of GPU time. So it is worth keeping up to t* = (GPU price x prefill seconds per token)
/ (KV price): the break-even of keep and recompute (Gray & Putzolu, "The 5 minute rule for trading
memory for disc accesses", SIGMOD 1987). While KV is not scarce its price is 0 and nothing is let
go of before the limit.
"""

from flyball.governor.loops.demand import pool_price
from flyball.governor.loops.setpoint import Wish
from flyball.governor.loops.steering import LoopContext
from flyball.governor.state import State
from flyball.model.loop import Loop
from flyball.pricing.work import Sizes, prefill_s
from flyball.units import Seconds, usd_per_second

HORIZON_S: Seconds = 300.0
TINY = 1e-15

SESSION_CACHE = Loop(
    name="session_cache",
    sensor="prices of KV and of GPU time by pool",
    actuator="pool.kv_keep_s",
    objective="least of KV held and prompts computed again",
    period_s=10.0,
    limit_low=1.0,
    limit_high=3600.0,
    rate_per_s=0.05,
    dead_band=0.1,
    is_relative=True,
)


def wishes(state: State, context: LoopContext) -> list[Wish]:
    """One per pool in scope with a prefix cache."""
    found: list[Wish] = []
    for number in context.pools(state.fleet):
        pool = state.fleet.pools[number]
        if not pool.prefix_cache:
            continue
        price, profile = pool_price(state, pool.name), pool.profile
        gpu_usd = price.usd_per_gpu_second + usd_per_second(profile.usd_per_hour)
        keep_s = keep_seconds(
            gpu_usd, prefill_s(profile, Sizes(1.0, 1.0)), price.usd_per_kv_token_second
        )
        value = min(context.loop.limit_high, keep_s)
        found.append(
            Wish(
                scope=pool.name,
                value=value,
                reason=f"keeping a token costs as much as computing it again after {value:.0f} s",
                present=state.setpoints.value(
                    context.loop.actuator, pool.name, context.loop.limit_high
                ),
            )
        )
    return found


def keep_seconds(gpu_usd_per_s: float, prefill_token_s: Seconds, kv_token_usd: float) -> Seconds:
    """Break-even time, infinite while KV costs nothing."""
    if kv_token_usd <= TINY:
        return float("inf")
    return gpu_usd_per_s * prefill_token_s / kv_token_usd
