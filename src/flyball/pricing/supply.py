"""How many whole replicas does a plan ask for?

The plan's replicas are shares, as a linear program has them. Rule: what exceeds a whole number by
less than `LEAST_SHARE` is dropped (the reserve and the convex congestion cost cover it), everything
else is rounded up, the largest share first, as long as the supply's own limit, its group's units
and its site's idle watts allow; what does not fit is rounded down. So where it fits, the plan's
rates stay feasible to that share, and it costs at most one replica's money per supply more.
"""

from math import floor, inf

from flyball.pricing.problem import Problem, Solution, Supply
from flyball.units import Ratio

LEAST_SHARE: Ratio = 0.05
_ROUNDING = 1e-6


def whole_replicas(problem: Problem, solution: Solution) -> tuple[int, ...]:
    """Of each supply, in its order."""
    room = _Room(problem)
    counts = [floor(share + _ROUNDING) for share in solution.replicas]
    for supply, count in zip(problem.supplies, counts, strict=True):
        room.take(supply, count)
    shares = [share - count for share, count in zip(solution.replicas, counts, strict=True)]
    for place in sorted(range(len(counts)), key=lambda i: (-shares[i], i)):
        supply = problem.supplies[place]
        within = counts[place] + 1 <= supply.replicas_max + _ROUNDING
        if shares[place] >= LEAST_SHARE and within and room.fits(supply):
            counts[place] += 1
            room.take(supply, 1)
    return tuple(counts)


class _Room:
    """Units of each group and watts of each site that are still free."""

    def __init__(self, problem: Problem) -> None:
        self._site_of = [pool.site_index for pool in problem.pools]
        self._units = dict(enumerate(problem.group_units_max))
        self._watts = dict(enumerate(problem.site_watts_max))

    def take(self, supply: Supply, count: int) -> None:
        if supply.group_index in self._units:
            self._units[supply.group_index] -= count * supply.units
        site = self._site_of[supply.pool_index]
        if site in self._watts:
            self._watts[site] -= count * supply.watts

    def fits(self, supply: Supply) -> bool:
        units = self._units.get(supply.group_index, inf)
        watts = self._watts.get(self._site_of[supply.pool_index], inf)
        return supply.units <= units + _ROUNDING and supply.watts <= watts + _ROUNDING
