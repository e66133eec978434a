"""Is a copy sent only where it pays, as an attempt of its own, and does the first byte decide?"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.governor.commands import Abort, Command, Forward, Record, Reject
from flyball.governor.events import (
    AttemptFailed,
    ClientGone,
    DeadlinePassed,
    Event,
    FirstByte,
    HedgeDue,
    RequestArrived,
    Served,
)
from flyball.governor.governor import Governor
from flyball.model.decision import Intent, Outcome
from flyball.model.loop import LoopPolicy
from flyball.model.request import Promise, RequestClass
from support import fleets
from support.playbook import Playbook, a

KEEN = RequestClass(name="keen", value_usd=0.01, promise=Promise(ttft_s=0.3), allow_hedge=True)


def governor(klass: RequestClass = KEEN, **changes: Any) -> Governor:
    return Governor(fleets.fleet(2, 0), fleets.policy(classes=(klass,), **changes))


def arrived(core: Governor, name: str = "r1") -> Forward:
    out = core.handle(
        RequestArrived(at=1.0, request_id=name, head=fleets.head(output_tokens_max=20), draw=0.0)
    )
    forward = out[-1]
    assert isinstance(forward, Forward)
    return forward


def copied(core: Governor) -> tuple[Forward, Forward]:
    """A request and its copy, both under way."""
    first = arrived(core)
    out = core.handle(HedgeDue(at=1.2, request_id="r1"))
    second = out[-1]
    assert isinstance(second, Forward)
    return first, second


def test_a_copy_is_asked_for_after_the_time_expected() -> None:
    forward = arrived(governor())
    assert forward.allowance.hedge_at == pytest.approx(1.0 + 0.3 - 1.5 * 0.0577, rel=0.02)


def test_a_class_that_forbids_it_has_none() -> None:
    core = governor(RequestClass(name="calm", promise=Promise(ttft_s=0.3)))
    assert arrived(core).allowance.hedge_at == 0.0


@pytest.mark.parametrize("mode", ["observe", "advise"])
def test_only_a_loop_that_enforces_has_one(mode: Any) -> None:
    core = governor(loops=(LoopPolicy(name="hedge", mode=mode),))
    assert arrived(core).allowance.hedge_at == 0.0


def test_the_copy_goes_elsewhere_as_an_attempt_of_its_own() -> None:
    play = Playbook(governor())
    first = arrived(play.governor)
    play >> HedgeDue(at=1.2, request_id="r1")
    play << a(Record, record=a(Intent, attempt=2, rule="hedge", lineage="r1"))
    play << a(Forward, attempt=2, is_copy=True, endpoint=1 - first.endpoint)
    play.done()
    assert [e.pending for e in play.governor.state.view.endpoints] == [1, 1]


def test_too_early_or_too_dear_a_copy_is_not_sent() -> None:
    calm = governor(RequestClass(name="calm", promise=Promise(ttft_s=1.0), allow_hedge=True))
    arrived(calm)
    assert calm.handle(HedgeDue(at=1.01, request_id="r1")) == []  # no miss to be averted
    core = governor()
    arrived(core)
    for endpoint in core.state.view.endpoints:
        endpoint.input_usd = 1e-3
    core.state.view.dirty.update((0, 1))
    assert core.handle(HedgeDue(at=1.2, request_id="r1")) == []


def test_a_copy_comes_out_of_the_budget() -> None:
    core = governor()
    core.state.budget.tokens = 0.0
    arrived(core)
    assert core.handle(HedgeDue(at=1.2, request_id="r1")) == []


def test_nothing_is_copied_twice_or_after_its_first_byte() -> None:
    core = governor()
    copied(core)
    assert core.handle(HedgeDue(at=1.21, request_id="r1")) == []
    late = governor()
    arrived(late)
    late.handle(FirstByte(at=1.1, request_id="r1"))
    assert late.handle(HedgeDue(at=1.2, request_id="r1")) == []


@pytest.mark.parametrize("winner", [1, 2])
def test_the_first_byte_decides(winner: int) -> None:
    play = Playbook(governor())
    first, second = copied(play.governor)
    won, lost = (first, second) if winner == 1 else (second, first)
    names = [endpoint.name for endpoint in play.governor.state.view.endpoints]
    play >> FirstByte(at=1.25, request_id="r1", attempt=winner)
    play << a(
        Record, record=a(Outcome, outcome="cancelled", attempts=lost.attempt,
                         endpoint=names[lost.endpoint])
    )  # fmt: skip
    loads = [(e.pending, e.running) for e in play.governor.state.view.endpoints]
    assert loads[won.endpoint] == (0, 1)
    assert loads[lost.endpoint] == (0, 0)
    play >> Served(at=1.5, request_id="r1", status=200, output_tokens=20)
    play << a(
        Record, record=a(Outcome, outcome="served", attempts=winner, endpoint=names[won.endpoint])
    )  # fmt: skip
    play.done()


@pytest.mark.parametrize("failing", [1, 2])
def test_if_one_fails_the_other_goes_on(failing: int) -> None:
    play = Playbook(governor())
    pair = copied(play.governor)
    failed = AttemptFailed(
        at=1.22, request_id="r1", endpoint=pair[failing - 1].endpoint, cause="reset",
        attempt=failing,
    )  # fmt: skip
    play >> failed
    play << a(Record, record=a(Outcome, outcome="retried", attempts=failing))
    play >> FirstByte(at=1.25, request_id="r1")
    play >> Served(at=1.5, request_id="r1", status=200, output_tokens=20)
    play << a(Record, record=a(Outcome, outcome="served", attempts=3 - failing))
    play.done()


STEPS = st.sampled_from(("byte1", "byte2", "fail1", "fail2", "served", "gone", "deadline", "hedge"))


def event_of(step: str, at: float, endpoints: tuple[int, int]) -> Event:
    if step.startswith("byte"):
        return FirstByte(at=at, request_id="r1", attempt=int(step[-1]))
    if step.startswith("fail"):
        number = int(step[-1])
        return AttemptFailed(
            at=at, request_id="r1", endpoint=endpoints[number - 1], cause="reset", attempt=number
        )
    if step == "served":
        return Served(at=at, request_id="r1", status=200, output_tokens=20)
    if step == "gone":
        return ClientGone(at=at, request_id="r1")
    if step == "hedge":
        return HedgeDue(at=at, request_id="r1")
    return DeadlinePassed(at=at, request_id="r1")


@settings(max_examples=200)
@given(st.lists(STEPS, max_size=6))
def test_each_attempt_has_one_outcome_and_no_work_is_left(steps: list[str]) -> None:
    """Whatever happens to the two, in any order that a driver may tell it in."""
    core = governor()
    head = fleets.head(output_tokens_max=20)
    out: list[Command] = list(
        core.handle(RequestArrived(at=1.0, request_id="r1", head=head, draw=0.0))
    )
    out += core.handle(HedgeDue(at=1.2, request_id="r1"))
    pair = tuple(c.endpoint for c in out if isinstance(c, Forward))
    assert len(pair) == 2
    at = 1.2
    for step in [*steps, "gone"]:
        flight = core.state.flights.get("r1")
        alive = set()
        if flight is not None:
            alive = {flight.attempt} | ({flight.rival.attempt} if flight.rival else set())
        number = int(step[-1]) if step[-1].isdigit() else 0
        if number and (number not in alive or (flight is not None and flight.first_byte_at)):
            continue  # no driver tells of an attempt that it has closed
        at += 0.01
        out += core.handle(event_of(step, at, (pair[0], pair[1])))
    intents = [
        c.record.attempt for c in out if isinstance(c, Record) and isinstance(c.record, Intent)
    ]
    ends = [c.record for c in out if isinstance(c, Record) and isinstance(c.record, Outcome)]
    assert sorted(intents) == sorted(one.attempts for one in ends)
    assert sum(one.outcome not in ("retried", "cancelled") for one in ends) == 1
    assert core.state.flights == {}
    for endpoint in core.state.view.endpoints:
        left = (endpoint.pending, endpoint.running, endpoint.pending_prefill, endpoint.kv)
        assert left == (0, 0, 0.0, 0.0)
    assert sum(isinstance(c, Reject | Abort) for c in out) <= 1


def test_an_endpoint_that_is_overtaken_is_learnt_to_be_slow() -> None:
    core = governor()
    first, _ = copied(core)
    slow = core.state.view.endpoints[first.endpoint]
    before = slow.ttft_bias_log
    core.handle(FirstByte(at=1.25, request_id="r1", attempt=2))
    assert slow.ttft_bias_log > before
