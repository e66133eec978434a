"""Are replicas rounded by the stated rule, and never beyond a limit?"""

import math

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.pricing.highs import Solver
from flyball.pricing.problem import Activity, PoolCapacity, Problem, Solution, Supply
from flyball.pricing.supply import LEAST_SHARE, whole_replicas
from support.problems import rich_problem_of


def supply(**fields: object) -> Supply:
    start = Supply(
        pool_index=0, kind="run", replicas_max=4.0, gpu_s=1.0, group_index=0, units=1.0, watts=10.0
    )
    return msgspec.structs.replace(start, **fields)


def rounded(
    shares: tuple[float, ...], units: float = 99.0, watts: float = 999.0, most: float = 4.0
) -> tuple[int, ...]:
    problem = Problem(
        made_at=0.0,
        class_names=("c",),
        demand_per_s=(1.0,),
        pools=(PoolCapacity(name="p", site_index=0, gpu_s_max=0.0, kv_tokens_max=math.inf),),
        activities=(Activity(class_index=0, pool_index=0),),
        site_names=("s",),
        site_watts_max=(watts,),
        site_usd_per_joule=(0.0,),
        group_names=("g",),
        group_units_max=(units,),
        supplies=tuple(supply(replicas_max=most) for _ in shares),
    )
    answer = msgspec.structs.replace(Solver().solve(problem), replicas=shares)
    return whole_replicas(problem, answer)


def test_up_but_for_a_trifle() -> None:
    assert rounded((1.5, 0.2, 2.0, 0.04, 3.0000001)) == (2, 1, 2, 0, 3)


def test_the_largest_share_has_what_room_there_is() -> None:
    assert rounded((1.3, 1.6, 0.4), units=4.0) == (1, 2, 1)
    assert rounded((1.3, 1.6, 0.4), units=3.0) == (1, 2, 0)
    assert rounded((1.3, 1.6), watts=30.0) == (1, 2)
    assert rounded((1.3, 1.6), watts=25.0) == (1, 1)


def test_no_more_than_there_may_be() -> None:
    assert rounded((2.5,), most=2.5) == (2,)


@given(seed=st.integers(0, 10**6), load=st.floats(0.1, 2.0))
@settings(max_examples=40, deadline=None)
def test_every_limit_holds_and_nothing_is_short_without_one(seed: int, load: float) -> None:
    problem = rich_problem_of(seed, 3, 3, load)
    answer: Solution = Solver().solve(problem)
    counts = whole_replicas(problem, answer)
    units, watts = [0.0] * len(problem.group_units_max), [0.0] * len(problem.site_watts_max)
    for one, count, share in zip(problem.supplies, counts, answer.replicas, strict=True):
        assert count <= one.replicas_max and abs(count - share) < 1.0
        watts[problem.pools[one.pool_index].site_index] += count * one.watts
        if one.group_index >= 0:
            units[one.group_index] += count * one.units
    for used, most in zip(
        (*units, *watts), (*problem.group_units_max, *problem.site_watts_max), strict=True
    ):
        assert used <= most + 1e-5
    free = all(u + 2 <= m for u, m in zip(units, problem.group_units_max, strict=True))
    free &= all(w + 60 <= m for w, m in zip(watts, problem.site_watts_max, strict=True))
    if free:
        for one, count, share in zip(problem.supplies, counts, answer.replicas, strict=True):
            assert count > share - LEAST_SHARE or count + 1 > one.replicas_max
