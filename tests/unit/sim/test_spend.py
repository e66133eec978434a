"""Is the bill right, and does a cost loop see the share of its budget that a period has spent?"""

import pytest

from flyball.dialects.traces.row import TraceRow
from flyball.model.request import RequestClass
from flyball.sim.clock import Streams
from flyball.sim.cores import cores
from flyball.sim.exchange import Call
from flyball.sim.rivals import RivalCore
from flyball.sim.spend import Spend
from support.fleets import fleet, policy

PRICES = {"input_usd_per_mtok": 2.0, "cached_usd_per_mtok": 1.0, "output_usd_per_mtok": 10.0}


def call(prompt: int, cached: int, answer: int, kept: float = 1.0) -> Call:
    made = Call(
        0, TraceRow(at_s=0, input_tokens=prompt, output_tokens=1), RequestClass(name="c"), 0
    )
    made.end, made.cached_tokens, made.output_tokens, made.kept_ratio = (
        "served",
        cached,
        answer,
        kept,
    )
    return made


def rival() -> RivalCore:
    one = cores("round_robin", fleet(), policy(), 1, Streams(1))[0]
    assert isinstance(one, RivalCore)
    return one


def test_what_is_kept_found_and_answered_has_its_own_price() -> None:
    spend = Spend([], 0.0, PRICES)
    spend.ended(call(1_000_000, 400_000, 100_000))
    assert spend.usd == pytest.approx(1.2 + 0.4 + 1.0)
    spend.ended(call(1_000_000, 0, 0, kept=0.25))
    assert spend.usd == pytest.approx(2.6 + 0.5)


def test_what_was_not_answered_is_not_billed() -> None:
    spend, lost = Spend([], 0.0, None), call(1000, 0, 10)
    lost.end = "failed"
    spend.ended(lost)
    assert spend.usd == 0.0


def test_each_period_is_seen_by_itself() -> None:
    core = rival()
    spend = Spend([core], 120.0, {**PRICES, "spend_period_s": 30.0})  # 1 USD in a period
    spend.ended(call(1_000_000, 0, 0))
    spend.look()
    assert core.spend_ratio == pytest.approx(2.0)
    spend.look()
    assert core.spend_ratio == 0.0


def test_without_a_budget_nobody_watches() -> None:
    core = rival()
    spend = Spend([core], 0.0, PRICES)
    spend.ended(call(1_000_000, 0, 0))
    spend.look()
    assert core.spend_ratio == 0.0


def test_a_budget_set_wrong_is_spent_sooner() -> None:
    core = rival()
    spend = Spend([core], 120.0, {**PRICES, "spend_period_s": 30.0})
    spend.budget_factor = 0.5
    spend.ended(call(1_000_000, 0, 0))
    spend.look()
    assert core.spend_ratio == pytest.approx(4.0)
