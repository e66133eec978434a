"""The dialogue of one request with the core, from arrival to its one outcome."""

from msgspec.structs import replace

from flyball.governor.commands import Abort, Forward, Hold, Record, Reject
from flyball.governor.events import (
    AttemptFailed,
    ClientGone,
    DeadlinePassed,
    DrainBegun,
    FirstByte,
    LedgerChanged,
    RequestArrived,
    Served,
    Tick,
)
from flyball.governor.governor import Governor
from flyball.model.decision import Feasibility, Intent, LoopAction, Outcome
from flyball.model.faults import Refusal
from flyball.model.request import Principal, Promise
from support import fleets
from support.playbook import Playbook, a


def governor(**changes: object) -> Governor:
    return Governor(fleets.fleet(), fleets.policy(**changes))


def arrive(at: float = 1.0, request_id: str = "r1", draw: float = 0.5, **head: object):
    return RequestArrived(at=at, request_id=request_id, head=fleets.head(**head), draw=draw)


def placed(**intent: object) -> tuple[a, a]:
    return a(Record, record=a(Intent, **intent)), a(Forward)


def test_a_stream_is_placed_relayed_and_settled() -> None:
    core = governor()
    play = Playbook(core)
    (
        play
        >> arrive()
        << a(Record, record=a(Feasibility))
        << a(Record, record=a(Intent, id="r1", attempt=1, rule="price", candidates_count=4))
        << a(Forward, request_id="r1", attempt=1, fallbacks=lambda f: len(f) == 3)
    )
    chosen = next(e for e in core.state.view.endpoints if e.pending == 1)
    play >> FirstByte(at=1.2, request_id="r1")
    assert (chosen.pending, chosen.running) == (0, 1)
    (
        play
        >> Served(at=2.0, request_id="r1", status=200, input_tokens=400, output_tokens=100)
        << a(
            Record,
            record=a(
                Outcome, id="r1", outcome="served", attempts=1, in_time=True, output_tokens=100
            ),
        )
    )
    play.done()
    assert (chosen.pending, chosen.running, round(chosen.kv)) == (0, 0, 0)
    assert not core.state.flights


def test_the_feasibility_record_is_written_once_and_again_when_health_changes() -> None:
    core = governor()
    play = Playbook(core)
    first, forward = placed()
    play >> arrive() << a(Record, record=a(Feasibility)) << first << forward
    play >> arrive(request_id="r2") << first << forward
    busy = AttemptFailed(
        at=2.0, request_id="r2", endpoint=0, cause="status", status=503, retry_after_s=9.0
    )
    (
        play
        >> busy
        << a(Record, record=a(LoopAction, loop="health", new="true"))
        << a(Record, record=a(Outcome, outcome="retried", attempts=1))
        << a(Record, record=a(Feasibility, refused=lambda r: len(r) == 1))
        << a(Record, record=a(Intent, attempt=2))
        << a(Forward, attempt=2)
    )
    play >> arrive(at=3.0, request_id="r3") << first << forward
    play.done()


def test_an_attempt_that_fails_before_its_first_byte_goes_on_at_a_fall_back() -> None:
    core = governor()
    play = Playbook(core)
    intent, forward = placed(attempt=1)
    play >> arrive() << a(Record) << intent << forward
    first = next(e.index for e in core.state.view.endpoints if e.pending)
    (
        play
        >> AttemptFailed(at=1.1, request_id="r1", endpoint=first, cause="connect")
        << a(Record, record=a(Outcome, outcome="retried", attempts=1))
        << a(Record, record=a(Intent, attempt=2, is_retry=True, lineage="r1"))
        << a(Forward, attempt=2, endpoint=lambda e: e != first)
    )
    (
        play
        >> Served(at=2.0, request_id="r1", status=200, output_tokens=5)
        << a(Record, record=a(Outcome, outcome="served", attempts=2))
    )
    play.done()


def test_after_the_first_byte_there_is_no_second_attempt() -> None:
    play = Playbook(governor())
    intent, forward = placed()
    play >> arrive() << a(Record) << intent << forward
    play >> FirstByte(at=1.2, request_id="r1")
    (
        play
        >> AttemptFailed(at=1.3, request_id="r1", endpoint=0, cause="early-close", started=True)
        << a(Abort, refusal=a(Refusal, code="upstream_failed"))
        << a(Record, record=a(Outcome, outcome="truncated-stream", attempts=1))
    )
    play.done()


