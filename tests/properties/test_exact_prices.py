"""Is the joint optimum the one that a plain simplex in fractions finds, price by price?

The judge shares no line with the product: it reads the structs by loops, writes the congestion
cost as the convex mix of many breakpoints, and knows nothing of columns, warm starts or HiGHS.
Mixing breakpoints over-states a convex cost, by at most k h^2 / 8 x 2u per GPU-second for steps h.
"""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.pricing.certify import certify
from flyball.pricing.highs import Solver
from flyball.pricing.problem import Activity, PoolCapacity, Problem, Supply
from support.exact import maximise
from support.problems import rich_problem_of

STEPS = 8


class Rows:
    """Rows of a linear program, built by name."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.names: list[str] = []
        self.rows: list[list[float]] = []
        self.limits: list[float] = []

    def add(self, name: str, limit: float, entries: dict[int, float]) -> None:
        if math.isinf(limit):
            return
        self.names.append(name)
        self.rows.append([entries.get(j, 0.0) for j in range(self.columns)])
        self.limits.append(limit)


def factor(problem: Problem, a: Activity) -> float:
    """1 + reserve, by the definition."""
    mean = problem.demand_per_s[a.class_index]
    if not problem.risk_z or not problem.demand_sd_per_s or mean <= 0:
        return 1.0
    pooling = problem.pools[a.pool_index].pooling
    return 1.0 + problem.risk_z * pooling * problem.demand_sd_per_s[a.class_index] / mean


def exactly(problem: Problem) -> tuple[float, dict[str, float]]:
    """(optimum, price of each row) of the problem with congestion along `STEPS` chords."""
    acts, supplies, pools = problem.activities, problem.supplies, problem.pools
    assert isinstance(acts, tuple)
    n, k = len(acts), len(supplies)
    joule = dict(enumerate(problem.site_usd_per_joule))
    worth = [
        a.value_usd
        - a.usd
        - a.joules * joule.get(pools[a.pool_index].site_index, 0.0)
        - (a.link_bytes * problem.link_usd_per_byte[a.link_index] if a.link_index >= 0 else 0.0)
        for a in acts
    ]
    cost = [
        s.usd_per_s + s.watts * joule.get(pools[s.pool_index].site_index, 0.0) for s in supplies
    ]
    nodes = [(p, j / STEPS) for p in range(len(pools)) for j in range(1, STEPS + 1)]
    chords = [pools[p].congestion_usd_per_gpu_s * u**3 / 3 for p, u in nodes]
    f = [factor(problem, a) for a in acts]
    rows = Rows(n + k + len(nodes))
    for c, most in enumerate(problem.demand_per_s):
        rows.add(f"demand{c}", most, {i: 1.0 for i, a in enumerate(acts) if a.class_index == c})
    for p, pool in enumerate(pools):
        here = [i for i, a in enumerate(acts) if a.pool_index == p]
        own = [i for i, s in enumerate(supplies) if s.pool_index == p]
        mix = [(i, u) for i, (q, u) in enumerate(nodes) if q == p]
        entries = {i: f[i] * acts[i].gpu_s for i in here} | {n + k + i: -u for i, u in mix}
        rows.add(f"gpu{p}", 0.0, entries)
        entries = {n + k + i: 1.0 for i, _ in mix} | {n + i: -supplies[i].gpu_s for i in own}
        rows.add(f"size{p}", pool.gpu_s_max, entries)
        entries = {i: f[i] * acts[i].kv_token_s for i in here}
        entries |= {n + i: -supplies[i].kv_tokens for i in own}
        rows.add(f"kv{p}", pool.kv_tokens_max, entries)
    for s, most in enumerate(problem.site_watts_max):
        entries = {
            i: f[i] * a.joules for i, a in enumerate(acts) if pools[a.pool_index].site_index == s
        }
        entries |= {
            n + i: each.watts
            for i, each in enumerate(supplies)
            if pools[each.pool_index].site_index == s
        }
        rows.add(f"watt{s}", most, entries)
    for b, most in enumerate(problem.budget_usd_per_s):
        rows.add(f"budget{b}", most, {i: a.usd for i, a in enumerate(acts) if a.budget_index == b})
    for link, most in enumerate(problem.link_bytes_per_s_max):
        entries = {i: f[i] * a.link_bytes for i, a in enumerate(acts) if a.link_index == link}
        rows.add(f"link{link}", most, entries)
    for g, most in enumerate(problem.group_units_max):
        rows.add(
            f"group{g}",
            most,
            {n + i: s.units for i, s in enumerate(supplies) if s.group_index == g},
        )
    for i, each in enumerate(supplies):
        rows.add(f"most{i}", each.replicas_max, {n + i: 1.0})
    gains = worth + [-each for each in cost] + [-each for each in chords]
    value, _, prices = maximise(gains, rows.rows, rows.limits)
    return float(value), dict(zip(rows.names, map(float, prices), strict=True))


def congestion_slack(problem: Problem) -> float:
    """By how much the chords may over-state the congestion cost, USD/s."""
    most = 0.0
    for p, pool in enumerate(problem.pools):
        size = pool.gpu_s_max
        size += sum(s.gpu_s * s.replicas_max for s in problem.supplies if s.pool_index == p)
        most += size * pool.congestion_usd_per_gpu_s * 2.0 / (8.0 * STEPS**2)
    return most


small = st.builds(
    rich_problem_of,
    seed=st.integers(0, 10**6),
    classes=st.integers(1, 4),
    pools=st.integers(1, 3),
    load=st.floats(0.1, 2.5),
)


@given(problem=small, full=st.sampled_from((0.0, 1.0)))
@settings(max_examples=60, deadline=None)
def test_the_optimum_is_the_exact_one(problem: Problem, full: float) -> None:
    """Without congestion the problem is linear and the two must agree; with it they differ by no
    more than the judge's own chords over-state."""
    import msgspec

    problem = msgspec.structs.replace(
        problem,
        pools=tuple(
            msgspec.structs.replace(p, congestion_usd_per_gpu_s=full * p.congestion_usd_per_gpu_s)
            for p in problem.pools
        ),
    )
    answer = Solver().solve(problem)
    assert certify(problem, answer, 1e-4).ok
    value, _ = exactly(problem)
    near = 1e-4 * abs(value) + 1e-12
    assert value - near <= answer.objective_usd_per_s
    assert answer.objective_usd_per_s <= value + congestion_slack(problem) + near


