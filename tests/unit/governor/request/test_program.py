"""Is room counted by KV, worth and lateness, and is who waits let in, in order?"""

import pytest

from flyball.governor.events import RequestArrived, Served
from flyball.governor.governor import Governor
from flyball.governor.request import program
from flyball.governor.state import State
from flyball.model.request import Promise, RequestClass, SessionRules
from support import fleets

# Endpoints of the small fleet hold 2 * 397,000 + 2 * 185,000 tokens.
KV = 1_164_000


def core(**rules: object) -> Governor:
    classes = tuple(
        RequestClass(
            name=name,
            value_usd=value,
            promise=Promise(ttft_s=3.0, tpot_s=0.08),
            sessions=SessionRules(**{"kv_ratio_max": 0.5, **rules}),
        )
        for name, value in (("cheap", 0.001), ("dear", 0.1))
    )
    return Governor(fleets.fleet(), fleets.policy(classes=classes))


def ask(found: Governor, session: str, at: float, klass: str = "cheap") -> bool:
    """Whether the first step of that session was placed at once."""
    head = fleets.head(
        session_hint=session, session_source="header", class_hint=klass, body_digest=hash(session)
    )
    found.handle(RequestArrived(at=at, request_id=session, head=head, draw=0.5))
    return found.state.flights[session].attempt == 1


def fill(state: State, klass: str, tokens: int) -> None:
    group = state.programs.by_class[klass]
    group.admit(group.find(f"full-{klass}", 1.0), tokens)


def test_there_is_room_while_contexts_fit() -> None:
    found = core()
    fill(found.state, "cheap", KV // 2 - 10_000)
    assert ask(found, "a", 1.0)
    fill(found.state, "dear", 20_000)
    assert not ask(found, "b", 1.1)
    assert list(found.state.programs.by_class["cheap"].line) == ["b"]


def test_a_worthier_class_does_not_wait_for_the_other() -> None:
    found = core()
    fill(found.state, "cheap", KV)
    assert not ask(found, "a", 1.0)
    assert ask(found, "b", 1.1, klass="dear")


def test_while_steps_are_placed_late_nothing_new_begins() -> None:
    found = core()
    fill(found.state, "dear", 100)
    found.state.programs.late_share = program.LATE_SHARE_MAX + 0.01
    assert not ask(found, "a", 1.0)


def test_work_outside_sessions_takes_its_part_of_the_kv() -> None:
    found = core()
    fill(found.state, "cheap", KV // 2 - 60_000)
    for endpoint in found.state.view.endpoints:
        endpoint.kv = 50_000.0
    assert not ask(found, "a", 1.0)


def test_the_first_in_line_begins_first_and_those_who_waited_in_vain_before_him() -> None:
    found = core()
    state = found.state
    group = state.programs.by_class["cheap"]
    fill(state, "cheap", KV)
    for name in ("a", "b", "c"):
        assert not ask(found, name, 1.0)
    group.line.remove("b")
    waited = state.flights["b"].program
    assert waited is not None
    waited.has_waited = True
    program.join_line(state, state.flights["b"])
    assert list(group.line) == ["b", "a", "c"]
    group.note_context(group.live["full-cheap"], 1)
    group.context_live = 1
    found.handle(Served(at=3.0, request_id="nobody", status=200))
    assert [name for name in "abc" if state.flights[name].attempt] == ["a", "b", "c"]


def test_the_line_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "LINE_MAX", 2)
    found = core()
    fill(found.state, "cheap", KV)
    for name in ("a", "b"):
        assert not ask(found, name, 1.0)
    head = fleets.head(session_hint="c", session_source="header", class_hint="cheap")
    said = found.handle(RequestArrived(at=1.0, request_id="c", head=head, draw=0.5))
    assert said[-2].refusal.code == "sessions_full"
    assert "2 wait" in said[-2].refusal.message


def test_beyond_its_kv_one_more_begins_now_and_then_while_all_are_in_time() -> None:
    found = core()
    fill(found.state, "cheap", KV)
    at = 1.0 + program.EXTRA_S
    assert ask(found, "a", at)
    assert not ask(found, "b", at + 0.5 * program.EXTRA_S)
    found.state.programs.in_time_share = program.CALM - 0.01
    assert not ask(found, "c", at + 10.0 * program.EXTRA_S)


def test_what_ends_late_is_noticed_whoever_asked_for_it() -> None:
    found = core()
    assert ask(found, "a", 1.0)
    found.handle(Served(at=500.0, request_id="a", status=200, output_tokens=5))
    assert found.state.programs.in_time_share < 1.0
