"""What is the joint problem of one period, as pure data, and what does its answer look like?

maximise   sum_a (value - usd - energy - egress)[a] x[a] - sum_k (usd + idle energy)[k] y[k]
           - sum_p congestion_p(load_p)
subject to sum_{a of class c} x[a]                <= demand_per_s[c]           (demand)
           sum_{a of pool p} r gpu_s[a] x[a]      <= gpu_s_max[p] + sum_k gpu_s[k] y[k]
           sum_{a of pool p} r kv_token_s[a] x[a] <= kv_tokens_max[p] + sum_k kv_tokens[k] y[k]
           sum_{a of site s} r joules[a] x[a] + sum_k watts[k] y[k] <= site_watts_max[s]
           sum_{a of budget b} usd[a] x[a]        <= budget_usd_per_s[b]       (money)
           sum_{a over link l} r link_bytes[a] x[a] <= link_bytes_per_s_max[l] (bandwidth)
           sum_{k of group g} units[k] y[k]       <= group_units_max[g]        (hardware)
           x >= 0,  0 <= y[k] <= replicas_max[k]

x[a] = requests per second of activity a: one class served in one mode at one pool (a context
allowance, speculation, a model tier, KV kept or recomputed between a session's steps: each is an
activity of its own). y[k] = replicas of supply k: those that run and may be stopped, those that
start (with the share of the horizon that is left when they are ready), a power level, a model on
hardware that others may use. The congestion cost is convex in each pool's load = GPU time used /
GPU time there is, so prices move smoothly.

r = 1 + risk_z x pooling[p] x sd[c] / mean[c] is the reserve against demand above its mean (1 where
`risk_z` is 0): a resource is to suffice with the probability of a standard normal below `risk_z`.
That is the deterministic equivalent, mean + z sd, of a chance constraint (Charnes & Cooper 1963,
"Deterministic equivalents for optimizing and satisficing under chance constraints"). It is linear
because the sd of a pool's load is taken as `pooling` times the sum of its classes' own: 1 = they
peak together, 1/sqrt(n) = n like ones that know nothing of each other (the square-root law; Eppen
1979). `pricing.risk` finds it from a plan. Money is spent in the mean: budgets hold no reserve.
"""

from msgspec import Struct

from flyball.units import Ratio, Seconds, Usd, Watts


class Activity(Struct, frozen=True, kw_only=True):
    """One way to serve one class at one pool, per request. Indices are into `Problem`'s tuples.

    `link_bytes` cross the link of `link_index`. Index -1 = no such resource is used.
    """

    class_index: int
    pool_index: int
    mode: str = "full"
    value_usd: Usd = 0.0
    usd: Usd = 0.0
    gpu_s: Seconds = 0.0
    kv_token_s: float = 0.0
    joules: float = 0.0
    budget_index: int = -1
    link_index: int = -1
    link_bytes: float = 0.0


class Columns(Struct, frozen=True, kw_only=True):
    """Many activities, field by field: 30,000 structs take 45 ms to make, their columns 2.

    Each field holds the native bytes of one array (`arrays.pack` makes them): indices of 64-bit
    integers, amounts of 64-bit floats, all of one length. So they compare, travel and keep like
    any other data. `mode_index` points into `modes`.
    """

    class_index: bytes
    pool_index: bytes
    budget_index: bytes
    link_index: bytes
    mode_index: bytes
    value_usd: bytes
    usd: bytes
    gpu_s: bytes
    kv_token_s: bytes
    joules: bytes
    link_bytes: bytes
    modes: tuple[str, ...] = ("full",)

    def __len__(self) -> int:
        return len(self.class_index) // 8


class PoolCapacity(Struct, frozen=True, kw_only=True):
    """What one pool offers per second, and the price of congestion in USD per GPU-second.

    The congestion cost of load u in [0, 1] is G * congestion_usd_per_gpu_s * u^3 / 3 with G all the
    GPU time there is; its marginal price per GPU-second is congestion_usd_per_gpu_s * u^2: zero
    when idle, full when full. `gpu_s_max` and `kv_tokens_max` are there whatever is decided;
    supplies add to them. A pool whose replicas may run at several clocks stands here once for each
    `clock`, under one name; GPU time is told in seconds of full clock.
    """

    name: str
    site_index: int
    gpu_s_max: float
    kv_tokens_max: float
    congestion_usd_per_gpu_s: Usd = 0.0
    pooling: Ratio = 1.0
    clock: Ratio = 1.0


class Supply(Struct, frozen=True, kw_only=True):
    """Replicas that one pool may have, each one in this way, over the horizon of the problem.

    `gpu_s` = GPU time of one per second, in the pool's own seconds: the share of the horizon left
    when it is ready, times its speed. `watts` = drawn by one when idle, from the site's limit.
    `usd_per_s` = money for one, without energy. `units` = accelerators it takes of its group.
    """

    pool_index: int
    kind: str
    replicas_max: float
    gpu_s: float
    kv_tokens: float = 0.0
    usd_per_s: Usd = 0.0
    watts: Watts = 0.0
    group_index: int = -1
    units: float = 0.0


class Problem(Struct, frozen=True, kw_only=True):
    """The whole; `made_at` is echoed in the answer, so that its age is known.

    `demand_per_s` are means, `demand_sd_per_s` their standard deviations (() = certain).
    """

    made_at: Seconds
    class_names: tuple[str, ...]
    demand_per_s: tuple[float, ...]
    pools: tuple[PoolCapacity, ...]
    activities: tuple[Activity, ...] | Columns
    site_names: tuple[str, ...] = ()
    site_watts_max: tuple[float, ...] = ()
    site_usd_per_joule: tuple[Usd, ...] = ()
    budget_names: tuple[str, ...] = ()
    budget_usd_per_s: tuple[Usd, ...] = ()
    segments: int = 8
    link_names: tuple[str, ...] = ()
    link_bytes_per_s_max: tuple[float, ...] = ()
    link_usd_per_byte: tuple[Usd, ...] = ()
    group_names: tuple[str, ...] = ()
    group_units_max: tuple[float, ...] = ()
    supplies: tuple[Supply, ...] = ()
    demand_sd_per_s: tuple[float, ...] = ()
    risk_z: float = 0.0


class Solution(Struct, frozen=True, kw_only=True):
    """Primal and dual answer. All duals are >= 0: USD per unit of the resource named.

    `objective_usd_per_s` and `bound_usd_per_s` are the primal and dual values; residuals are the
    largest violation, relative to the right-hand side's scale. `certify` judges them. `pool_loads`
    hold the reserve. `replicas` = y of each supply, not rounded (`supply.whole_replicas`).
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
    link_prices: tuple[Usd, ...] = ()
    group_prices: tuple[Usd, ...] = ()
    replicas: tuple[float, ...] = ()
