"""Does a rival's core place, hold, retry and end requests as its router says?"""

import pytest

from flyball.governor.commands import Abort, Command, Forward, Hold, Record, Reject
from flyball.governor.events import (
    AttemptFailed,
    ClientGone,
    DeadlinePassed,
    DrainBegun,
    EndpointDraining,
    FirstByte,
    FleetChanged,
    PeersSeen,
    RequestArrived,
    Sampled,
    Served,
    Tick,
)
from flyball.governor.policy import Policy, Resilience
from flyball.model.decision import Outcome
from flyball.model.signals import EngineSample
from flyball.sim.loops import Core
from flyball.sim.rivals import RETRIES, ROUTERS, TRUNCATIONS, RivalCore, Setting
from flyball.sim.rivals.budgeted import Budgeted
from support import fleets, rivals


def core(name: str = "round_robin", endpoints: int = 2, **options: object) -> RivalCore:
    place = rivals.setting(endpoints)
    policy = options.pop("policy", fleets.policy())
    assert isinstance(policy, Policy)
    return RivalCore(place.fleet, policy, ROUTERS[name](place, None), **options)


def arrive(one: Core, name: str = "r", at: float = 0.0, **head: object) -> list[Command]:
    return one.handle(RequestArrived(at=at, request_id=name, head=fleets.head(**head), draw=0.5))


def failed(one: Core, at: float = 1.0, endpoint: int = 0, **more: object) -> list[Command]:
    fields = {"cause": "reset", **more}
    return one.handle(AttemptFailed(at=at, request_id="r", endpoint=endpoint, **fields))


def scrape(one: Core, at: float, waiting: int = 0, kv_usage: float = 0.0) -> list[Command]:
    out: list[Command] = []
    for endpoint in range(2):
        sample = EngineSample(waiting=waiting, running=0, kv_usage=kv_usage)
        out += one.handle(Sampled(at=at, endpoint=endpoint, sample=sample))
    return out


def kinds(commands: list[Command]) -> list[str]:
    return [
        command.record.__class__.__name__ if isinstance(command, Record) else type(command).__name__
        for command in commands
    ]


def outcomes(commands: list[Command]) -> list[Outcome]:
    return [c.record for c in commands if isinstance(c, Record) and isinstance(c.record, Outcome)]


def forward(commands: list[Command]) -> Forward:
    (one,) = [command for command in commands if isinstance(command, Forward)]
    return one


def test_intent_then_forward_then_outcome_with_exact_counts() -> None:
    one = core()
    commands = arrive(one, prefix=(1, 2))
    assert kinds(commands) == ["Intent", "Forward"]
    sent = forward(commands)
    assert (sent.endpoint, sent.attempt, sent.rule, sent.class_name) == (
        0,
        1,
        "round_robin",
        "chat",
    )
    assert sent.allowance.deadline_at == 600.0
    view = one.endpoints[0]
    assert (view.in_flight, view.prefill_tokens, view.held_tokens) == (1, 376.0, 376.0)
    assert one.handle(FirstByte(at=1.0, request_id="r")) == []
    assert (view.in_flight, view.prefill_tokens, view.held_tokens) == (1, 0.0, 376.0)
    commands = one.handle(Served(at=1.5, request_id="r", status=200, output_tokens=11))
    assert kinds(commands) == ["Outcome"]
    assert outcomes(commands)[0].ttft_s == 1.0 and outcomes(commands)[0].in_time
    assert (view.in_flight, view.prefill_tokens, view.held_tokens) == (0, 0.0, 0.0)
    assert one.handle(Served(at=2.0, request_id="r", status=200)) == []


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ({"class_hint": "nonsense"}, "unknown_class"),
        ({"model": "unknown"}, "model_not_found"),
        ({"operation": "infer"}, "no_endpoint"),
        ({"jurisdiction_hint": "EU"}, "no_endpoint"),
        ({"class_hint": "eu-chat"}, "no_endpoint"),
    ],
)
def test_refusals(head: dict[str, object], code: str) -> None:
    commands = arrive(core(), **head)
    assert kinds(commands) == ["Reject", "Outcome"]
    assert isinstance(commands[0], Reject) and commands[0].refusal.code == code


def test_residency_is_kept_by_routes() -> None:
    place = Setting(fleet=fleets.fleet(), chance=rivals.setting().chance)
    one = RivalCore(place.fleet, fleets.policy(), ROUTERS["round_robin"](place, None))
    found = {forward(arrive(one, f"r{n}", class_hint="eu-chat")).endpoint for n in range(6)}
    assert found == {2, 3}


