"""What is a plan worth, and what bound do prices prove on every plan?

With prices lambda (demand, USD/request), pi (GPU, USD/GPU-s), mu (KV, USD/token-s), omega (power,
USD/J), beta (budget, USD of shadow price per USD spent), theta (link, USD/byte) and gamma (group,
USD per accelerator-second), all >= 0, L_p the GPU time used and G_p = G0_p + sum_k gpu_k y_k that
there is:

    Lagrangian = sum_a x_a r_a + sum_p [pi_p L_p - G_p k_p (L_p/G_p)^3 / 3] + sum_k y_k q_k'
                 + lambda.d + mu.K + omega.W + beta.B + theta.T + gamma.H
    r_a  = worth_a - lambda_c - pi_p g_a - mu_p kv_a - omega_s j_a - beta_b usd_a - theta_l bytes_a
    q_k' = mu_p kv_k - usd_k - omega_s watts_k - gamma_g units_k

Its supremum over x >= 0, 0 <= L <= G and 0 <= y <= y_max is finite only if every r_a <= 0 (dual
feasibility), and is then an upper bound on the value of *every* feasible plan (weak duality; Boyd &
Vandenberghe, Convex Optimization, 5.2). The inner maximum over L is closed: u* = min(1,
sqrt(pi/k)), and each GPU-second of capacity contributes eta = pi u* - k u*^3 / 3. That is what
capacity is worth (the cost is convex in L and G together, as it is the perspective of a convex
one; same book, 3.2.6), so the pool contributes G0 eta and a supply y_max max(0, eta gpu_k + q_k').
The bound holds for the true convex problem, whatever found the prices.
"""

from typing import NamedTuple

import numpy as np

from flyball.pricing.arrays import Arrays, Floats, Ints

_NONE = np.zeros(0)
_NONE.setflags(write=False)


class Prices(NamedTuple):
    """Shadow prices as arrays: demand (C,), gpu (P,), kv (P,), watt (S,), budget (B,), link (L,),
    group (H,)."""

    demand: Floats
    gpu: Floats
    kv: Floats
    watt: Floats
    budget: Floats
    link: Floats = _NONE
    group: Floats = _NONE


class Usage(NamedTuple):
    """What a plan uses per second of each resource, in the order of `Prices`."""

    demand: Floats
    gpu: Floats
    kv: Floats
    watt: Floats
    budget: Floats
    link: Floats = _NONE
    group: Floats = _NONE


def _sum_at(index: Ints, amount: Floats, size: int) -> Floats:
    """Sums of `amount` per index; index -1 (no such resource) is dropped."""
    return np.bincount(index + 1, amount, size + 1)[1:].astype(np.float64, copy=False)


def usage(arrays: Arrays, rates: Floats, replicas: Floats = _NONE) -> Usage:
    """Resources used by `rates` (n,), requests per second of each activity (most are 0), and by
    `replicas` (k,) of each supply (none given = none)."""
    uses, pools = arrays.uses, len(arrays.gpu_s_max)
    some = np.flatnonzero(rates)
    rate, pool = rates[some], uses.pool_index[some]
    watt = _sum_at(arrays.site_index[some], uses.joules[some] * rate, len(arrays.site_watts_max))
    group = np.zeros(len(arrays.group_units_max))
    if replicas.size:
        idle, group = _used_by(arrays, replicas)
        watt = watt + idle
    links = len(arrays.link_bytes_per_s_max)
    return Usage(
        _sum_at(uses.class_index[some], rate, len(arrays.demand_per_s)),
        _sum_at(pool, uses.gpu_s[some] * rate, pools),
        _sum_at(pool, uses.kv_token_s[some] * rate, pools),
        watt,
        _sum_at(uses.budget_index[some], uses.usd[some] * rate, len(arrays.budget_usd_per_s)),
        _sum_at(uses.link_index[some], uses.link_bytes[some] * rate, links) if links else _NONE,
        group,
    )


def _used_by(arrays: Arrays, replicas: Floats) -> tuple[Floats, Floats]:
    """Watts per site and units per group that the replicas themselves take."""
    supplies = arrays.supplies
    return (
        _sum_at(supplies.site_index, supplies.watts * replicas, len(arrays.site_watts_max)),
        _sum_at(supplies.group_index, supplies.units * replicas, len(arrays.group_units_max)),
    )


