"""Does the driver do to the core what the real gateway does: each event, once, at its time?"""

from typing import Any

import pytest

from flyball.dialects.traces.row import TraceRow
from flyball.governor.commands import Abort, Command, Forward, Hold, Reject
from flyball.governor.events import (
    AttemptFailed,
    ClientGone,
    DeadlinePassed,
    Event,
    FirstByte,
    RequestArrived,
    Served,
)
from flyball.model.decision import Allowance
from flyball.model.faults import Refusal
from flyball.sim.driver import CONNECT_S_MAX
from flyball.sim.run import World
from support.worlds import scenario, world

ROW = TraceRow(at_s=1.0, input_tokens=512, output_tokens=8)


def forward(request_id: str, attempt: int = 1, endpoint: int = 0, **changes: Any) -> Forward:
    said = {
        "tokens_offered": 512,
        "tokens_kept": 512,
        "output_tokens_max": 0,
        "attempts_max": 3,
        "deadline_at": 100.0,
    }
    allowance = Allowance(**(said | changes))
    return Forward(request_id, attempt, endpoint, (), allowance, 0.0, 0, "script", "chat")


class Script:
    """A core that answers the n-th event of a kind as told, and remembers all it was told."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {name: list(said) for name, said in answers.items()}
        self.seen: list[Event] = []

    def handle(self, event: Event) -> list[Command]:
        said = self.answers.get(type(event).__name__, [])
        if type(event).__name__ not in ("Tick", "Sampled"):
            self.seen.append(event)
        return [said.pop(0)(event)] if said else []

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.seen]


def scripted(script: Script, rows: list[TraceRow] | None = None, **changes: Any) -> World:
    changes = {"clients__rtt_ms": 20, "clients__retries": 0, "checks": False} | changes
    made = world(scenario(**changes), rows=iter(rows or [ROW]))
    made.driver._handles = [script.handle for _ in made.driver._handles]
    return made


def test_a_request_s_events_come_at_their_times() -> None:
    script = Script(RequestArrived=[lambda e: forward(e.request_id)])
    made = scripted(script)
    report = made.run("", None).report
    assert script.kinds() == ["RequestArrived", "FirstByte", "Served"]
    arrived, first, served = script.seen
    assert isinstance(arrived, RequestArrived) and arrived.at == pytest.approx(1.01)
    assert (arrived.head.prompt_bytes, arrived.head.stream) == (2048, True)
    profile = made.fleet.pools[0].profile
    step_s = profile.mixed.base_s + 512 * profile.mixed.per_prefill_token_s
    assert first.at == pytest.approx(1.01 + 0.040 + step_s, rel=1e-3)
    assert isinstance(served, Served)
    assert (served.input_tokens, served.output_tokens, served.status) == (512, 8, 200)
    assert report.total.ttft_s.mean == pytest.approx(first.at - 1.0 + 0.01)
    assert report.total.e2e_s.mean == pytest.approx(served.at - 1.0 + 0.01)


def test_a_rejected_request_ends_there() -> None:
    script = Script(
        RequestArrived=[lambda e: Reject(e.request_id, Refusal(code="price_above_value"))]
    )
    report = scripted(script).run("", None).report
    assert script.kinds() == ["RequestArrived"]
    assert report.total.ends["refused"] == 1


def test_a_held_request_s_time_is_told_and_it_may_go_on() -> None:
    script = Script(
        RequestArrived=[lambda e: Hold(e.request_id, 3.0)],
        DeadlinePassed=[lambda e: forward(e.request_id)],
    )
    scripted(script).run("", None)
    assert script.kinds() == ["RequestArrived", "DeadlinePassed", "FirstByte", "Served"]
    assert script.seen[1].at == pytest.approx(3.0)


def test_a_deadline_is_told_and_an_abort_frees_the_engine() -> None:
    late = Refusal(code="deadline_exceeded", detail="0.1")
    script = Script(
        RequestArrived=[lambda e: forward(e.request_id, deadline_at=1.1)],
        DeadlinePassed=[lambda e: Abort(e.request_id, late)],
    )
    made = scripted(script, [TraceRow(at_s=1.0, input_tokens=512, output_tokens=800)])
    report = made.run("", None).report
    assert script.kinds() == ["RequestArrived", "FirstByte", "DeadlinePassed"]
    assert isinstance(script.seen[-1], DeadlinePassed) and script.seen[-1].at == 1.1
    assert report.total.ends["failed"] == 1
    assert made.replicas[0].jobs == {}


def test_a_lost_replica_is_a_failed_attempt_and_another_may_follow() -> None:
    script = Script(
        RequestArrived=[lambda e: forward(e.request_id)],
        AttemptFailed=[lambda e: forward(e.request_id, attempt=2, endpoint=1)],
    )
    trouble = [{"kind": "replica-loss", "at_s": 1.04, "for_s": 5, "target": "h100-0"}]
    made = scripted(script, triggers=trouble)
    report = made.run("", None).report
    failed = script.seen[1]
    assert isinstance(failed, AttemptFailed)
    assert (failed.cause, failed.started, failed.endpoint) == ("reset", False, 0)
    assert failed.at == pytest.approx(1.06)
    assert script.kinds()[2:] == ["FirstByte", "Served"]
    assert report.total.ends["served"] == 1


def test_a_request_to_a_lost_replica_is_refused_at_once() -> None:
    gone = Refusal(code="upstream_failed")
    script = Script(
        RequestArrived=[lambda e: forward(e.request_id)],
        AttemptFailed=[lambda e: Reject(e.request_id, gone)],
    )
    trouble = [{"kind": "replica-loss", "at_s": 0.5, "for_s": 5, "target": "h100-0"}]
    scripted(script, triggers=trouble).run("", None)
    failed = script.seen[1]
    assert isinstance(failed, AttemptFailed)
    assert (failed.cause, failed.at) == ("connect", pytest.approx(1.05))


def test_a_cut_path_costs_the_connect_time_out() -> None:
    gone = Refusal(code="upstream_failed")
    script = Script(
        RequestArrived=[lambda e: forward(e.request_id)],
        AttemptFailed=[lambda e: Reject(e.request_id, gone)],
    )
    trouble = [{"kind": "partition", "at_s": 0.5, "for_s": 20, "target": "far"}]
    scripted(script, triggers=trouble).run("", None)
    assert script.seen[1].at == pytest.approx(1.01 + CONNECT_S_MAX)


def test_an_answer_over_a_cut_path_arrives_when_it_is_whole_again() -> None:
    script = Script(RequestArrived=[lambda e: forward(e.request_id)])
    trouble = [{"kind": "partition", "at_s": 1.04, "for_s": 2.5, "target": "far"}]
    scripted(script, triggers=trouble).run("", None)
    # TCP tries again 1 s and 3 s after the first try.
    assert script.kinds() == ["RequestArrived", "FirstByte", "Served"]
    assert 4.0 < script.seen[2].at < 4.3


def test_an_early_close_is_told_as_begun() -> None:
    cut = Refusal(code="upstream_failed")
    script = Script(
        RequestArrived=[lambda e: forward(e.request_id)],
        AttemptFailed=[lambda e: Abort(e.request_id, cut)],
    )
    trouble = [{"kind": "early-close", "at_s": 0, "for_s": 9, "target": "h100-0", "factor": 1}]
    report = scripted(script, triggers=trouble).run("", None).report
    failed = script.seen[2]
    assert isinstance(failed, AttemptFailed)
    assert (failed.cause, failed.started) == ("early-close", True)
    assert report.total.ends["failed"] == 1


def test_a_client_without_patience_is_gone_and_a_late_answer_is_nobody_s() -> None:
    script = Script(
        RequestArrived=[lambda e: Hold(e.request_id, 50.0)],
        ClientGone=[lambda e: Abort(e.request_id, None)],
    )
    report = scripted(script, clients__patience_s={"": 2.0}).run("", None).report
    gone = script.seen[1]
    assert isinstance(gone, ClientGone) and gone.at == pytest.approx(3.01)
    assert report.total.ends["gave-up"] == 1


def test_what_no_engine_can_hold_is_a_400() -> None:
    script = Script(RequestArrived=[lambda e: forward(e.request_id)])
    huge = TraceRow(at_s=1.0, input_tokens=900_000, output_tokens=8)
    report = scripted(script, [huge]).run("", None).report
    assert isinstance(script.seen[1], Served) and script.seen[1].status == 400
    assert report.total.ends["refused"] == 1


def test_a_cut_context_reaches_the_engine_shorter() -> None:
    script = Script(RequestArrived=[lambda e: forward(e.request_id, tokens_kept=128)])
    scripted(script).run("", None)
    served = script.seen[-1]
    assert isinstance(served, Served) and served.input_tokens == 128


def test_a_gateway_with_a_wrong_clock_lives_in_its_own_time() -> None:
    script = Script(RequestArrived=[lambda e: Hold(e.request_id, 3.5)])
    made = scripted(script, gateways__skew_ms=[500])
    made.run("", None)
    assert script.seen[0].at == pytest.approx(1.51)
    assert script.seen[1].at == pytest.approx(3.5)
    assert isinstance(script.seen[1], DeadlinePassed)
    assert not isinstance(script.seen[1], FirstByte)