def test_bounds_and_drain() -> None:
    one = core(policy=fleets.policy(resilience=Resilience(in_flight_max=1)))
    arrive(one, "a")
    commands = arrive(one, "b")
    assert isinstance(commands[0], Reject) and commands[0].refusal.code == "overloaded"
    one.handle(DrainBegun(at=1.0))
    commands = arrive(one, "c")
    assert isinstance(commands[0], Reject) and commands[0].refusal.code == "draining"
    assert kinds(one.handle(Served(at=1.0, request_id="a", status=200))) == ["Outcome"]


def test_a_failure_goes_to_the_client_without_a_rule() -> None:
    one = core()
    arrive(one)
    commands = failed(one)
    assert kinds(commands) == ["Reject", "Outcome"]
    assert outcomes(commands)[0].outcome == "failed" and one.endpoints[0].in_flight == 0


def test_a_started_stream_is_cut_off() -> None:
    one = core("litellm_latency")
    sent = forward(arrive(one))
    commands = failed(one, endpoint=sent.endpoint, started=True)
    assert kinds(commands) == ["Abort", "Outcome"]
    assert outcomes(commands)[0].outcome == "truncated-stream"


def test_an_immediate_retry_goes_elsewhere() -> None:
    one = core("litellm_latency")
    first = forward(arrive(one))
    commands = failed(one, endpoint=first.endpoint)
    assert kinds(commands) == ["Outcome", "Intent", "Forward"]
    assert outcomes(commands)[0].outcome == "retried" and outcomes(commands)[0].attempts == 1
    assert outcomes(commands)[0].endpoint == f"big-{first.endpoint}"
    assert forward(commands).attempt == 2 and forward(commands).endpoint != first.endpoint


def test_a_pause_before_the_retry_is_a_hold() -> None:
    one = core(retry=RETRIES["sdk_default"](None))
    arrive(one)
    commands = failed(one, at=1.0)
    assert commands == [Hold("r", 1.0 + 0.5 * (1 - 0.25 * 0.5))]
    assert "r" in one.paused and one.endpoints[0].in_flight == 0
    commands = one.handle(DeadlinePassed(at=1.4375, request_id="r"))
    assert kinds(commands) == ["Outcome", "Intent", "Forward"]
    assert forward(commands).endpoint == 1 and not one.paused


def test_a_budget_gets_each_retry_back() -> None:
    rule = Budgeted({"retries_max": 5})
    one = core(retry=rule)
    arrive(one)
    for attempt in range(1, 4):
        (hold,) = failed(one, at=float(attempt), endpoint=(attempt - 1) % 2, cause="connect")
        assert isinstance(hold, Hold)
        assert rule.running == 1
        one.handle(DeadlinePassed(at=hold.until, request_id="r"))
    one.handle(Served(at=9.0, request_id="r", status=200))
    assert rule.running == 0


def test_a_client_may_go_during_the_pause() -> None:
    one = core(retry=RETRIES["sdk_default"](None))
    arrive(one)
    failed(one)
    commands = one.handle(ClientGone(at=1.1, request_id="r"))
    assert kinds(commands) == ["Abort", "Outcome"]
    assert (outcomes(commands)[0].attempts, len(outcomes(commands))) == (1, 1)
    assert not one.asks and not one.paused


def test_a_pause_beyond_the_deadline_is_not_taken() -> None:
    one = core(retry=RETRIES["sdk_default"](None))
    arrive(one, deadline_s=1.2)
    assert kinds(failed(one, at=1.0)) == ["Reject", "Outcome"]


def test_held_until_the_gate_opens_first_come_first_served() -> None:
    one = core("epp_flow")
    assert arrive(one, "a") == [Hold("a", 60.0)]
    assert arrive(one, "b", at=0.1) == [Hold("b", 60.1)]
    assert arrive(one, "batch", at=0.2, class_hint="batch") == [Hold("batch", 60.2)]
    # One endpoint fresh and one never scraped: saturation 0.5, open from the next tick on.
    assert scrape(one, 1.0) == []
    commands = one.handle(Tick(at=1.003))
    assert [c.request_id for c in commands if isinstance(c, Forward)] == ["a", "b", "batch"]
    assert outcomes(commands) == []


def test_the_queue_gives_up_after_its_ttl() -> None:
    one = core("epp_flow")
    arrive(one)
    commands = one.handle(DeadlinePassed(at=60.0, request_id="r"))
    assert isinstance(commands[0], Reject) and commands[0].refusal.code == "no_endpoint"
    assert outcomes(commands)[0].outcome == "deadline" and outcomes(commands)[0].attempts == 0


