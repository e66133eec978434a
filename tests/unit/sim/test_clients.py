"""Do clients retry as the SDK does: when, how often, and after which pause?"""

from itertools import pairwise

import pytest

from flyball.dialects.traces.row import TraceRow
from flyball.model.faults import Refusal
from flyball.model.request import RequestClass
from flyball.sim.agents import AgentClient, book
from flyball.sim.clientrules import ClientRules
from flyball.sim.clients import Clients
from flyball.sim.clock import Clock, Streams
from flyball.sim.exchange import Call, Exchange
from flyball.sim.network import Network
from support.fleets import fleet

ROW = TraceRow(at_s=0.0, input_tokens=100, output_tokens=11)
BUSY = Refusal(code="queue_full")


class Desk:
    """Clients whose gateway does what the test says; `answers` in turn, None = silence."""

    def __init__(self, *answers: Refusal | None, **rules: object) -> None:
        self.clock = Clock()
        self.answers = list(answers)
        self.sent: list[float] = []
        self.closed: list[float] = []
        self.ended: list[Call] = []
        network = Network(fleet(), Streams(1).named("network"), 0.0, 0.0)
        self.clients = Clients(
            self.clock,
            network,
            ClientRules(**rules),  # type: ignore[arg-type]
            Streams(1).named("clients"),
            self.send,
            lambda exchange: self.closed.append(self.clock.now),
            self.ended.append,
        )

    def send(self, call: Call) -> Exchange:
        exchange = call.current = Exchange(call, 0, f"r{len(self.sent)}")
        self.sent.append(self.clock.now)
        answer = self.answers.pop(0)
        if answer is not None:
            exchange.is_over = True
            self.clients.refused(exchange, answer)
        return exchange

    def run(self, until: float = 1000.0) -> Call:
        call = Call(0, ROW, RequestClass(name="chat"), 0.0)
        self.clock.at(0.0, self.clients.attempt, call)
        self.clock.run(until)
        return call


def test_two_retries_with_doubling_pauses_less_up_to_a_quarter() -> None:
    desk = Desk(BUSY, BUSY, BUSY)
    call = desk.run()
    first, second = desk.sent[1], desk.sent[2] - desk.sent[1]
    assert 0.375 <= first <= 0.5
    assert 0.75 <= second <= 1.0
    assert (call.end, call.code, call.tries) == ("refused", "queue_full", 3)
    assert desk.ended == [call]


def test_retry_after_is_honoured_up_to_a_minute() -> None:
    wait = Refusal(code="no_endpoint", retry_after_s=7.0)
    long = Refusal(code="no_endpoint", retry_after_s=61.0)
    desk = Desk(wait, long, long)
    desk.run()
    assert desk.sent[1] == 7.0
    assert desk.sent[2] - desk.sent[1] <= 1.0


@pytest.mark.parametrize(
    ("refusal", "tries"),
    [
        (Refusal(code="retry_budget_spent"), 1),
        (Refusal(code="retry_budget_spent", should_retry=True), 3),
        (Refusal(code="bad_field"), 1),
        (Refusal(code="no_endpoint", should_retry=False), 1),
    ],
)
def test_what_the_gateway_says_of_retrying_rules(refusal: Refusal, tries: int) -> None:
    desk = Desk(refusal, refusal, refusal)
    assert desk.run().tries == tries


def test_a_client_gives_up_after_its_patience_and_its_retries() -> None:
    desk = Desk(None, None, patience_s={"chat": 10.0}, retries=1)
    call = desk.run()
    assert desk.closed == pytest.approx([10.0, desk.sent[1] + 10.0])
    assert (call.end, call.code) == ("gave-up", "client-timeout")


def test_a_first_byte_in_time_keeps_the_client() -> None:
    desk = Desk(None, patience_s={"": 10.0})

    def answer(_: None) -> None:
        exchange = call.current
        assert exchange is not None
        exchange.first_byte = True
        desk.clients.first_byte(exchange)
        desk.clock.at(30.0, lambda _: desk.clients.served(exchange, 200))

    call = Call(0, ROW, RequestClass(name="chat"), 0.0)
    desk.clock.at(0.0, desk.clients.attempt, call)
    desk.clock.at(9.0, answer)
    desk.clock.run(100.0)
    assert (call.end, call.ttft_s, call.e2e_s, desk.closed) == ("served", 9.0, 30.0, [])


