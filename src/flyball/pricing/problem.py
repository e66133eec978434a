"""What is the joint problem of one period, as pure data, and what does its answer look like?

maximise   sum_a value_usd[a] x[a] - usd[a] x[a] - energy - sum_p congestion_p(load_p)
subject to sum_{a of class c} x[a]              <= demand_per_s[c]          (demand)
           sum_{a of pool p} gpu_s[a] x[a]      <= gpu_s_max[p]             (GPU time)
           sum_{a of pool p} kv_token_s[a] x[a] <= kv_tokens_max[p]         (KV residency)
           sum_{a of site s} joules[a] x[a]     <= watts_max[s]             (power above idle)
           sum_{a of budget b} usd[a] x[a]      <= budget_usd_per_s[b]      (money)
           x >= 0

x[a] = requests per second of activity a: one class served in one mode at one pool. The congestion
cost is convex in each pool's load = (GPU time used) / gpu_s_max, so prices move smoothly.
"""

from msgspec import Struct

from flyball.units import Ratio, Seconds, Usd


class Activity(Struct, frozen=True, kw_only=True):
    """One way to serve one class at one pool, per request. Indices are into `Problem`'s tuples."""

    class_index: int
    pool_index: int
    mode: str = "full"
    value_usd: Usd = 0.0
    usd: Usd = 0.0
    gpu_s: Seconds = 0.0
    kv_token_s: float = 0.0
    joules: float = 0.0
    budget_index: int = -1


class PoolCapacity(Struct, frozen=True, kw_only=True):
    """What one pool offers per second, and the price of congestion in USD per GPU-second.

    The congestion cost of load u in [0, 1] is gpu_s_max * congestion_usd_per_gpu_s * u^3 / 3, whose
    marginal price per GPU-second is congestion_usd_per_gpu_s * u^2: zero when idle, full when full.
    """

    name: str
    site_index: int
    gpu_s_max: float
    kv_tokens_max: float
    congestion_usd_per_gpu_s: Usd = 0.0


class Problem(Struct, frozen=True, kw_only=True):
    """The whole; `made_at` is echoed in the answer, so that its age is known."""

    made_at: Seconds
    class_names: tuple[str, ...]
    demand_per_s: tuple[float, ...]
    pools: tuple[PoolCapacity, ...]
    activities: tuple[Activity, ...]
    site_names: tuple[str, ...] = ()
    site_watts_max: tuple[float, ...] = ()
    site_usd_per_joule: tuple[Usd, ...] = ()
    budget_names: tuple[str, ...] = ()
    budget_usd_per_s: tuple[Usd, ...] = ()
    segments: int = 8


class Solution(Struct, frozen=True, kw_only=True):
    """Primal and dual answer. All duals are >= 0: USD per unit of the resource named.

    `objective_usd_per_s` and `bound_usd_per_s` are the primal and dual values; residuals are the
    largest violation, relative to the right-hand side's scale. `certify` judges them.
    """

    made_at: Seconds
    solve_s: Seconds
    rates: tuple[float, ...]
    demand_prices: tuple[Usd, ...]
    gpu_prices: tuple[Usd, ...]
    kv_prices: tuple[Usd, ...]
    watt_prices: tuple[Usd, ...]
    budget_prices: tuple[Usd, ...]
    pool_loads: tuple[Ratio, ...]
    objective_usd_per_s: Usd
    bound_usd_per_s: Usd
    status: str = "optimal"