def test_attempts_end_at_their_bound() -> None:
    core = governor()
    play = Playbook(core)
    intent, forward = placed()
    play >> arrive() << a(Record) << intent << forward
    for attempt in (1, 2):
        (
            play
            >> AttemptFailed(at=1.0 + attempt, request_id="r1", endpoint=0, cause="reset")
            << a(Record, record=a(Outcome, outcome="retried", attempts=attempt))
            << a(Record, record=a(Intent, attempt=attempt + 1))
            << a(Forward)
        )
    (
        play
        >> AttemptFailed(at=4.0, request_id="r1", endpoint=0, cause="reset")
        << a(Reject, refusal=a(Refusal, code="upstream_failed"))
        << a(Record, record=a(Outcome, outcome="failed", attempts=3))
    )
    play.done()


def test_a_client_that_leaves_stops_its_upstream_at_once() -> None:
    core = governor()
    play = Playbook(core)
    intent, forward = placed()
    play >> arrive() << a(Record) << intent << forward
    (
        play
        >> ClientGone(at=1.1, request_id="r1")
        << a(Abort, refusal=None)
        << a(Record, record=a(Outcome, outcome="client-gone"))
    )
    play >> Served(at=1.2, request_id="r1", status=200)
    play.done()
    assert sum(e.load for e in core.state.view.endpoints) == 0


def test_a_deadline_ends_it_with_a_clear_word() -> None:
    play = Playbook(governor())
    intent, forward = placed()
    play >> arrive() << a(Record) << intent << forward
    (
        play
        >> DeadlinePassed(at=601.0, request_id="r1")
        << a(Abort, refusal=a(Refusal, code="deadline_exceeded"))
        << a(Record, record=a(Outcome, outcome="deadline"))
    )
    play.done()


def test_residency_leaves_only_the_jurisdiction_allowed() -> None:
    core = governor()
    play = Playbook(core)
    (
        play
        >> arrive(class_hint="eu-chat")
        << a(
            Record,
            record=a(
                Feasibility,
                refused=lambda r: {why for _, why in r} == {"residency: US is not allowed"},
            ),
        )
        << a(Record, record=a(Intent, pool="small"))
        << a(Forward)
    )
    (
        play
        >> arrive(request_id="r2", class_hint="eu-chat", jurisdiction_hint="US")
        << a(Record, record=a(Feasibility, allowed=()))
        << a(Reject, refusal=a(Refusal, code="jurisdiction_refused"))
        << a(Record, record=a(Outcome, outcome="refused", attempts=0, code="jurisdiction_refused"))
    )
    play.done()


def test_bad_callers_are_told_what_is_wrong() -> None:
    keys = (Principal(name="ann", key_sha256="aa", classes=("chat",), models=("m",)),)
    play = Playbook(governor(principals=keys))
    cases = [
        (dict(), "missing_api_key"),
        (dict(key_sha256="zz"), "invalid_api_key"),
        (dict(key_sha256="aa", class_hint="nope"), "unknown_class"),
        (dict(key_sha256="aa", class_hint="batch"), "class_not_allowed"),
        (dict(key_sha256="aa", model="tiny"), "model_not_allowed"),
    ]
    for number, (changes, code) in enumerate(cases):
        (
            play
            >> arrive(request_id=f"r{number}", **changes)
            << a(Reject, refusal=a(Refusal, code=code))
            << a(Record, record=a(Outcome, outcome="refused", code=code))
        )
    play.done()


def test_an_unknown_model_is_not_a_missing_endpoint() -> None:
    play = Playbook(governor())
    (
        play
        >> arrive(model="gpt-9")
        << a(Reject, refusal=a(Refusal, code="model_not_found"))
        << a(Record, record=a(Outcome))
    )
    play.done()


def test_a_promise_out_of_reach_is_refused_early() -> None:
    play = Playbook(governor())
    (
        play
        >> arrive(class_hint="rigid")
        << a(Record, record=a(Feasibility))
        << a(Reject, refusal=a(Refusal, code="deadline_unreachable", retry_after_s=lambda s: s > 0))
        << a(Record, record=a(Outcome, outcome="refused", retry_after_s=lambda s: s > 0))
    )
    play.done()


