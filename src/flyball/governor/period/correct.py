"""How do the prices of money move between two plans, on what was really spent since?

A plan knows means: answers that grow longer, or work that came another way, show as a budget spent
too fast. The price of that budget then moves by the step rule of `pricing.step` for the delay of
the measurement, and what was added (its trim) stays on top of the plans that follow, until
measurement takes it back. GPU time and KV are not corrected: live state prices their congestion at
each decision, and it would count twice.
"""

from math import exp

from msgspec.structs import replace

from flyball.governor.commands import Command
from flyball.governor.period.publish import publish
from flyball.governor.state import State
from flyball.model.signals import Settled
from flyball.pricing.step import correct
from flyball.units import Seconds, Usd, usd_per_second

# Spending is read as a rate with this memory: its delay in the loop, in ticks of the period.
SPEND_MEMORY_S: Seconds = 10.0
# A smaller move than this share, or than a cent per dollar, is no news to the workers.
MOVE_MIN = 0.05
NEWS_MIN: Usd = 0.01
PRICE_MAX = 1_000.0


def spent(state: State, settled: tuple[Settled, ...]) -> None:
    """Count the money of requests that ended, under the budgets of their classes."""
    paid = state.view.paid
    rates = state.trims.usd_per_s
    for one in settled:
        name = state.budget_of.get(one.class_name)
        if name is not None and 0 <= one.endpoint < paid.shape[1]:
            usd = (
                paid[0, one.endpoint] * one.input_tokens + paid[1, one.endpoint] * one.output_tokens
            )
            rates[name] = rates.get(name, 0.0) + float(usd) / SPEND_MEMORY_S


def trim(state: State, at: Seconds, out: list[Command]) -> None:
    """One step of every budget's price; a new board if that is news."""
    trims = state.trims
    elapsed_s, trims.read_at = at - trims.read_at, at
    fading = exp(-max(0.0, elapsed_s) / SPEND_MEMORY_S)
    for name in trims.usd_per_s:
        trims.usd_per_s[name] *= fading
    if not trims.plan.is_valid(at):
        trims.added.clear()
        return
    planned = dict(trims.plan.budgets)
    ticks = round(SPEND_MEMORY_S / state.policy.tick_s)
    for budget in state.policy.budgets:
        if budget.name not in planned:
            continue
        limit = usd_per_second(budget.usd_per_hour)
        spends = trims.usd_per_s.get(budget.name, 0.0)
        before = max(0.0, planned[budget.name] + trims.added.get(budget.name, 0.0))
        # How spending answers is not known; as if a dollar bought so much less: ~ 1 / (1 + price).
        slope = max(spends, limit) / (1.0 + before)
        price = min(PRICE_MAX, correct(before, spends - limit, slope, ticks))
        trims.added[budget.name] = price - planned[budget.name]
    _tell(state, at, out)


def _tell(state: State, at: Seconds, out: list[Command]) -> None:
    shown = dict(state.view.board.budgets)
    wanted = state.trims.on_top(state.trims.plan.budgets)
    if all(_is_near(usd, shown.get(name, 0.0)) for name, usd in wanted):
        return
    board = state.view.board
    publish(state, at, replace(board, version=board.version + 1, made_at=at, budgets=wanted), out)


def _is_near(usd: Usd, shown: Usd) -> bool:
    return abs(usd - shown) <= max(NEWS_MIN, MOVE_MIN * shown)
