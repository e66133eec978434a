"""Does each trouble strike whom it names, when it says, and end?"""

import pytest
from msgspec.structs import replace

from flyball.dialects.traces.row import TraceRow
from flyball.sim.clock import Clock, Streams
from flyball.sim.scenario import Trigger
from flyball.sim.spend import Spend
from flyball.sim.triggers import spiked, spiked_times, squeeze, struck
from support.worlds import ran, scenario, world

ROWS = [
    TraceRow(
        at_s=i / 10,
        input_tokens=64,
        output_tokens=4,
        session="s",
        prefix_blocks=(i,),
        block_tokens=64,
    )
    for i in range(600)
]


def spike(factor: float) -> Trigger:
    return Trigger(kind="spike", at_s=20.0, for_s=10.0, factor=factor)


def test_a_target_is_an_endpoint_a_pool_s_first_or_a_site() -> None:
    replicas = world(scenario(fleet__pools__h100__replicas=3)).replicas
    assert [one.name for one in struck(replicas, "h100-2")] == ["h100-2"]
    assert [one.name for one in struck(replicas, "h100")] == ["h100-0"]
    assert [one.name for one in struck(replicas, "far")] == ["h100-0", "h100-1", "h100-2"]
    assert len(struck(replicas, "")) == 4


@pytest.mark.parametrize("factor", [1.6, 2.0, 3.5])
def test_a_spike_multiplies_its_window_only(factor: float) -> None:
    found = list(spiked(iter(ROWS), [spike(factor)], Streams(1).named("spike")))
    times = [row.at_s for row in found]
    assert times == sorted(times)
    extra = len(found) - len(ROWS)
    assert extra == pytest.approx(100 * (factor - 1.0), abs=15)
    copies = [row for row in found if "+" in row.session]
    assert len(copies) == extra
    assert all(20.0 <= row.at_s < 31.0 for row in copies)
    own = {row.prefix_blocks for row in ROWS}
    assert all(row.prefix_blocks not in own for row in copies)


def test_without_a_spike_the_rows_are_the_same() -> None:
    assert list(spiked(iter(ROWS), [], Streams(1).named("spike"))) == ROWS


def test_a_slow_accelerator_is_slow_for_its_time() -> None:
    plain = ran(core="round_robin").report
    slow = [{"kind": "slow", "at_s": 5, "for_s": 15, "target": "l40s-0", "factor": 3}]
    hit = ran(core="round_robin", triggers=slow).report
    assert hit.total.tpot_s.p99 > 1.5 * plain.total.tpot_s.p99
    assert hit.breaches == ()


def test_all_troubles_together_break_no_invariant() -> None:
    troubles = [
        {"kind": "spike", "at_s": 2, "for_s": 5, "factor": 2},
        {"kind": "replica-loss", "at_s": 5, "for_s": 5, "target": "h100-0"},
        {"kind": "slow", "at_s": 8, "for_s": 5, "target": "l40s", "factor": 2},
        {"kind": "telemetry-outage", "at_s": 10, "for_s": 5},
        {"kind": "partition", "at_s": 14, "for_s": 5, "target": "near"},
        {"kind": "early-close", "at_s": 20, "for_s": 5, "factor": 0.5},
    ]
    for core in ("governor", "least_request", "epp_default"):
        report = ran(core=core, triggers=troubles, jitter_ratio=0.2, gateways={"count": 2}).report
        assert report.breaches == ()
        assert report.total.ends["failed"] > 0
        assert sum(report.total.ends.values()) == report.total.calls


@pytest.mark.parametrize("factor", [0.5, 1.6, 3.0])
def test_a_spike_multiplies_the_begins_of_its_window_only(factor: float) -> None:
    times = [i / 10 for i in range(600)]
    found = spiked_times(times, [spike(factor)], Streams(1).named("spike"))
    assert found == sorted(found) and set(times) <= set(found)
    more = [at_s for at_s in found if at_s not in set(times)]
    assert len(more) == pytest.approx(100 * max(0.0, factor - 1.0), abs=15)
    assert all(20.0 <= at_s < 31.0 for at_s in more)


def test_a_copy_s_answer_is_its_own_too() -> None:
    rows = [replace(row, answer_blocks=(1000 + i,)) for i, row in enumerate(ROWS)]
    found = list(spiked(iter(rows), [spike(2.0)], Streams(1).named("spike")))
    copies = [row for row in found if row.session == "s+1"]
    assert len(copies) == 100
    assert not {x for row in copies for x in row.answer_blocks} & set(range(2000))


def test_a_budget_is_cut_for_its_time_only() -> None:
    clock, spend = Clock(), Spend([], 100.0, None)
    cut = Trigger(kind="budget-cut", at_s=10.0, for_s=5.0, factor=0.4)
    squeeze([cut, spike(2.0)], clock, spend)
    seen: list[float] = []
    for at_s in (9.0, 11.0, 16.0):
        clock.at(at_s, lambda _: seen.append(spend.budget_factor))
    clock.run(20.0)
    assert seen == [1.0, 0.4, 1.0]


def test_a_cut_budget_cuts_contexts() -> None:
    loops = {"truncation": "threshold_truncation", "budget_usd_per_hour": 1e6}
    cut = [{"kind": "budget-cut", "at_s": 5, "for_s": 40, "factor": 1e-6}]
    plain = ran(core="round_robin", duration_s=40, loops=loops).columns
    hit = ran(core="round_robin", duration_s=40, loops=loops, triggers=cut).columns
    assert plain["kept_ratio"].min() == 1.0
    assert hit["kept_ratio"].min() < 1.0