def capacity(arrays: Arrays, replicas: Floats = _NONE) -> Usage:
    """The right-hand sides, in the order of `Prices`, with what `replicas` (k,) of each supply add;
    infinity = unlimited."""
    gpu, kv = arrays.gpu_s_max, arrays.kv_tokens_max
    if replicas.size:
        supplies, pools = arrays.supplies, len(gpu)
        gpu = gpu + _sum_at(supplies.pool_index, supplies.gpu_s * replicas, pools)
        kv = kv + _sum_at(supplies.pool_index, supplies.kv_tokens * replicas, pools)
    return Usage(
        arrays.demand_per_s,
        gpu,
        kv,
        arrays.site_watts_max,
        arrays.budget_usd_per_s,
        arrays.link_bytes_per_s_max,
        arrays.group_units_max,
    )


def loads(arrays: Arrays, used: Usage, replicas: Floats = _NONE) -> Floats:
    """GPU load of each pool (P,) as a ratio; an empty pool without capacity has load 0."""
    size = capacity(arrays, replicas).gpu
    return np.divide(used.gpu, size, out=np.where(used.gpu > 0, np.inf, 0.0), where=size > 0)


def objective(arrays: Arrays, rates: Floats, load: Floats, replicas: Floats = _NONE) -> float:
    """Value of the plan in USD/s: worth less the cubic congestion cost and the replicas' own."""
    size = capacity(arrays, replicas).gpu
    finite = np.where(size > 0, load, 0.0)
    cost = size * arrays.congestion_usd_per_gpu_s * finite**3 / 3.0
    worth = float((arrays.worth_usd * rates).sum() - cost.sum())
    return worth - float(arrays.supplies.usd_per_s @ replicas) if replicas.size else worth


def surplus(arrays: Arrays, prices: Prices) -> Floats:
    """Worth of one request of each activity (n,) after every price but its demand's, in USD."""
    uses = arrays.uses
    left = (
        arrays.worth_usd
        - prices.gpu[uses.pool_index] * uses.gpu_s
        - prices.kv[uses.pool_index] * uses.kv_token_s
        - np.append(prices.watt, 0.0)[arrays.site_index] * uses.joules
        - np.append(prices.budget, 0.0)[uses.budget_index] * uses.usd
    )
    if prices.link.any():
        left -= np.append(prices.link, 0.0)[uses.link_index] * uses.link_bytes
    return left


def demand_prices(arrays: Arrays, surplus_usd: Floats) -> Floats:
    """The least demand prices (C,) that make the other prices dual feasible."""
    least = np.zeros(len(arrays.demand_per_s))
    np.maximum.at(least, arrays.uses.class_index, surplus_usd)
    return least


def capacity_worth(arrays: Arrays, prices: Prices) -> Floats:
    """What one more GPU-second of capacity per second is worth in each pool (P,), USD: eta."""
    full = arrays.congestion_usd_per_gpu_s
    ratio = np.divide(prices.gpu, full, out=np.ones_like(full), where=full > 0)
    load = np.sqrt(np.minimum(ratio, 1.0))
    return prices.gpu * load - full * load**3 / 3.0


def supply_gains(arrays: Arrays, prices: Prices) -> Floats:
    """What one replica of each supply earns at these prices (k,), USD per second: below 0, it
    costs more than it relieves."""
    supplies = arrays.supplies
    return (
        capacity_worth(arrays, prices)[supplies.pool_index] * supplies.gpu_s
        + prices.kv[supplies.pool_index] * supplies.kv_tokens
        - supplies.usd_per_s
        - np.append(prices.watt, 0.0)[supplies.site_index] * supplies.watts
        - np.append(prices.group, 0.0)[supplies.group_index] * supplies.units
    )


def gap(arrays: Arrays, worth: float, proven: float) -> float:
    """(bound - objective) relative to the larger, but to no less than a billionth of what all
    demand could be worth: where next to nothing can be earned, rounding is no gap."""
    most = float(arrays.demand_per_s.sum()) * float(np.abs(arrays.worth_usd).max(initial=0.0))
    scale = max(abs(proven), abs(worth), 1e-9 * most)
    return (proven - worth) / scale if scale > 0 else 0.0


def bound(arrays: Arrays, prices: Prices) -> float:
    """The bound (USD/s) that dual-feasible prices prove; infinite if one is on the unlimited."""
    total = float((arrays.gpu_s_max * capacity_worth(arrays, prices)).sum())
    for name, price, limit in zip(Prices._fields, prices, capacity(arrays), strict=True):
        if name != "gpu" and price.size:
            paid = np.multiply(price, limit, out=np.zeros_like(price), where=price > 0)
            total += float(paid.sum())
    if arrays.supplies.gpu_s.size:
        gains = np.maximum(supply_gains(arrays, prices), 0.0)
        total += float(arrays.supplies.replicas_max @ gains)
    return total