def test_a_full_queue_refuses() -> None:
    one = core("epp_flow")
    one.router.held_max = 1
    arrive(one, "a")
    commands = arrive(one, "b")
    assert isinstance(commands[0], Reject) and commands[0].refusal.code == "queue_full"
    assert len(one.held) == 1


def test_deadlines_of_what_runs() -> None:
    one = core()
    arrive(one, deadline_s=2.0)
    commands = one.handle(DeadlinePassed(at=2.0, request_id="r"))
    assert kinds(commands) == ["Abort", "Outcome"]
    assert isinstance(commands[0], Abort) and commands[0].refusal is not None
    assert commands[0].refusal.code == "deadline_exceeded"
    assert one.handle(DeadlinePassed(at=2.0, request_id="r")) == []


def test_a_failed_scrape_leaves_the_last_sample_to_grow_old() -> None:
    one = core()
    scrape(one, 1.0, waiting=3)
    one.handle(Sampled(at=2.0, endpoint=0, sample=None, error="timeout"))
    assert one.endpoints[0].waiting == 3 and one.endpoints[0].sampled_at == 1.0


def test_an_endpoint_whose_scrapes_fail_for_half_a_minute_is_left_out() -> None:
    one = core("least_request")
    one.endpoints[1].in_flight = 5
    for at in (1.0, 30.9):
        one.handle(Sampled(at=at, endpoint=0, sample=None, error="refused"))
    assert forward(arrive(one, "a", at=30.9)).endpoint == 0
    assert forward(arrive(one, "b", at=31.0)).endpoint == 1
    one.handle(Sampled(at=31.0, endpoint=1, sample=None, error="refused"))
    assert forward(arrive(one, "c", at=62.0)).endpoint == 0  # all fail: all are in
    one.handle(Sampled(at=63.0, endpoint=1, sample=EngineSample(waiting=0)))
    assert forward(arrive(one, "d", at=64.0)).endpoint == 1


def test_draining_takes_an_endpoint_out_and_forgets_it() -> None:
    one = core()
    scrape(one, 1.0, waiting=3)
    one.handle(EndpointDraining(at=1.0, endpoint=0, draining=True))
    assert [forward(arrive(one, f"r{n}")).endpoint for n in range(3)] == [1, 1, 1]
    assert one.endpoints[0].sample is None
    one.handle(EndpointDraining(at=2.0, endpoint=1, draining=True))
    commands = arrive(one, "z")
    assert isinstance(commands[0], Reject) and commands[0].refusal.code == "no_endpoint"
    one.handle(EndpointDraining(at=3.0, endpoint=0, draining=False))
    assert forward(arrive(one, "y")).endpoint == 0


def test_a_new_fleet_keeps_the_work_in_flight_by_name() -> None:
    one = core()
    arrive(one, "a")
    arrive(one, "b")
    new = rivals.grown(rivals.fleet(2), ["big-1", "big-7"])
    one.handle(FleetChanged(at=1.0, fleet=new, policy=fleets.policy(), digest="d"))
    assert [(view.index, view.name, view.in_flight) for view in one.endpoints] == [
        (0, "big-1", 1),
        (1, "big-7", 0),
    ]
    one.handle(Served(at=2.0, request_id="a", status=200))  # at an endpoint that is gone
    one.handle(Served(at=2.0, request_id="b", status=200))
    assert [view.in_flight for view in one.endpoints] == [0, 0] and not one.asks


def test_truncation_keeps_part_of_the_prompt() -> None:
    one = core(truncation=TRUNCATIONS["threshold_truncation"](None))
    scrape(one, 1.0, kv_usage=0.9)
    allowance = forward(arrive(one, prompt_bytes=16_000)).allowance
    assert (allowance.tokens_offered, allowance.tokens_kept) == (4001, 3000)
    scrape(one, 2.0, kv_usage=0.1)
    assert forward(arrive(one, "s", prompt_bytes=16_000)).allowance.tokens_kept == 4001
    one.spend_ratio = 0.9
    assert forward(arrive(one, "t", prompt_bytes=16_000)).allowance.tokens_kept == 3000


def test_what_no_rival_knows_is_passed_over() -> None:
    one = core()
    assert one.handle(PeersSeen(at=0.0, loads=())) == []
    assert one.handle(Tick(at=0.0)) == []