def test_a_cut_stream_is_not_tried_again_and_a_400_is_final() -> None:
    desk = Desk(None)
    call = Call(0, ROW, RequestClass(name="chat"), 0.0)
    desk.clients.attempt(call)
    assert call.current is not None
    desk.clients.cut_off(call.current, Refusal(code="upstream_failed"))
    assert (call.end, call.tries) == ("failed", 1)
    other = Desk(None)
    refused = Call(1, ROW, RequestClass(name="chat"), 0.0)
    other.clients.attempt(refused)
    assert refused.current is not None
    other.clients.served(refused.current, 400)
    assert (refused.end, refused.code) == ("refused", "status-400")


def test_an_answer_to_a_try_given_up_is_not_heard() -> None:
    desk = Desk(None, patience_s={"": 1.0}, retries=0)
    call = Call(0, ROW, RequestClass(name="chat"), 0.0)
    desk.clients.attempt(call)
    late = call.current
    assert late is not None
    desk.clock.run(5.0)
    desk.clients.served(late, 200)
    desk.clients.refused(late, BUSY)
    desk.clients.cut_off(late, BUSY)
    assert desk.ended == [call] and call.end == "gave-up"


LOOP = book().clients["mini-swe-agent"]


def agent_call(agent: AgentClient = LOOP) -> Call:
    return Call(0, ROW, RequestClass(name="chat"), 0.0, agent=agent)


def test_an_agent_s_loop_stands_round_the_sdk() -> None:
    desk = Desk(*[BUSY] * 30)
    call = agent_call()
    desk.clock.at(0.0, desk.clients.attempt, call)
    desk.clock.run(10_000.0)
    assert (call.end, call.tries, call.agent_tries) == ("refused", 30, 10)
    assert (desk.clients.agent_retries, desk.clients.sdk_retries) == (9, 20)
    rounds = desk.sent[::3]
    pauses = [after - before for before, after in pairwise(rounds)]
    waited = [LOOP.pause_s(tries, 0.0) for tries in range(1, 10)]
    assert all(1.125 <= p - w <= 1.5 for p, w in zip(pauses, waited, strict=True))


def test_the_sdk_s_pauses_begin_anew_with_each_try_of_the_agent() -> None:
    desk = Desk(*[BUSY] * 30)
    desk.clock.at(0.0, desk.clients.attempt, agent_call())
    desk.clock.run(10_000.0)
    assert all(0.375 <= desk.sent[i + 1] - desk.sent[i] <= 0.5 for i in range(0, 30, 3))


@pytest.mark.parametrize(
    ("refusal", "tries"),
    [
        (Refusal(code="bad_field"), 1),  # a 400 is the caller's own fault, for ever
        (Refusal(code="no_endpoint", should_retry=False), 10),  # a header for SDKs, not for agents
    ],
)
def test_an_agent_heeds_the_status_alone(refusal: Refusal, tries: int) -> None:
    desk = Desk(*[refusal] * 10)
    call = agent_call()
    desk.clock.at(0.0, desk.clients.attempt, call)
    desk.clock.run(10_000.0)
    assert call.tries == tries


def test_an_agent_tries_a_cut_stream_again_and_its_first_token_counts_anew() -> None:
    desk = Desk(None, None)
    call = agent_call()
    desk.clients.attempt(call)
    first = call.current
    assert first is not None
    desk.clients.first_byte(first)
    desk.clients.cut_off(first, Refusal(code="upstream_failed"))
    assert not call.is_over and call.first_at == 0.0
    desk.clock.run(4.0)
    again = call.current
    assert again is not None and again is not first and desk.sent[1] == 4.0
    desk.clients.first_byte(again)
    desk.clients.served(again, 200)
    assert (call.end, call.agent_tries, call.ttft_s) == ("served", 2, 4.0)


def test_an_agent_is_as_patient_as_its_client_unless_its_class_says_otherwise() -> None:
    for rules, waited_s in (({}, LOOP.timeout_s), ({"patience_s": {"chat": 5.0}}, 5.0)):
        desk = Desk(*[None] * 30, **rules)
        desk.clients.attempt(agent_call())
        desk.clock.run(LOOP.timeout_s + 1.0)
        assert desk.closed[0] == waited_s
