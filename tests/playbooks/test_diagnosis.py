"""What does the core say, event by event, when a fleet comes near its cliff and back?"""

from flyball.governor.commands import Advise, Diagnosed, Notice, Record, Solve
from flyball.governor.events import Observed, Tick
from flyball.governor.governor import Governor
from flyball.governor.policy import Diagnosis
from flyball.model.acts import FindingSet
from flyball.model.decision import LoopAction
from flyball.model.loop import LoopPolicy
from support import fleets, steering
from support.playbook import Playbook, a
from support.watched import settled

ENFORCED = LoopPolicy(name="consolidation", mode="enforce", period_s=3600.0)


def play(mode: str) -> Playbook:
    rules = Diagnosis(mode=mode, interval_s=1.0)  # type: ignore[arg-type]
    core = Governor(fleets.fleet(), fleets.policy(diagnosis=rules, loops=(ENFORCED,)))
    return Playbook(core)


def demand(book: Playbook, rate: float, at: float) -> None:
    steering.demand(book.governor.state, {"chat": rate})
    for tally in book.governor.state.tallies.values():
        tally.updated_at = at


def test_the_finding_is_told_recorded_and_answered_by_a_hold_then_all_is_undone() -> None:
    book = play("enforce")
    demand(book, 5000.0, 100.0)
    book >> Tick(100.0) << a(Advise) << a(Advise) << a(Solve)
    for second in range(1, 5):
        demand(book, 5000.0, 100.0 + second)
        book >> Tick(100.0 + second) << a(Diagnosed, findings=())
    demand(book, 5000.0, 105.0)
    (
        book
        >> Tick(105.0)
        << a(Record, record=a(FindingSet, code="FB-509", stands=True))
        << a(Notice, level="warning", code="finding")
        << a(Record, record=a(LoopAction, loop="consolidation", actuator="loop.hold", new="held"))
        << a(Diagnosed, held=(("consolidation", "FB-509"),))
    )
    for second in range(6, 30):
        demand(book, 5.0, 100.0 + second)
        book >> Tick(100.0 + second)
        if len(book.pending) > 1:
            break
        book << a(Diagnosed)
    (
        book
        << a(Record, record=a(FindingSet, code="FB-509", stands=False))
        << a(Notice, level="info", code="finding-gone")
        << a(Record, record=a(LoopAction, actuator="loop.hold", new="free"))
        << a(Diagnosed, findings=(), held=())
    )
    book.done()


def test_the_control_process_counts_what_its_workers_settled() -> None:
    rules = Diagnosis(interval_s=1.0)
    book = Playbook(Governor(fleets.fleet(), fleets.policy(diagnosis=rules, role="control")))
    storm = settled(outcome="client-gone", in_time=False, is_retry=True)
    book >> Tick(100.0)
    for second in range(1, 4):
        at = 100.0 + second
        book >> Observed(at - 0.5, (storm,) * 60)
        book.governor.state.solve_due = at + 1e6
        book >> Tick(at)
        assert isinstance(book.pending[-1], Diagnosed)
        found = book.pending[-1].findings
        book.pending.clear()
    assert [one.code for one in found] == ["FB-510"]


def test_a_worker_looks_at_nothing() -> None:
    rules = Diagnosis(interval_s=1.0)
    core = Governor(fleets.fleet(), fleets.policy(diagnosis=rules, role="worker"))
    said = [one for at in range(20) for one in core.handle(Tick(100.0 + at))]
    assert not [one for one in said if isinstance(one, Diagnosed)]
