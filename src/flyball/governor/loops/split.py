"""How many of a pool's engines should compute prompts, and how many make the answers?

Prompts and answers are two queues in line that share the pool's engines: each side's price of time
is `worth.price` at what it has, and the split that makes the sum of what both leave undone least is
where the two prices meet. Of splits that leave nothing undone the one with the least load on its
fuller side is taken. One signal for both sides, not two loops that scale against each other.
"""

from math import sqrt

from flyball.governor.loops.demand import RATE_PER_S_MIN, USABLE
from flyball.governor.loops.setpoint import Wish
from flyball.governor.loops.steering import LoopContext
from flyball.governor.loops.worth import Work, undone
from flyball.governor.state import State
from flyball.model.fleet import Pool
from flyball.model.loop import Loop
from flyball.model.split import Split
from flyball.pricing.work import Sizes, batch_max, prefill_s, work

BURST_S = 2.0
BALANCE = 1e-3
HORIZON_S = 600.0

SPLIT = Loop(
    name="split",
    sensor="demand by class: prompt and answer tokens",
    actuator="pool.prefill_engines",
    objective="least prompts and answers not made in time",
    period_s=60.0,
    delay_s=60.0,
    limit_low=1.0,
    rate_per_s=1.0 / 60.0,
    is_whole=True,
)


def wishes(state: State, context: LoopContext) -> list[Wish]:
    """One per pool in scope whose engines share the work."""
    found: list[Wish] = []
    for number in context.pools(state.fleet):
        pool = state.fleet.pools[number]
        if pool.split is not None:
            found += _wish(state, context, pool, pool.split)
    return found


def _wish(state: State, context: LoopContext, pool: Pool, split: Split) -> list[Wish]:
    prompts, answers = asked(state, pool, split)
    endpoints = sum(1 for one in state.view.endpoints if one.pool.name == pool.name)
    if prompts.mean + answers.mean <= 0.0 or not endpoints:
        return []
    prompts, answers = _each(prompts, endpoints), _each(answers, endpoints)
    total = split.prefill + split.decode
    count = best_split(prompts, answers, total)
    present = state.setpoints.value(context.loop.actuator, pool.name, float(split.prefill))
    reason = f"prompts take {prompts.mean:.2f} and answers {answers.mean:.2f} of {total} engines"
    return [Wish(scope=pool.name, value=float(count), reason=reason, present=present)]


def _each(work: Work, endpoints: int) -> Work:
    return Work(work.mean / endpoints, work.deviation / sqrt(endpoints), work.usd_per_gpu_s)


def asked(state: State, pool: Pool, split: Split) -> tuple[Work, Work]:
    """Engines' worth of prompts and of answers that the pool's classes ask for, bursts included."""
    sums = [0.0, 0.0, 0.0, 0.0, 0.0]
    for klass in state.policy.classes:
        tally = state.tallies[klass.name]
        if tally.rate_per_s < RATE_PER_S_MIN:
            continue
        sizes = Sizes(tally.input_tokens, tally.output_tokens, tally.cached_ratio)
        batch = max(1.0, batch_max(split.engine, sizes.kv_tokens, klass.promise.tpot_s))
        first = prefill_s(split.engine, sizes) / USABLE
        rest = work(split.engine, sizes, batch).gpu_s / USABLE - first
        rate = tally.rate_per_s
        for place, amount in enumerate(
            (rate * first, rate * rest, rate * first**2, rate * rest**2, rate * klass.value_usd)
        ):
            sums[place] += amount
    total = sums[0] + sums[1]
    worth = sums[4] / total if total else 0.0
    return (
        Work(sums[0], sqrt(sums[2] / BURST_S), worth),
        Work(sums[1], sqrt(sums[3] / BURST_S), worth),
    )


def best_split(prompts: Work, answers: Work, engines: int) -> int:
    """How many of `engines` (at least 2) should compute prompts: at least 1, and 1 is left."""

    def cost(count: int) -> float:
        rest = engines - count
        left = undone(prompts, count) + undone(answers, rest)
        return left + BALANCE * max(prompts.mean / count, answers.mean / rest)

    return min(range(1, engines), key=cost)
