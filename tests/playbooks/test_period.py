"""The dialogue of one control period with the core: question, answer, certificate, board."""

import msgspec

from flyball.governor.commands import Forward, Notice, Publish, Record, Report, Solve
from flyball.governor.events import (
    BoardReceived,
    FleetChanged,
    Observed,
    RequestArrived,
    Sampled,
    Served,
    Solved,
    Tick,
)
from flyball.governor.governor import Governor
from flyball.model.decision import ConfigSet, Intent, PricesSet
from flyball.model.fleet import Fleet
from flyball.model.prices import PoolPrice, PriceBoard
from flyball.model.signals import EngineSample
from flyball.pricing.highs import Solver
from support import fleets
from support.playbook import Playbook, a


def serve(core: Governor, count: int, at: float = 1.0, **head: object) -> None:
    """`count` requests arrive and are served at once."""
    for number in range(count):
        name = f"{at}-{number}"
        core.handle(
            RequestArrived(
                at=at, request_id=name, head=fleets.head(body_digest=number, **head), draw=0.5
            )
        )
        core.handle(
            Served(at=at + 0.5, request_id=name, status=200, input_tokens=400, output_tokens=50)
        )


def solved(core: Governor, at: float) -> tuple[Solve, Solved]:
    """Tick until the core asks, and answer it truly."""
    for command in core.handle(Tick(at=at)):
        if isinstance(command, Solve):
            return command, Solved(at=at + 0.05, solution=Solver().solve(command.problem))
    raise AssertionError("no problem was posed")


def test_a_period_without_demand_asks_nothing() -> None:
    play = Playbook(Governor(fleets.fleet(), fleets.policy()))
    play >> Tick(at=1.0)
    play.done()


def test_demand_leads_to_a_question_a_board_and_a_record() -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    serve(core, 50)
    play = Playbook(core)
    (
        play
        >> Tick(at=2.0)
        << a(Report, settled=lambda s: len(s) == 50)
        << a(Solve, problem=lambda p: p.class_names == ("chat",) and len(p.pools) == 2)
    )
    solution = Solver().solve(core.state.problem)
    (
        play
        >> Solved(at=2.1, solution=solution)
        << a(Publish, board=a(PriceBoard, version=1, valid_until=32.1))
        << a(Record, record=a(PricesSet, published=True, version=1))
    )
    play >> Tick(at=3.0)  # not due again before the solve interval has passed
    play.done()


def test_an_answer_that_fails_its_certificate_changes_nothing() -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    serve(core, 50)
    _, answer = solved(core, 2.0)
    assert answer.solution is not None
    bad = msgspec.structs.replace(
        answer.solution, rates=tuple(10.0 * x + 1.0 for x in answer.solution.rates)
    )
    play = Playbook(core)
    (
        play
        >> Solved(at=2.1, solution=bad)
        << a(Record, record=a(PricesSet, published=False, reason=lambda text: bool(text)))
    )
    play.done()
    assert core.board.version == 0


def test_a_solver_that_fails_is_recorded_and_asked_again() -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    serve(core, 50)
    solved(core, 2.0)
    play = Playbook(core)
    (
        play
        >> Solved(at=2.1, solution=None, error="time limit")
        << a(Record, record=a(PricesSet, published=False, reason="time limit"))
    )
    play >> Tick(at=8.0) << Solve
    play.done()


def test_prices_move_by_the_smoothing_share() -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    serve(core, 50)
    _, answer = solved(core, 2.0)
    core.handle(answer)
    first = {p.pool: p.usd_per_gpu_second for p in core.board.pools}
    serve(core, 500, at=7.0)
    _, answer = solved(core, 8.0)
    core.handle(answer)
    assert answer.solution is not None
    for number, price in enumerate(core.board.pools):
        dual = answer.solution.gpu_prices[number]
        expected = first[price.pool] + 0.4 * (dual - first[price.pool])
        assert abs(price.usd_per_gpu_second - expected) < 1e-12