def test_without_a_stated_bound_it_waits_for_half_of_the_promised_first_token() -> None:
    patient = replace(
        fleets.CHAT, name="patient", queue_s_max=None, promise=Promise(ttft_s=0.8, tpot_s=0.06)
    )
    core = Governor(fleets.fleet(h100=1, l40s=0), fleets.policy(classes=(fleets.CHAT, patient)))
    for number in range(300):
        core.handle(arrive(request_id=f"big{number}", prompt_bytes=8_000, body_digest=number))
    play = Playbook(core)
    (
        play
        >> arrive(request_id="p", class_hint="patient", body_digest=0)
        << a(Record, record=a(Feasibility))
        << a(Hold, request_id="p", until=1.4)
    )
    play.done()


def test_a_batch_request_is_held_under_load_and_placed_when_room_comes_free() -> None:
    core = Governor(fleets.fleet(h100=1, l40s=0), fleets.policy())
    for number in range(200):
        core.handle(arrive(request_id=f"big{number}", prompt_bytes=8_000, body_digest=number))
    core.handle(Tick(at=1.0))
    play = Playbook(core)
    (
        play
        >> arrive(request_id="b", class_hint="batch", body_digest=0)
        << a(Record, record=a(Feasibility))
        << a(Hold, request_id="b", until=31.0)
    )
    for flight in list(core.state.flights.values()):
        if flight.request_id != "b":
            commands = core.handle(
                Served(at=2.0, request_id=flight.request_id, status=200, output_tokens=5)
            )
            if any(isinstance(c, Forward) for c in commands):
                break
    else:
        raise AssertionError("the held request was never placed")
    assert not core.state.held


def test_a_held_request_out_of_time_is_rejected() -> None:
    core = Governor(fleets.fleet(h100=1, l40s=0), fleets.policy())
    for number in range(200):
        core.handle(arrive(request_id=f"big{number}", prompt_bytes=8_000, body_digest=number))
    core.handle(Tick(at=1.0))
    core.handle(arrive(request_id="b", class_hint="batch", body_digest=0))
    play = Playbook(core)
    (
        play
        >> DeadlinePassed(at=31.0, request_id="b")
        << a(Reject, refusal=a(Refusal, code="deadline_exceeded"))
        << a(Record, record=a(Outcome, outcome="deadline", attempts=0))
    )
    play.done()


def test_no_ledger_no_effect() -> None:
    play = Playbook(governor())
    play >> LedgerChanged(at=0.5, available=False, detail="disk full")
    (
        play
        >> arrive()
        << a(Record, record=a(Feasibility))
        << a(Reject, refusal=a(Refusal, code="ledger_unavailable", detail="disk full"))
        << a(Record, record=a(Outcome, outcome="refused"))
    )
    play >> LedgerChanged(at=2.0, available=True)
    play >> arrive(at=2.1, request_id="r2") << a(Record, record=a(Intent)) << a(Forward)
    play.done()


def test_draining_admits_nothing_new() -> None:
    play = Playbook(governor())
    play >> DrainBegun(at=0.5)
    (
        play
        >> arrive()
        << a(Record)
        << a(Reject, refusal=a(Refusal, code="draining"))
        << a(Record, record=a(Outcome, outcome="refused"))
    )
    play.done()


def test_a_client_retry_is_known_by_its_header_or_by_an_unanswered_prompt() -> None:
    core = governor()
    core.handle(arrive(session_hint="s", session_source="header"))
    core.handle(ClientGone(at=1.5, request_id="r1"))
    play = Playbook(core)
    (
        play
        >> arrive(at=2.0, request_id="r2", session_hint="s", session_source="header")
        << a(Record, record=a(Intent, is_retry=True, lineage="r1"))
        << a(Forward)
    )
    (
        play
        >> arrive(at=2.0, request_id="r3", retry_count=1, body_digest=99)
        << a(Record, record=a(Intent, is_retry=True))
        << a(Forward)
    )
    play.done()
    assert round(core.state.tallies["chat"].rate_per_s * 30) == 1


def test_the_same_prompt_twice_at_once_is_sampling_not_a_retry() -> None:
    core = governor()
    core.handle(arrive(session_hint="s"))
    play = Playbook(core)
    (
        play
        >> arrive(request_id="r2", session_hint="s")
        << a(Record, record=a(Intent, is_retry=False))
        << a(Forward)
    )
    play.done()


def test_observe_mode_places_by_the_baseline_and_writes_down_its_own_choice() -> None:
    core = governor(mode="observe")
    play = Playbook(core)
    (
        play
        >> arrive(class_hint="rigid")
        << a(Record)
        << a(
            Record,
            record=a(
                Intent,
                mode="observe",
                advice=lambda t: t.startswith("refuse: deadline_unreachable"),
            ),
        )
        << a(Forward, endpoint=0)
    )
    (
        play
        >> arrive(request_id="r2")
        << a(Record, record=a(Feasibility))
        << a(Record, record=a(Intent, mode="observe", endpoint="big-1"))
        << a(Forward, endpoint=1)
    )
    play.done()


