"""At which share of full clock should each pool run, at this price of a watt?

Clocks are priced, not shared out: at clock f a pool of n replicas can do n f, and draws dynamic
power in proportion to f^3 while it works 1 / f as long, so energy for its work goes with f^2
(`sim.power` has the source). Each pool takes the f that is cheapest for it:

    minimise over f:  v E[(X - n f)+] + e D u f^2

with X the work asked for (in replicas), v its worth, D the dynamic watts at full clock, u its load
and e the price of a joule: the tariff plus the watt's shadow price. At a site with a limit, e is
raised until what all pools take fits: the price that clears the site. So the pool whose time is
worth least slows down first, and a site below its limit only saves what costs nobody a promise.
"""

from collections.abc import Sequence
from math import hypot
from typing import NamedTuple

from flyball.governor.endpoint import EndpointState
from flyball.governor.loops.demand import RATE_PER_S_MIN, demand, pool_price, running_work
from flyball.governor.loops.setpoint import Wish
from flyball.governor.loops.steering import LoopContext
from flyball.governor.loops.worth import Work, undone
from flyball.governor.state import State
from flyball.model.fleet import Site
from flyball.model.loop import Loop
from flyball.pricing.work import Sizes, prefill_s
from flyball.units import Ratio, Usd, Watts, usd_per_joule

# Data-centre GPUs cannot be clocked much lower (POLCA's lowest cap is 0.56 of full).
CLOCK_MIN: Ratio = 0.56
CLOCK_STEPS = 22
LIMIT_SHARE: Ratio = 0.97
PRICE_STEPS = 40
USD_PER_JOULE_MAX: Usd = 1.0
# Of what is promised per token, and for the first one, a slowed step and prompt may take so much.
STEP_SHARE: Ratio = 0.8
FIRST_SHARE: Ratio = 0.2
HORIZON_S = 60.0

POWER = Loop(
    name="power",
    sensor="watts by site; demand by class; sequences by endpoint",
    actuator="pool.clock",
    objective="least of energy and value not served in time, below each site's limit",
    period_s=1.0,
    delay_s=1.0,
    limit_low=CLOCK_MIN,
    limit_high=1.0,
    rate_per_s=0.5,
    dead_band=0.02,
    feedback=0.5,
)


class Draw(NamedTuple):
    """One pool at a site: `watts` = dynamic power at full clock, `idle` the rest; `replicas` that
    run, and the work asked of them."""

    pool: str
    replicas: int
    work: Work
    load: Ratio
    watts: Watts
    idle: Watts
    clock_min: Ratio


def wishes(state: State, context: LoopContext) -> list[Wish]:
    """One per pool in scope that runs at all."""
    found: list[Wish] = []
    counts = [float(len(_running(state, n))) for n in range(len(state.fleet.pools))]
    asked = demand(state, counts, lambda number: True)
    for site in state.fleet.sites:
        draws: list[Draw] = []
        for number, pool in enumerate(state.fleet.pools):
            if pool.site == site.name and counts[number]:
                work = Work(asked[number].work, asked[number].burst, asked[number].usd_per_gpu_s)
                context.forecast(pool.name).read(work.mean)
                draw = _draw(state, number, _running(state, number), work)
                draws.append(draw if context.knows(pool.name) else _unknown(draw))
        if draws:
            found += _site(state, context, site, draws)
    return found


def _unknown(draw: Draw) -> Draw:
    """Before demand is known each pool counts as fully used and worth the same."""
    full = Work(float(draw.replicas), 0.1 * draw.replicas, 1.0)
    return draw._replace(work=full, load=1.0, clock_min=1.0)


def _running(state: State, pool_number: int) -> list[EndpointState]:
    return [e for e in state.view.endpoints if e.pool_index == pool_number and not e.draining]


def _draw(state: State, number: int, members: list[EndpointState], work: Work) -> Draw:
    pool = state.fleet.pools[number]
    power, count = pool.profile.power, len(members)
    clock = _clock(state, pool.name)
    watts = sum(power.watts(one.sequences) - power.idle_watts for one in members)
    # What is there now has piled up at the clock of now: at full clock it would be less.
    live = running_work(state, number) * clock
    seen = Work(max(work.mean, live), hypot(work.deviation, 0.05 * live), work.usd_per_gpu_s)
    floor = max((_clock_for_promise(state, one) for one in members), default=CLOCK_MIN)
    return Draw(
        pool.name, count, seen, min(1.0, seen.mean / count), watts, power.idle_watts * count, floor
    )