def test_an_expired_board_is_not_acted_on() -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    prices = (PoolPrice(pool="big", usd_per_gpu_second=100.0),)
    board = PriceBoard(version=5, made_at=1.0, valid_until=10.0, pools=prices)
    core.handle(BoardReceived(at=1.0, board=board))
    play = Playbook(core)
    arrival = RequestArrived(at=2.0, request_id="r1", head=fleets.head(), draw=0.5)
    (
        play
        >> arrival
        << Record
        << a(Record, record=a(Intent, pool="small", board_version=5, board_age_s=1.0))
        << Forward
    )
    late = RequestArrived(at=11.0, request_id="r2", head=fleets.head(), draw=0.5)
    (
        play
        >> late
        << a(Record, record=a(Intent, pool="big", board_version=0, board_age_s=0.0))
        << Forward
    )
    play.done()


def test_an_older_board_does_not_replace_a_newer_one() -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    new = PriceBoard(version=5, made_at=1.0, valid_until=10.0)
    core.handle(BoardReceived(at=1.0, board=new))
    core.handle(BoardReceived(at=1.1, board=PriceBoard(version=4, made_at=1.0, valid_until=99.0)))
    assert core.board is new


def test_stale_metrics_lead_to_the_stated_fall_back_and_one_notice() -> None:
    core = Governor(fleets.fleet(metrics=True), fleets.policy())
    for index in range(4):
        core.handle(Sampled(at=1.0, endpoint=index, sample=EngineSample(waiting=0, running=0)))
    play = Playbook(core)
    fresh = RequestArrived(at=1.1, request_id="r1", head=fleets.head(), draw=0.5)
    play >> fresh << Record << a(Record, record=a(Intent, rule="price")) << Forward
    play >> Tick(at=2.0) << a(Notice, code="view-distrusted") << Solve
    stale = RequestArrived(at=2.0, request_id="r2", head=fleets.head(), draw=0.5)
    play >> stale << a(Record, record=a(Intent, rule="fallback-stale-view")) << Forward
    play >> Tick(at=2.5)
    for index in range(4):
        core.handle(Sampled(at=3.0, endpoint=index, sample=EngineSample(waiting=0, running=1)))
    play >> Tick(at=3.1) << a(Notice, code="view-trusted")
    play.done()


def test_the_control_process_counts_demand_that_its_workers_saw() -> None:
    worker = Governor(fleets.fleet(), fleets.policy(role="worker"))
    control = Governor(fleets.fleet(), fleets.policy(role="control"))
    serve(worker, 40)
    play = Playbook(worker)
    reports = worker.handle(Tick(at=2.0))
    assert [type(c) for c in reports] == [Report]
    play = Playbook(control)
    play >> Observed(at=2.0, settled=reports[0].settled)
    assert abs(control.state.tallies["chat"].rate_per_s - 40 / 30) < 0.1
    play >> Tick(at=2.1) << Solve
    play.done()


def test_a_reload_keeps_flights_and_lessons_and_drops_what_is_gone() -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    serve(core, 20)
    for endpoint in core.state.view.endpoints:
        endpoint.learn_ttft(0.1, 0.2, 0.0)
    learnt = {e.name: (e.observations, e.ttft_bias) for e in core.state.view.endpoints}
    core.handle(RequestArrived(at=3.0, request_id="r1", head=fleets.head(), draw=0.5))
    where = next(e for e in core.state.view.endpoints if e.pending)
    old = fleets.fleet()
    kept = tuple(e for e in old.endpoints if e.name != where.name)
    smaller = Fleet(sites=old.sites, pools=old.pools, endpoints=kept)
    play = Playbook(core)
    (
        play
        >> FleetChanged(at=3.1, fleet=smaller, policy=fleets.policy(), digest="d2")
        << a(Record, record=a(ConfigSet, digest="d2", in_force=True))
    )
    (
        play
        >> Served(at=4.0, request_id="r1", status=200, output_tokens=5)
        << a(Record, record=a(object, endpoint=where.name, outcome="served"))
    )
    play.done()
    assert where.load == 0
    assert all(e.load == 0 for e in core.state.view.endpoints)
    for endpoint in core.state.view.endpoints:
        assert (endpoint.observations, endpoint.ttft_bias) == learnt[endpoint.name]
