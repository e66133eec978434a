"""What is one replica more, or one less, worth a second?

Work asked for is uncertain: X GPU-seconds per second, normal with mean w and deviation s. A pool of
n replicas leaves E[(X - n)+] of it undone, worth v USD per GPU-second. So the price of GPU time at
capacity n is v P(X > n), the dual of the chance-constrained capacity, and a replica is worth the
integral of that price over the capacity it adds (newsvendor; Porteus, Foundations of Stochastic
Inventory Theory, 2002, ch. 1):

    E[(X - n)+] = s (phi(z) - z (1 - Phi(z))),  z = (n - w) / s
"""

from math import erfc, exp, pi, sqrt

from msgspec import Struct

from flyball.units import Seconds, Usd

TINY = 1e-12


class Work(Struct, frozen=True):
    """Work that a pool is about to be asked for: GPU-seconds per second, its deviation, and what a
    GPU-second of it is worth."""

    mean: float
    deviation: float
    usd_per_gpu_s: Usd


class ReplicaCost(Struct, frozen=True):
    """Of one replica: USD per second while it is on, USD to start one (the time in which it is paid
    and does nothing) and USD lost with the caches of the one that would go."""

    usd_per_s: Usd
    start_usd: Usd = 0.0
    stop_usd: Usd = 0.0


def undone(work: Work, replicas: float) -> float:
    """Expected GPU-seconds per second that so many replicas leave undone."""
    spread = work.deviation
    if spread <= TINY:
        return max(0.0, work.mean - replicas)
    z = (replicas - work.mean) / spread
    density = exp(-0.5 * z * z) / sqrt(2.0 * pi)
    return spread * max(0.0, density - z * 0.5 * erfc(z / sqrt(2.0)))


def price(work: Work, replicas: float) -> Usd:
    """USD per GPU-second at that capacity: v P(X > n)."""
    if work.deviation <= TINY:
        return work.usd_per_gpu_s if work.mean > replicas else 0.0
    z = (replicas - work.mean) / work.deviation
    return work.usd_per_gpu_s * 0.5 * erfc(z / sqrt(2.0))


def relief(work: Work, replicas: int) -> Usd:
    """USD per second that the last of so many replicas earns; never rises with their number."""
    less = undone(work, replicas - 1) - undone(work, replicas)
    return work.usd_per_gpu_s * max(0.0, less)


def best_count(
    work: Work, present: int, low: int, high: int, cost: ReplicaCost, horizon_s: Seconds
) -> int:
    """How many replicas to have. One is added while what it earns over the horizon covers its cost
    and its start; one goes while what it costs exceeds what it earns and the caches lost with it.

    Between the two nothing moves: moving has a price of its own.
    """
    count = min(high, max(low, present))
    add_usd_per_s = cost.usd_per_s + cost.start_usd / horizon_s
    while count < high and relief(work, count + 1) > add_usd_per_s:
        count += 1
    if count > present:
        return count
    keep_usd_per_s = cost.usd_per_s - cost.stop_usd / horizon_s
    while count > low and relief(work, count) < keep_usd_per_s:
        count -= 1
    return count
