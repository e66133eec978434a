"""Do agents' sessions run in a closed loop, and is every one accounted for, whoever serves it?"""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyball.governor.commands import Command, Record
from flyball.governor.events import Event, RequestArrived
from flyball.model.decision import Outcome
from flyball.sim.agents import book
from flyball.sim.program import BLOCK_TOKENS
from flyball.sim.programs import grouped
from flyball.sim.report import Report
from flyball.sim.run import Result
from flyball.sim.scenario import ProgramsShape
from support.worlds import ran, scenario, world

CLASSES = {
    "chat": {"value_usd": 0.01, "ttft_ms": 1000, "tpot_ms": 60},
    "fixer": {"value_usd": 0.03, "ttft_ms": 3000},
}


def agents(**changes: Any) -> dict[str, Any]:
    """A world of agents alone; keys of the one class of sessions, or `a__b` of the scenario."""
    shape: dict[str, Any] = {"agent": "mini-swe-agent", "rate": 0.2, "steps_max": 6}
    others = {key: changes.pop(key) for key in list(changes) if "__" in key or key in WORLD}
    work = {"programs": {"fixer": {**shape, **changes}}}
    return {"workload": work, "fleet__classes": CLASSES, "duration_s": 60, **others}


WORLD = ("core", "seed", "triggers", "clients", "loops", "duration_s", "drain_s", "gateways")


def fixers(report: Report) -> Any:
    (one,) = report.programs
    return one


def steps_of(result: Result) -> dict[int, list[int]]:
    """The indices of each session's calls, in order."""
    found: dict[int, list[int]] = {}
    for index, program in enumerate(result.columns["program"].tolist()):
        found.setdefault(program, []).append(index)
    return found


def test_a_step_is_asked_for_when_the_last_is_answered() -> None:
    result = ran(**agents())
    columns, one = result.columns, fixers(result.report)
    assert one.completed > 5 and one.failed == one.broken == 0
    assert one.steps == result.report.total.calls
    for indices in steps_of(result).values():
        sent, took = columns["sent_at_s"][indices], columns["e2e_s"][indices]
        assert columns["step"][indices].tolist() == list(range(len(indices)))
        assert (sent[1:] >= (sent + took)[:-1] - 1e-9).all()
        assert (np.diff(columns["input_tokens"][indices]) > 0).all()


def test_the_last_answer_is_found_in_the_cache() -> None:
    result = ran(**agents(fleet__pools={"h100": {"site": "far", "profile": "h100/llama-3.1-8b"}}))
    columns = result.columns
    answers_found = 0
    for indices in steps_of(result).values():
        for last, now in pairwise(indices):
            prompt, answer = columns["input_tokens"][last], columns["output_tokens"][last]
            cached = columns["cached_tokens"][now]
            assert cached >= prompt // BLOCK_TOKENS * BLOCK_TOKENS
            # The last token of an answer is not in the cache, so a block that it fills is not.
            answers_found += cached >= (prompt + answer - 1) // BLOCK_TOKENS * BLOCK_TOKENS > prompt
    assert answers_found > 5


def test_a_slow_fleet_is_asked_for_less() -> None:
    slow = [{"kind": "slow", "at_s": 0, "for_s": 1000, "factor": 20.0}]
    asked = fixers(ran(**agents(steps_max=40)).report)
    held = fixers(ran(**agents(steps_max=40, triggers=slow)).report)
    assert asked.begun == held.begun and held.steps < 0.8 * asked.steps
    assert held.completed < asked.completed


def test_what_a_session_wants_does_not_depend_on_who_serves_it() -> None:
    one, other = (ran(**agents(core=core)) for core in ("governor", "round_robin"))
    wanted = [
        {
            (program, step): (given, made)
            for program, step, given, made in zip(
                *(
                    r.columns[n].tolist()
                    for n in ("program", "step", "input_tokens", "output_tokens")
                ),
                strict=True,
            )
        }
        for r in (one, other)
    ]
    both = wanted[0].keys() & wanted[1].keys()
    assert len(both) > 50 and all(wanted[0][key] == wanted[1][key] for key in both)


