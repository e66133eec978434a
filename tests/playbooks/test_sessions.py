"""The dialogue of agents' sessions with the core: begun, spared, out of budget, in a circle."""

from msgspec.structs import replace

from flyball.governor.commands import Forward, Hold, Notice, Record, Reject
from flyball.governor.events import DeadlinePassed, FleetChanged, RequestArrived, Served, Tick
from flyball.governor.governor import Governor
from flyball.model.decision import Intent, LoopAction, Outcome
from flyball.model.faults import Refusal
from flyball.model.request import Promise, RequestClass, SessionBudget, SessionRules
from support import fleets
from support.playbook import Playbook, a

RULES = SessionRules(wait_s_max=30.0)
CODER = RequestClass(
    name="coder",
    value_usd=0.05,
    promise=Promise(ttft_s=2.0, tpot_s=0.08),
    output_tokens_mean=100,
    sessions=RULES,
)


def governor(mode: str = "enforce", **rules: object) -> Governor:
    klass = replace(CODER, sessions=replace(RULES, **rules)) if rules else CODER
    return Governor(fleets.fleet(), fleets.policy(classes=(klass, fleets.CHAT), mode=mode))


def step(core: Governor, number: int, at: float, session: str = "s", **head: object) -> list:
    """One step asked for, and answered if it was placed; the answers to its arrival."""
    fields = {
        "session_hint": session,
        "session_source": "header",
        "prompt_bytes": 4000 + 500 * number,
        "body_digest": 1000 * hash(session) % 2**31 + number,
        "prefix": tuple(range(3 + number // 2)),
        "last_digest": number + 1,
        **head,
    }
    request_id = f"{session}{number}"
    said = core.handle(
        RequestArrived(at=at, request_id=request_id, head=fleets.head(**fields), draw=0.5)
    )
    if any(isinstance(one, Forward) for one in said):
        done = Served(
            at=at + 0.5,
            request_id=request_id,
            status=200,
            input_tokens=1000 + 120 * number,
            output_tokens=60,
        )
        core.handle(done)
    return said


def refusal(said: list) -> Refusal:
    return next(one.refusal for one in said if isinstance(one, Reject))


def intent(said: list) -> Intent:
    return next(
        one.record for one in said if isinstance(one, Record) and isinstance(one.record, Intent)
    )


def test_each_step_is_told_apart_and_worth_more_than_the_one_before() -> None:
    core = governor()
    intents = [intent(step(core, n, 1.0 + n)) for n in range(20)]
    assert [one.session_step for one in intents] == list(range(1, 21))
    values = [one.value_usd for one in intents]
    assert values == sorted(values)
    assert intents[0].session_steps_left > 5


def test_a_budget_once_used_up_ends_the_session_with_clear_words() -> None:
    core = governor(steps_max=3)
    for n in range(3):
        step(core, n, 1.0 + n)
    no = refusal(step(core, 3, 9.0))
    assert (no.code, no.fault.status, no.fault.should_retry) == ("session_budget_spent", 403, False)
    assert "3 of 3 calls" in no.message
    assert intent(step(core, 0, 10.0, session="t")), "another session has its own budget"


def test_a_client_may_lower_its_budget_but_not_raise_it() -> None:
    core = governor(tokens_max=5000)
    wish = SessionBudget(tokens=1_000_000)
    for n in range(6):
        said = step(core, n, 1.0 + n, session_budget=wish)
    assert refusal(said).code == "session_budget_spent"
    core = governor()
    step(core, 0, 1.0)
    said = step(core, 1, 2.0, session_budget=SessionBudget(steps=1))
    assert "1 of 1 calls" in refusal(said).message


def test_money_that_goes_too_fast_waits() -> None:
    core = governor(usd_per_minute_max=1e-9)
    step(core, 0, 1.0)
    no = refusal(step(core, 1, 2.0))
    assert (no.code, no.fault.status) == ("session_too_fast", 429)
    assert no.retry_after_s > 1.0


def test_a_session_in_a_circle_is_stopped_with_evidence_and_may_mend_its_ways() -> None:
    core = governor(repeats_max=4)
    for n in range(3):
        step(core, n, 1.0 + n)
    for n in range(3, 7):
        assert intent(step(core, n, 1.0 + n, last_digest=77))
    play = Playbook(core)
    head = fleets.head(
        session_hint="s",
        session_source="header",
        prompt_bytes=7500,
        body_digest=99,
        prefix=tuple(range(6)),
        last_digest=77,
    )
    (
        play
        >> RequestArrived(at=20.0, request_id="r9", head=head, draw=0.5)
        << a(Record, record=a(LoopAction, loop="runaway", scope="anonymous/s", new="stopped"))
        << a(Notice, code="session_runaway")
        << a(Reject, refusal=lambda r: "the last 4 calls repeated" in r.message)
        << a(
            Record,
            record=a(
                Outcome, code="session_runaway", status=403, reason=lambda why: "tokens" in why
            ),
        )
    )
    play.done()
    assert intent(step(core, 10, 30.0, last_digest=5)), "something new is let through"
    assert intent(step(core, 0, 31.0, session="t")), "another session goes on"


def test_warned_of_only_it_goes_on() -> None:
    core = governor(repeats_max=3, runaway="warn")
    said = []
    for n in range(12):
        said += step(core, n, 1.0 + n, last_digest=7)
    notices = [one for one in said if isinstance(one, Notice)]
    assert len(notices) == 1, "told once"
    assert not [one for one in said if isinstance(one, Reject)]


def test_observing_only_it_is_written_down_but_goes_on() -> None:
    core = governor(mode="observe", steps_max=2)
    for n in range(2):
        step(core, n, 1.0 + n)
    assert "session_budget_spent" in intent(step(core, 2, 5.0)).advice


def test_without_room_a_first_step_waits_for_its_turn() -> None:
    core = governor(kv_ratio_max=1e-3)
    step(core, 0, 1.0, session="old")
    said = step(core, 0, 2.0, session="new")
    assert [type(one) for one in said if not isinstance(one, Record)] == [Hold]
    assert intent(step(core, 1, 3.0, session="old")), "one that has begun goes on"
    begun = [one for at in range(4, 8) for one in core.handle(Tick(at=float(at)))]
    assert [one.request_id for one in begun if isinstance(one, Forward)] == ["new0"]


def test_one_that_waits_in_vain_is_told_how_things_stand() -> None:
    core = governor(kv_ratio_max=1e-3)
    step(core, 0, 1.0, session="old")
    core.state.programs.in_time_share = 0.5
    step(core, 0, 2.0, session="new")
    for at in range(4, 32):
        assert not any(isinstance(one, Forward) for one in core.handle(Tick(at=float(at))))
    no = refusal(core.handle(DeadlinePassed(at=32.0, request_id="new0")))
    assert (no.code, no.fault.status, no.fault.should_retry) == ("sessions_full", 429, True)
    assert 1.0 <= no.retry_after_s <= 60.0


def test_a_later_step_is_placed_late_where_a_first_one_waits() -> None:
    core = governor()
    step(core, 0, 1.0, session="old")
    for endpoint in core.state.view.endpoints:
        endpoint.pending_prefill = 400_000.0
        endpoint.pending = 40
    core.state.view.dirty.update(range(4))
    said = step(core, 1, 2.0, session="old")
    assert intent(said).advice.startswith("refuse: deadline_unreachable")
    said = step(core, 0, 2.5, session="new")
    assert any(isinstance(one, Hold) for one in said)


def test_beyond_its_limit_a_later_step_is_refused_too() -> None:
    core = governor(late_s_max=1.0)
    step(core, 0, 1.0)
    for endpoint in core.state.view.endpoints:
        endpoint.pending_prefill = 4_000_000.0
        endpoint.pending = 40
    core.state.view.dirty.update(range(4))
    assert refusal(step(core, 1, 2.0)).code == "deadline_unreachable"


def test_a_class_without_sessions_knows_nothing_of_them() -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    said = step(core, 0, 1.0)
    assert intent(said).session_step == 0
    assert not core.state.programs.by_class


def test_a_class_that_loses_its_sessions_settles_those_under_way() -> None:
    core = governor()
    head = fleets.head(session_hint="s", session_source="header")
    core.handle(RequestArrived(at=1.0, request_id="r1", head=head, draw=0.5))
    plain = fleets.policy(classes=(replace(CODER, sessions=None), fleets.CHAT))
    core.handle(FleetChanged(at=2.0, fleet=fleets.fleet(), policy=plain, digest="d"))
    core.handle(Served(at=3.0, request_id="r1", status=200, output_tokens=10))
    assert core.state.programs.kv_running == 0
    assert not core.state.flights