def _clock_for_promise(state: State, one: EndpointState) -> Ratio:
    """The clock at which a token still takes no longer than is promised to those that run there,
    and a mean prompt no more than a share of the time promised for its first token (the rest is
    for waiting)."""
    floor = CLOCK_MIN
    step_s = one.tpot_bias * one.pool.profile.decode_step_s(one.sequences, one.kv * one.kv_share)
    for index, klass in enumerate(state.policy.classes):
        promise, tally = klass.promise, state.tallies[klass.name]
        if promise.tpot_s > 0.0 and one.running_by_class.get(index):
            floor = max(floor, step_s / (STEP_SHARE * promise.tpot_s))
        if promise.ttft_s > one.rtt_s and tally.rate_per_s >= RATE_PER_S_MIN:
            sizes = Sizes(tally.input_tokens, tally.output_tokens, tally.cached_ratio)
            first_s = prefill_s(one.pool.profile, sizes) + step_s
            floor = max(floor, first_s / (FIRST_SHARE * (promise.ttft_s - one.rtt_s)))
    return min(1.0, floor)


def _site(state: State, context: LoopContext, site: Site, draws: Sequence[Draw]) -> list[Wish]:
    tariff = usd_per_joule(site.usd_per_kwh)
    tariff += max(pool_price(state, draw.pool).usd_per_joule for draw in draws)
    usd, clocks = cleared(draws, tariff, LIMIT_SHARE * site.power_watts_max)
    drawn = sum(
        draw.idle + draw.watts * clock**3 for draw, clock in zip(draws, clocks, strict=True)
    )
    is_over = _present_watts(state, draws) > LIMIT_SHARE * site.power_watts_max
    reason = f"a joule costs {usd * 3.6e6:.3g} USD/kWh here: {drawn:,.0f} W"
    return [
        Wish(
            scope=draw.pool,
            value=clock,
            reason=reason,
            present=_clock(state, draw.pool),
            is_urgent=is_over and clock < _clock(state, draw.pool),
        )
        for draw, clock in zip(draws, clocks, strict=True)
        if context.allows(draw.pool) or context.allows(site.name)
    ]


def _present_watts(state: State, draws: Sequence[Draw]) -> Watts:
    return sum(draw.idle + draw.watts * _clock(state, draw.pool) ** 3 for draw in draws)


def _clock(state: State, pool: str) -> Ratio:
    return state.setpoints.value(POWER.actuator, pool, 1.0)


def cleared(
    draws: Sequence[Draw], usd_per_joule_min: Usd, watts_max: Watts
) -> tuple[Usd, list[Ratio]]:
    """(price of a joule, clock of each pool): the least price from `usd_per_joule_min` on at which
    what the pools take fits below `watts_max`; where nothing fits, all are at the lowest clock."""

    def taken(usd: Usd) -> tuple[list[Ratio], Watts]:
        is_scarce = usd > usd_per_joule_min
        clocks = [best_clock(draw, usd, is_scarce) for draw in draws]
        watts = [d.idle + d.watts * clock**3 for d, clock in zip(draws, clocks, strict=True)]
        return clocks, sum(watts)

    clocks, watts = taken(usd_per_joule_min)
    if watts <= watts_max:
        return usd_per_joule_min, clocks
    low, high = max(usd_per_joule_min, 1e-12), USD_PER_JOULE_MAX
    for _ in range(PRICE_STEPS):
        middle = (low * high) ** 0.5
        if taken(middle)[1] > watts_max:
            low = middle
        else:
            high = middle
    clocks, watts = taken(high)
    if watts > watts_max:
        return high, [CLOCK_MIN] * len(draws)
    return high, clocks


def best_clock(draw: Draw, usd_per_joule: Usd, is_scarce: bool) -> Ratio:
    """The cheapest clock for this pool. While power is not scarce no promise is slowed below its
    pace; where it is, the price decides alone."""
    floor = CLOCK_MIN if is_scarce else max(CLOCK_MIN, draw.clock_min)
    best, least = 1.0, float("inf")
    for step in range(CLOCK_STEPS + 1):
        clock = 1.0 - (1.0 - floor) * step / CLOCK_STEPS
        cost = draw.work.usd_per_gpu_s * undone(draw.work, draw.replicas * clock)
        cost += usd_per_joule * draw.watts * draw.load * clock * clock
        if cost < least:
            best, least = clock, cost
    return best
