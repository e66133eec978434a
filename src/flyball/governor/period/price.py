"""What should each scarce resource cost: which problem to pose, and may the answer be believed?

`pose` builds the joint problem from estimates; `judge` certifies the answer, smooths the prices
(exponentially, as LP duals jump) and makes the next board. A bad answer changes nothing: the old
board ages until its stated end, after which consumers go on with live prices alone.
"""

from flyball.governor.commands import Command, Record, Solve
from flyball.governor.endpoint import EndpointState
from flyball.governor.events import Solved
from flyball.governor.flight import ANYONE
from flyball.governor.scope import residency
from flyball.governor.state import State
from flyball.governor.tally import ClassTally
from flyball.model.decision import PricesSet
from flyball.model.fleet import Pool
from flyball.model.prices import PoolPrice, PriceBoard
from flyball.model.request import RequestClass
from flyball.pricing.certify import certify
from flyball.pricing.problem import Activity, PoolCapacity, Problem, Solution
from flyball.pricing.work import Sizes, batch_max, work
from flyball.units import Seconds, usd_per_joule

RATE_PER_S_MIN = 1e-3
# Serving late is worth a little still: it keeps the problem's demand prices honest under overload.
LATE_VALUE_RATIO = 0.1


def pose(state: State, at: Seconds, out: list[Command]) -> None:
    """Ask for new prices when they are due and there is demand to price."""
    if state.solving or at < state.solve_due:
        return
    problem = build_problem(state, at)
    if not problem.activities:
        return
    state.solving = True
    state.solve_due = at + state.policy.pricing.solve_interval_s
    state.problem = problem
    out.append(Solve(problem))


def build_problem(state: State, at: Seconds) -> Problem:
    """Classes with demand × pools that may serve them, from the current estimates."""
    fleet, view = state.fleet, state.view
    sites = {site.name: number for number, site in enumerate(fleet.sites)}
    capacities = [
        _capacity(pool, sites[pool.site], view.endpoints, number)
        for number, pool in enumerate(fleet.pools)
    ]
    names: list[str] = []
    demand: list[float] = []
    activities: list[Activity] = []
    for klass in state.policy.classes:
        tally = state.tallies[klass.name]
        if tally.rate_per_s < RATE_PER_S_MIN:
            continue
        allowed = residency(ANYONE, klass, "")
        for number, pool in enumerate(fleet.pools):
            site = fleet.sites[sites[pool.site]]
            if capacities[number].gpu_s_max and (allowed is None or site.jurisdiction in allowed):
                activities.append(_activity(len(names), number, klass, tally, pool, site.rtt_s))
        names.append(klass.name)
        demand.append(tally.rate_per_s)
    return Problem(
        made_at=at,
        class_names=tuple(names),
        demand_per_s=tuple(demand),
        pools=tuple(capacities),
        activities=tuple(activities),
        site_names=tuple(site.name for site in fleet.sites),
        site_watts_max=tuple(site.power_watts_max for site in fleet.sites),
        site_usd_per_joule=tuple(usd_per_joule(site.usd_per_kwh) for site in fleet.sites),
    )


def _capacity(
    pool: Pool, site_index: int, endpoints: list[EndpointState], number: int
) -> PoolCapacity:
    """GPU time and KV of the pool's endpoints that are in service."""
    live = sum(1 for e in endpoints if e.pool_index == number and not e.draining)
    profile = pool.profile
    return PoolCapacity(
        name=pool.name,
        site_index=site_index,
        gpu_s_max=float(live),
        kv_tokens_max=float(live * profile.limits.kv_tokens_max),
        congestion_usd_per_gpu_s=max(1e-4, 10.0 * profile.usd_per_hour / 3600.0),
    )


def _activity(
    class_index: int,
    pool_index: int,
    klass: RequestClass,
    tally: ClassTally,
    pool: Pool,
    rtt_s: Seconds,
) -> Activity:
    """Work of one request there, at the largest batch that keeps the class's promise."""
    profile, promised = pool.profile, klass.promise
    sizes = Sizes(tally.input_tokens, tally.output_tokens, tally.cached_ratio)
    batch = batch_max(profile, sizes.kv_tokens, promised.tpot_s)
    in_time = batch >= 1.0 or not promised.tpot_s
    if promised.ttft_s:
        in_time = in_time and rtt_s + profile.mixed.base_s < promised.ttft_s
    used = work(profile, sizes, max(1.0, batch))
    tokens_usd = (
        tally.input_tokens * pool.usd_per_million_input_tokens
        + tally.output_tokens * pool.usd_per_million_output_tokens
    ) / 1e6
    return Activity(
        class_index=class_index,
        pool_index=pool_index,
        value_usd=klass.value_usd * (1.0 if in_time else LATE_VALUE_RATIO),
        usd=tokens_usd,
        gpu_s=used.gpu_s,
        kv_token_s=used.kv_token_s,
        joules=used.joules,
    )


def judge(state: State, event: Solved, out: list[Command]) -> PriceBoard | None:
    """The next board, or None (and a record of why) if the answer is not good enough."""
    state.solving = False
    problem, solution = state.problem, event.solution
    pricing = state.policy.pricing
    if problem is None:
        return None
    if solution is None:
        out.append(Record(_refusal(state, event.at, 0.0, 0.0, event.error or "no answer")))
        return None
    verdict = certify(problem, solution, pricing.solver_gap_max)
    if not verdict.ok:
        refusal = _refusal(state, event.at, verdict.gap, solution.solve_s, verdict.reason)
        out.append(Record(refusal))
        return None
    old = state.view.board
    return PriceBoard(
        version=old.version + 1 if old.version else state.version_floor + 1,
        made_at=event.at,
        valid_until=event.at + pricing.board_valid_s,
        pools=_smooth(problem, solution, old, pricing.smoothing),
        gap=verdict.gap,
    )


def _smooth(
    problem: Problem, solution: Solution, old: PriceBoard, share: float
) -> tuple[PoolPrice, ...]:
    """new = old + share * (dual - old); the first board takes the duals as they are."""
    before = {price.pool: price for price in old.pools}
    prices: list[PoolPrice] = []
    for number, pool in enumerate(problem.pools):
        last = before.get(pool.name)
        watt = solution.watt_prices[pool.site_index] if solution.watt_prices else 0.0
        prices.append(
            PoolPrice(
                pool=pool.name,
                usd_per_gpu_second=_toward(
                    last.usd_per_gpu_second if last else None, solution.gpu_prices[number], share
                ),
                usd_per_kv_token_second=_toward(
                    last.usd_per_kv_token_second if last else None,
                    solution.kv_prices[number],
                    share,
                ),
                usd_per_joule=_toward(last.usd_per_joule if last else None, watt, share),
                load=solution.pool_loads[number],
            )
        )
    return tuple(prices)


def _toward(old: float | None, new: float, share: float) -> float:
    return new if old is None else old + share * (new - old)


def _refusal(state: State, at: Seconds, gap: float, solve_s: Seconds, reason: str) -> PricesSet:
    return PricesSet(
        id=state.record_id("prices"),
        at=at,
        version=state.view.board.version,
        published=False,
        gap=gap,
        solve_s=solve_s,
        reason=reason,
        prices=(),
    )
