"""Does the same scenario give the same bytes, does load hurt, and is nothing lost?"""

import gc

import msgspec
import pytest

from flyball.dialects.traces.row import TraceError, TraceRow
from flyball.sim.build import build
from flyball.sim.run import few_collections, generated, run
from support.worlds import ran, scenario

EVERYTHING = {
    "gateways": {"count": 2, "skew_ms": [0, 20]},
    "jitter_ratio": 0.2,
    "telemetry": {"loss_ratio": 0.05},
    "clients": {"rtt_ms": 10, "patience_s": {"chat": 8}},
    "triggers": [
        {"kind": "spike", "at_s": 5, "for_s": 5, "factor": 2.5},
        {"kind": "replica-loss", "at_s": 12, "for_s": 6, "target": "h100-0"},
    ],
}


@pytest.mark.parametrize("core", ["governor", "least_request", "epp_default"])
def test_scenario_seed_and_version_decide_every_byte(core: str) -> None:
    first, second = (ran(core=core, **EVERYTHING).report for _ in range(2))
    assert msgspec.json.encode(first) == msgspec.json.encode(second)
    other = ran(core=core, seed=8, **EVERYTHING).report
    assert other.digest != first.digest


def test_the_load_is_the_same_for_every_core() -> None:
    columns = [ran(core=core).columns for core in ("governor", "round_robin")]
    assert columns[0]["sent_at_s"].tolist() == columns[1]["sent_at_s"].tolist()
    assert columns[0]["input_tokens"].tolist() == columns[1]["input_tokens"].tolist()


def test_more_load_is_worse_service() -> None:
    light, heavy = (ran(workload__load=load).report for load in (0.5, 6.0))
    assert light.total.in_time_ratio > 0.98
    assert heavy.total.in_time_ratio < light.total.in_time_ratio - 0.1
    assert heavy.breaches == light.breaches == ()


def test_a_fleet_of_shared_work_serves_all_its_tokens() -> None:
    shape = {"prefill_replicas": 1, "decode_replicas": 1, "kv_link_gbps": 400}
    for core in ("governor", "least_request"):
        one, same = (
            ran(core=core, fleet__pools__h100__disaggregation=shape).report for _ in range(2)
        )
        assert one.digest == same.digest
        assert one.breaches == ()
        assert one.total.served_ratio > 0.98
        assert one.pools[0].output_tokens > 0


def test_a_trace_s_rows_are_run_at_their_times() -> None:
    one = scenario()
    fleet, policy = build(one)
    rows = [TraceRow(at_s=float(i), input_tokens=200, output_tokens=5) for i in range(40)]
    report = run(one, fleet, policy, rows, name="rows").report
    assert report.name == "rows"
    assert report.total.calls == 30  # those of the first 30 s
    assert report.total.ends["served"] == 30


def test_what_is_left_at_the_end_is_told_as_unfinished() -> None:
    report = ran(drain_s=0, workload__generate__rate=20).report
    assert report.total.ends["unfinished"] > 0
    assert report.breaches == ()


def test_progress_is_told() -> None:
    one = scenario(duration_s=20)
    fleet, policy = build(one)
    told: list[tuple[float, int]] = []
    run(one, fleet, policy, progress=lambda share, calls: told.append((share, calls)))
    assert [share for share, _ in told[:3]] == [0.25, 0.5, 0.75]
    assert told[2][1] > told[0][1] > 0


def test_an_empty_load_ends_at_once_and_a_trace_s_rows_must_be_given() -> None:
    one = scenario()
    fleet, policy = build(one)
    assert run(one, fleet, policy, []).report.total.calls == 0
    with pytest.raises(ValueError, match="rows must be given"):
        generated(scenario(workload={"trace": {"file": "x.csv"}}))


def test_a_trace_whose_blocks_do_not_fit_the_fleet_is_told() -> None:
    one = scenario()
    fleet, policy = build(one)
    odd = TraceRow(at_s=0.0, input_tokens=90, output_tokens=5, prefix_blocks=(1,), block_tokens=24)
    with pytest.raises(TraceError, match="24 tokens are no multiple of 16"):
        run(one, fleet, policy, [odd])


def test_the_cycle_collector_is_as_it_was_after_a_run_that_failed() -> None:
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="broken"), few_collections():
        assert gc.get_threshold()[0] > before[0]
        raise ValueError("broken")
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