BASE = Problem(
    made_at=1.0,
    class_names=("chat", "agent"),
    demand_per_s=(4.0, 30.0),
    pools=(
        PoolCapacity(name="a", site_index=0, gpu_s_max=2.0, kv_tokens_max=math.inf),
        PoolCapacity(name="b", site_index=0, gpu_s_max=0.0, kv_tokens_max=math.inf),
    ),
    activities=(
        Activity(class_index=0, pool_index=0, value_usd=5.0, gpu_s=1.0, joules=10.0),
        Activity(
            class_index=0,
            pool_index=1,
            value_usd=4.0,
            usd=0.5,
            gpu_s=1.0,
            joules=20.0,
            budget_index=0,
        ),
        Activity(
            class_index=1,
            pool_index=1,
            value_usd=2.0,
            gpu_s=0.5,
            joules=8.0,
            link_index=0,
            link_bytes=100.0,
        ),
    ),
    site_names=("s",),
    site_watts_max=(1e4,),
    site_usd_per_joule=(0.001,),
    budget_names=("team",),
    budget_usd_per_s=(0.6,),
    link_names=("wan",),
    link_bytes_per_s_max=(1e5,),
    link_usd_per_byte=(1e-4,),
    group_names=("h100",),
    group_units_max=(40.0,),
    supplies=(
        Supply(
            pool_index=1,
            kind="start",
            replicas_max=8.0,
            gpu_s=0.75,
            usd_per_s=0.1,
            watts=5.0,
            group_index=0,
            units=1.0,
        ),
    ),
)


@pytest.mark.parametrize(
    ("name", "scarce"),
    [
        ("demand0", {"budget_usd_per_s": (9.0,), "demand_per_s": (3.0, 8.0)}),
        ("watt0", {"site_watts_max": (150.0,)}),
        ("budget0", {"budget_usd_per_s": (0.3,), "demand_per_s": (9.0, 1.0)}),
        ("link0", {"link_bytes_per_s_max": (900.0,)}),
        ("group0", {"group_units_max": (3.0,)}),
    ],
)
def test_each_price_is_what_one_more_would_earn(
    name: str, scarce: dict[str, tuple[float, ...]]
) -> None:
    """Cases whose prices are unique, each with another scarce resource, against the exact dual."""
    problem: Problem = msgspec.structs.replace(BASE, **scarce)
    answer = Solver(gap_target=1e-9).solve(problem)
    assert certify(problem, answer, 1e-6).ok
    value, prices = exactly(problem)
    assert answer.objective_usd_per_s == pytest.approx(value, rel=1e-9)
    found: dict[str, float] = {}
    for kind in ("demand", "watt", "budget", "link", "group"):
        duals: tuple[float, ...] = getattr(answer, f"{kind}_prices")
        found |= {f"{kind}{i}": price for i, price in enumerate(duals)}
    assert found == pytest.approx({each: prices[each] for each in found}, abs=1e-9)
    assert found[name] > 1e-5, "the scarce one has a price"
    assert 0.0 < answer.replicas[0] < BASE.supplies[0].replicas_max