def test_a_circuit_opens_after_failures_in_a_row_and_closes_after_one_good_trial() -> None:
    core = Governor(fleets.fleet(h100=1, l40s=0), fleets.policy())
    at = 1.0
    for number in range(5):
        core.handle(arrive(at=at, request_id=f"r{number}", body_digest=number))
        core.handle(AttemptFailed(at=at, request_id=f"r{number}", endpoint=0, cause="connect"))
    play = Playbook(core)
    (
        play
        >> arrive(at=1.5, request_id="x")
        << a(Record, record=a(Feasibility, allowed=()))
        << a(Reject, refusal=a(Refusal, code="no_endpoint", retry_after_s=lambda s: 0 < s <= 2.0))
        << a(Record)
    )
    play.pending = []
    commands = core.handle(Tick(at=3.5))
    assert any(
        isinstance(c, Record)
        and isinstance(c.record, LoopAction)
        and "half open" in c.record.reason
        for c in commands
    )
    forwarded = core.handle(arrive(at=3.6, request_id="trial"))
    assert any(isinstance(c, Forward) for c in forwarded)
    second = core.handle(arrive(at=3.7, request_id="second"))
    assert not any(isinstance(c, Forward) for c in second), "one trial only"
    core.handle(Served(at=4.0, request_id="trial", status=200, output_tokens=1))
    third = core.handle(arrive(at=4.1, request_id="third"))
    assert any(isinstance(c, Forward) for c in third)


def test_a_call_that_continues_a_stored_answer_goes_where_it_is_stored() -> None:
    core = governor()
    core.handle(arrive(operation="response"))
    home = next(e for e in core.state.view.endpoints if e.pending)
    core.handle(Served(at=1.5, request_id="r1", status=200, output_tokens=5, response_id="resp_1"))
    for other in core.state.view.endpoints:  # make every other endpoint look better
        if other is home:
            other.pending_prefill = 20_000.0
            core.state.view.dirty.add(other.index)
    play = Playbook(core)
    (
        play
        >> arrive(
            at=2.0,
            request_id="r2",
            operation="response",
            session_hint="resp_1",
            session_source="previous_response_id",
            body_digest=8,
        )
        << a(Record, record=a(Intent, endpoint=home.name, session="anonymous/resp_1"))
        << a(Forward)
    )
    core.handle(Served(at=2.5, request_id="r2", status=200, output_tokens=5, response_id="resp_2"))
    (
        play
        >> arrive(
            at=3.0,
            request_id="r3",
            operation="response",
            session_hint="resp_2",
            session_source="previous_response_id",
            body_digest=9,
        )
        << a(Record, record=a(Intent, endpoint=home.name, session="anonymous/resp_1"))
        << a(Forward)
    )
    play.done()


def test_a_pace_that_cannot_be_kept_is_refused_early() -> None:
    core = Governor(fleets.fleet(h100=0, l40s=1), fleets.policy())
    endpoint = core.state.view.endpoints[0]
    endpoint.running, endpoint.kv = 200, 300_000.0
    endpoint.kv_max = 1e9
    core.state.view.dirty.add(0)
    play = Playbook(core)
    (
        play
        >> arrive()
        << a(Record, record=a(Feasibility))
        << a(
            Reject,
            refusal=a(Refusal, code="deadline_unreachable", detail=lambda text: "a token" in text),
        )
        << a(Record, record=a(Outcome, outcome="refused"))
    )
    play.done()


def test_without_a_believed_model_the_queue_itself_bounds_admission() -> None:
    core = Governor(fleets.fleet(h100=1, l40s=0, metrics=True), fleets.policy())
    endpoint = core.state.view.endpoints[0]
    endpoint.pending, endpoint.departure_s = 40, 0.1  # 4 s of waiting shown; readings are stale
    play = Playbook(core)
    (
        play
        >> arrive()
        << a(Record, record=a(Feasibility))
        << a(Reject, refusal=a(Refusal, code="deadline_unreachable"))
        << a(Record, record=a(Outcome, outcome="refused"))
    )
    endpoint.pending = 2
    (
        play
        >> arrive(request_id="r2", body_digest=8)
        << a(Record, record=a(Intent, rule="fallback-stale-view"))
        << a(Forward)
    )
    play.done()