def test_a_lost_fleet_is_tried_again_layer_by_layer_and_sessions_fail() -> None:
    gone = [
        {"kind": "replica-loss", "at_s": 20, "for_s": 1000, "target": where}
        for where in ("near", "far")
    ]
    report = ran(**agents(core="round_robin", triggers=gone, drain_s=2000)).report
    client = book().clients["mini-swe-agent"]
    one, tried = fixers(report), report.retries
    assert one.failed > 0 and one.broken == 0
    lost = report.total.ends["failed"]
    assert lost == one.failed
    assert tried.agent == lost * (client.attempts_max - 1)
    # The SDK does not try a stream again that broke off: at most one of each session did.
    most = lost * client.attempts_max * client.sdk_retries
    assert most - lost * client.sdk_retries <= tried.sdk <= most
    assert tried.gateway > 0  # an endpoint that cannot be reached is passed over


def test_every_layer_of_a_call_is_in_its_row() -> None:
    gone = [{"kind": "replica-loss", "at_s": 20, "for_s": 6, "target": w} for w in ("near", "far")]
    result = ran(**agents(core="round_robin", triggers=gone))
    columns, tried = result.columns, result.report.retries
    assert tried.agent == (columns["agent_tries"] - 1).sum() > 0
    assert tried.sdk == (columns["tries"] - columns["agent_tries"]).sum() > 0
    assert tried.gateway == columns["gateway_retries"].sum()
    assert fixers(result.report).failed == 0  # six seconds are waited out


def test_the_core_tells_every_layer_s_retries_from_fresh_demand() -> None:
    """An agent's try begins with a retry count of 0, as a new call does: the prompt tells."""
    gone = [{"kind": "replica-loss", "at_s": 20, "for_s": 15, "target": w} for w in ("near", "far")]
    arrived: dict[int, list[tuple[str, int]]] = {}
    outcomes: dict[str, Outcome] = {}

    def tee(_: int, event: Event, commands: list[Command]) -> None:
        if isinstance(event, RequestArrived):
            head = event.head
            arrived.setdefault(head.body_digest, []).append((event.request_id, head.retry_count))
        for command in commands:
            if isinstance(command, Record) and isinstance(command.record, Outcome):
                outcomes[command.record.id] = command.record

    one = world(scenario(**agents(triggers=gone)), tee=tee)
    report = one.run("test", None).report
    assert report.retries.agent > 0 and len(arrived) == report.total.calls
    anew = 0
    for (first, _), *later in arrived.values():
        for request_id, count in later:
            anew += count == 0
            assert outcomes[request_id].lineage == first
    assert anew == report.retries.agent


CUT = {"truncation": "threshold_truncation", "budget_usd_per_hour": 0.01}


def cut(keep_ratio: float, **changes: Any) -> Result:
    tuned = {
        "threshold_truncation": {"keep_ratio": keep_ratio, "tokens_min": 1, "spend_period_s": 5}
    }
    return ran(**agents(core="round_robin", loops={**CUT, "tuned": tuned}, **changes))


def test_a_cut_context_finds_no_prefix_and_breaks_steps_which_are_repeated_with_more() -> None:
    result = cut(0.3)
    one, columns = fixers(result.report), result.columns
    was_cut = columns["kept_ratio"] < 1.0
    assert one.steps_cut == was_cut.sum() > 50
    assert (columns["cached_tokens"][was_cut] == 0).all()
    expected = book().breaks.probability(0.3)
    assert one.steps_broken / one.steps_cut == pytest.approx(expected, abs=0.12)
    assert result.report.retries.step == one.steps_broken
    again = columns["repeat"] > 0
    assert 0 < again.sum() <= one.steps_broken
    for indices in steps_of(result).values():
        for last, now in pairwise(indices):
            if again[now]:
                assert columns["step"][now] == columns["step"][last]
                assert columns["input_tokens"][now] > columns["input_tokens"][last]


def test_a_step_that_breaks_too_often_ends_its_session() -> None:
    report = cut(0.01).report
    one = fixers(report)
    assert one.broken > 0 and one.completed < one.begun
    assert one.steps_broken >= one.broken * (book().breaks.repeats_max + 1)


