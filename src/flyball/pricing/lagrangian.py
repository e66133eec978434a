"""What is a plan worth, and what bound do prices prove on every plan?

With prices lambda (demand, USD/request), pi (GPU, USD/GPU-s), mu (KV, USD/token-s), omega (power,
USD/J) and beta (budget, USD of shadow price per USD spent), all >= 0, and L_p the GPU time used:

    Lagrangian = sum_a x_a r_a + sum_p [pi_p L_p - G_p k_p (L_p/G_p)^3 / 3]
                 + lambda.d + mu.K + omega.W + beta.B
    r_a = worth_a - lambda_c - pi_p g_a - mu_p kv_a - omega_s j_a - beta_b usd_a

Its supremum over x >= 0 and 0 <= L <= G is finite only if every r_a <= 0 (dual feasibility), and is
then an upper bound on the value of *every* feasible plan (weak duality; Boyd & Vandenberghe,
Convex Optimization, 5.2). The inner maximum is closed: u* = min(1, sqrt(pi/k)), and the pool
contributes G (pi u* - k u*^3 / 3). So the bound holds for the true convex problem, whatever found
the prices.
"""

from typing import NamedTuple

import numpy as np

from flyball.pricing.arrays import Arrays, Floats, Ints


class Prices(NamedTuple):
    """Shadow prices as arrays: demand (C,), gpu (P,), kv (P,), watt (S,), budget (B,)."""

    demand: Floats
    gpu: Floats
    kv: Floats
    watt: Floats
    budget: Floats


class Usage(NamedTuple):
    """What a plan uses per second of each resource, in the order of `Prices`."""

    demand: Floats
    gpu: Floats
    kv: Floats
    watt: Floats
    budget: Floats


def _sum_at(index: Ints, amount: Floats, size: int) -> Floats:
    """Sums of `amount` per index; index -1 (no such resource) is dropped."""
    return np.bincount(index + 1, amount, size + 1)[1:].astype(np.float64, copy=False)


def usage(arrays: Arrays, rates: Floats) -> Usage:
    """Resources used by `rates` (n,), requests per second of each activity (most are 0)."""
    uses, pools = arrays.uses, len(arrays.gpu_s_max)
    some = np.flatnonzero(rates)
    rate, pool = rates[some], uses.pool_index[some]
    return Usage(
        _sum_at(uses.class_index[some], rate, len(arrays.demand_per_s)),
        _sum_at(pool, uses.gpu_s[some] * rate, pools),
        _sum_at(pool, uses.kv_token_s[some] * rate, pools),
        _sum_at(arrays.site_index[some], uses.joules[some] * rate, len(arrays.site_watts_max)),
        _sum_at(uses.budget_index[some], uses.usd[some] * rate, len(arrays.budget_usd_per_s)),
    )


def capacity(arrays: Arrays) -> Usage:
    """The right-hand sides, in the order of `Prices`; infinity = unlimited."""
    return Usage(
        arrays.demand_per_s,
        arrays.gpu_s_max,
        arrays.kv_tokens_max,
        arrays.site_watts_max,
        arrays.budget_usd_per_s,
    )


def loads(arrays: Arrays, used: Usage) -> Floats:
    """GPU load of each pool (P,) as a ratio; an empty pool without capacity has load 0."""
    size = arrays.gpu_s_max
    return np.divide(used.gpu, size, out=np.where(used.gpu > 0, np.inf, 0.0), where=size > 0)


def objective(arrays: Arrays, rates: Floats, load: Floats) -> float:
    """Value of the plan in USD/s: worth less the cubic congestion cost."""
    finite = np.where(arrays.gpu_s_max > 0, load, 0.0)
    cost = arrays.gpu_s_max * arrays.congestion_usd_per_gpu_s * finite**3 / 3.0
    return float((arrays.worth_usd * rates).sum() - cost.sum())


def surplus(arrays: Arrays, prices: Prices) -> Floats:
    """Worth of one request of each activity (n,) after every price but its demand's, in USD."""
    uses = arrays.uses
    return (
        arrays.worth_usd
        - prices.gpu[uses.pool_index] * uses.gpu_s
        - prices.kv[uses.pool_index] * uses.kv_token_s
        - np.append(prices.watt, 0.0)[arrays.site_index] * uses.joules
        - np.append(prices.budget, 0.0)[uses.budget_index] * uses.usd
    )


def demand_prices(arrays: Arrays, surplus_usd: Floats) -> Floats:
    """The least demand prices (C,) that make the other prices dual feasible."""
    least = np.zeros(len(arrays.demand_per_s))
    np.maximum.at(least, arrays.uses.class_index, surplus_usd)
    return least


def bound(arrays: Arrays, prices: Prices) -> float:
    """The bound (USD/s) that dual-feasible prices prove; infinite if one is on the unlimited."""
    full = arrays.congestion_usd_per_gpu_s
    ratio = np.divide(prices.gpu, full, out=np.ones_like(full), where=full > 0)
    load = np.sqrt(np.minimum(ratio, 1.0))
    total = float((arrays.gpu_s_max * (prices.gpu * load - full * load**3 / 3.0)).sum())
    priced = capacity(arrays)
    for price, limit in (
        (prices.demand, priced.demand),
        (prices.kv, priced.kv),
        (prices.watt, priced.watt),
        (prices.budget, priced.budget),
    ):
        total += float(np.multiply(price, limit, out=np.zeros_like(price), where=price > 0).sum())
    return total