def test_a_mild_cut_breaks_little_and_costs_more_than_it_saves() -> None:
    """The cost loop's sign: cut prompts are shorter, but none of them is found in the cache."""
    whole = ran(**agents(core="round_robin")).report
    mild = cut(0.75).report
    assert fixers(mild).steps_broken <= 0.02 * fixers(mild).steps_cut
    per_step = [report.token_usd / fixers(report).steps for report in (whole, mild)]
    assert per_step[1] > per_step[0]


def test_standing_sessions_are_under_way_at_the_begin() -> None:
    result = ran(**agents(rate=0.0, standing=20, steps_max=30))
    one = fixers(result.report)
    assert one.begun == 20
    first = [indices[0] for indices in steps_of(result).values()]
    fresh = ran(**agents(steps_max=30))
    begun = [indices[0] for indices in steps_of(fresh).values()]
    sizes = [np.mean(r.columns["input_tokens"][i]) for r, i in ((result, first), (fresh, begun))]
    assert sizes[0] > 1.3 * sizes[1]


def test_a_spike_begins_more_sessions_and_load_scales_them() -> None:
    spike = [{"kind": "spike", "at_s": 0, "for_s": 60, "factor": 3.0}]
    plain, spiked = (fixers(ran(**agents(triggers=t)).report).begun for t in ([], spike))
    assert spiked == pytest.approx(3 * plain, abs=3)
    work = {**agents(standing=10)["workload"], "load": 2.0}
    heavy = fixers(ran(**{**agents(), "workload": work}).report)
    assert heavy.begun > 20


def test_sessions_and_rows_share_a_fleet() -> None:
    work = {**agents()["workload"], "generate": {"rate": 3, "mix": {"chat": 1}}}
    report = ran(**{**agents(), "workload": work}).report
    assert {one.name for one in report.classes} == {"chat", "fixer"}
    assert report.breaches == () and fixers(report).completed > 0


def test_blocks_of_two_classes_are_apart() -> None:
    shape = ProgramsShape(agent="claude-code", rate=1.0, tool_failure_ratio=0.0, steps_max=3)
    one, other = grouped({"a": shape, "b": shape}, 64)
    assert one.base != other.base and one.limits.tool_failure_ratio == 0.0
    assert one.limits.steps_max == 3 and one.client.attempts_max == 11


def test_nothing_more_is_asked_after_the_end() -> None:
    one = world(scenario(**agents(duration_s=20)))
    result = one.run("test", None)
    assert one.programs.is_over
    assert result.columns["sent_at_s"].max() < 20.0
    assert fixers(result.report).open > 0


TROUBLES = ["spike", "replica-loss", "slow", "partition", "early-close"]
WORLDS: Any = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 1000),
        "core": st.sampled_from(["governor", "round_robin", "epp_default", "litellm_latency"]),
        "rate": st.floats(0.05, 1.0),
        "standing": st.integers(0, 10),
        "agent": st.sampled_from(sorted(book().agents)),
        "context_ratio": st.just(0.2),
        "input_tokens_max": st.just(20_000),
        "pause_s_max": st.sampled_from([0.0, 2.0]),
        "duration_s": st.just(12),
        "gateways": st.fixed_dictionaries({"count": st.integers(1, 3)}),
        "loops": st.sampled_from([{}, CUT]),
        "triggers": st.lists(
            st.fixed_dictionaries(
                {
                    "kind": st.sampled_from(TROUBLES),
                    "at_s": st.floats(0.0, 10.0),
                    "for_s": st.floats(0.1, 6.0),
                    "target": st.sampled_from(["", "h100-0", "near"]),
                    "factor": st.floats(0.2, 4.0),
                }
            ),
            max_size=2,
        ),
    }
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(WORLDS)
def test_nothing_is_lost_and_everything_repeats(changes: dict[str, Any]) -> None:
    first = ran(**agents(**changes)).report
    one = fixers(first)
    assert first.breaches == ()
    assert sum(first.total.ends.values()) == first.total.calls
    assert one.begun == one.completed + one.failed + one.broken + one.open and one.open >= 0
    assert one.steps + one.steps_broken >= first.total.calls >= one.steps
    assert first.tries == first.total.calls + first.retries.sdk + first.retries.agent
    assert ran(**agents(**changes)).report == first
