"""Budgets of mandates: set aside before, settled after, and never overrun by many workers."""

from collections import deque
from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from flyball.governor.commands import Command, Forward, LendBudget, Record, Reject, TellBudget
from flyball.governor.events import (
    AttemptFailed,
    BudgetLent,
    BudgetTold,
    ClientGone,
    DeadlinePassed,
    FirstByte,
    RequestArrived,
    Served,
    Tick,
    WorkerLost,
)
from flyball.governor.governor import Governor
from flyball.model.decision import Intent, Outcome
from flyball.model.request import RequestClass
from support import fleets
from support.authority import mandate, spends


def arrive(at: float, request_id: str, **head: object) -> RequestArrived:
    return RequestArrived(at=at, request_id=request_id, head=fleets.head(**head), draw=0.5)


def spent_of(commands: list[Command]) -> int:
    return sum(
        c.record.spent_micro_usd or 0
        for c in commands
        if isinstance(c, Record) and isinstance(c.record, Outcome)
    )


def test_the_worst_case_is_set_aside_and_what_is_left_comes_back() -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    held = mandate(spends=spends(b0=10_000, b1=5_000))
    commands = core.handle(arrive(1.0, "r1", mandate=held, output_tokens_max=100))
    intent = next(
        c.record for c in commands if isinstance(c, Record) and isinstance(c.record, Intent)
    )
    reserved = intent.warrant.reserved_micro_usd
    purses = core.state.purses
    assert 0 < reserved < 5_000
    assert purses.left(held.spends) == 5_000 - reserved
    core.handle(FirstByte(1.2, "r1"))
    spent = spent_of(core.handle(Served(1.5, "r1", 200, input_tokens=375, output_tokens=10)))
    assert 0 < spent < reserved
    assert purses.left(held.spends) == 5_000 - spent
    assert purses.left(held.spends[:1]) == 10_000 - spent


def test_an_answer_without_a_bound_gets_one_when_a_budget_must_cover_it() -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    commands = core.handle(arrive(1.0, "r1", mandate=mandate(spends=spends(b0=10**6))))
    allowance = next(c for c in commands if isinstance(c, Forward)).allowance
    assert (allowance.output_tokens_max, allowance.clamp_output) == (4096, True)


def test_what_the_budget_does_not_cover_is_refused_with_the_block_and_the_figures() -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    commands = core.handle(arrive(1.0, "r1", mandate=mandate(spends=spends(b0=3))))
    (refused,) = [c for c in commands if isinstance(c, Reject)]
    assert refused.refusal.code == "budget_exhausted"
    assert "block b0 has 3 of 3 micro-USD left" in refused.refusal.detail


def test_what_fails_before_its_first_byte_costs_nothing_and_a_client_that_leaves_pays() -> None:
    for end, pays in (
        (AttemptFailed(1.5, "r1", 0, "garbage"), False),
        (ClientGone(1.5, "r1"), True),
        (DeadlinePassed(1.5, "r1"), True),
    ):
        core = Governor(fleets.fleet(1, 0), fleets.policy())
        held = mandate(spends=spends(b0=100_000))
        core.handle(arrive(1.0, "r1", mandate=held))
        if pays:
            core.handle(FirstByte(1.2, "r1"))
        spent = spent_of(core.handle(end))
        assert bool(spent) == pays
        assert core.state.purses.left(held.spends) == 100_000 - spent


UNHURRIED = RequestClass(name="unhurried", value_usd=1.0)


class World:
    """Workers with a core each, a control core, and messages that take their time."""

    def __init__(self, seed: int, workers: int, limits: dict[str, int]) -> None:
        self.chance = Random(seed)
        self.now = 1.0
        self.spends = spends(**limits)
        fleet = fleets.fleet()
        worker = fleets.policy(role="worker", workers=workers, classes=(UNHURRIED,))
        self.workers = [Governor(fleet, worker, run=str(n)) for n in range(workers)]
        self.policy = worker
        self.control = Governor(fleet, fleets.policy(role="control", workers=workers), run="c")
        self.to_control: list[deque[TellBudget]] = [deque() for _ in range(workers)]
        self.to_worker: list[deque[LendBudget]] = [deque() for _ in range(workers)]
        self.running: list[tuple[int, str]] = []
        self.reserved: dict[str, int] = {}
        self.spent = 0
        self.served = 0
        self.made = 0

    def take(self, number: int, commands: list[Command]) -> None:
        self.spent += spent_of(commands)
        for command in commands:
            match command:
                case TellBudget():
                    self.to_control[number].append(command)
                case Forward():
                    self.running.append((number, command.request_id))
                case Record(record=Intent()):
                    self.reserved[command.record.id] = command.record.warrant.reserved_micro_usd
                case Record(record=Outcome()) if command.record.outcome != "retried":
                    self.reserved.pop(command.record.id, None)
                    self.running = [one for one in self.running if one[1] != command.record.id]
                case _:
                    pass

    def step(self, may_die: bool) -> None:
        self.now += self.chance.random() * 0.3
        number = self.chance.randrange(len(self.workers))
        act = self.chance.choice(("ask", "ask", "post", "post", "post", "end", "tick", "die"))
        if act == "ask":
            self.made += 1
            head = {
                "mandate": mandate(*[s.block for s in self.spends], spends=self.spends),
                "output_tokens_max": self.chance.choice((1, 50, 400)),
                "body_digest": self.made,
            }
            event = arrive(self.now, f"r{self.made}", **head)
            self.take(number, self.workers[number].handle(event))
        elif act == "post":
            for _ in range(self.chance.randrange(8)):
                self.post(number)
        elif act == "end" and self.running:
            self.end()
        elif act == "tick":
            self.take(number, self.workers[number].handle(Tick(self.now)))
        elif act == "die" and may_die and self.chance.random() < 0.2:
            self.die(number)

    def post(self, number: int) -> None:
        if self.to_control[number]:
            told = self.to_control[number].popleft()
            event = BudgetTold(
                self.now, number, told.block, told.limit_micro_usd, told.wanted, told.spent,
                told.returned,
            )  # fmt: skip
            for command in self.control.handle(event):
                if isinstance(command, LendBudget):
                    self.to_worker[command.worker].append(command)
        elif self.to_worker[number]:
            lent = self.to_worker[number].popleft()
            event = BudgetLent(self.now, lent.block, lent.amount, lent.lent)
            self.take(number, self.workers[number].handle(event))

    def end(self) -> None:
        number, request_id = self.running.pop(self.chance.randrange(len(self.running)))
        core = self.workers[number]
        if request_id not in core.state.flights:
            return
        how = self.chance.choice(("served", "served", "gone", "failed"))
        if how == "served":
            self.served += 1
            self.take(number, core.handle(FirstByte(self.now, request_id)))
            event = Served(self.now + 0.1, request_id, 200, input_tokens=375, output_tokens=50)
        elif how == "gone":
            event = ClientGone(self.now, request_id)
        else:
            event = AttemptFailed(self.now, request_id, 0, "connect")
        self.take(number, core.handle(event))

    def die(self, number: int) -> None:
        """Killed: what it told is still read, what it was told is lost."""
        while self.to_control[number]:
            self.post(number)
        for worker, request_id in list(self.running):
            if worker == number:
                self.running.remove((worker, request_id))
                # It may have been served after all: count all that was set aside as spent.
                self.spent += self.reserved.pop(request_id, 0)
        for request_id in list(self.workers[number].state.flights):
            self.reserved.pop(request_id, None)
        self.to_worker[number].clear()
        self.control.handle(WorkerLost(self.now, number))
        self.workers[number] = Governor(fleets.fleet(), self.policy, run=f"{number}'{self.now}")

    def settle(self) -> None:
        """All requests end, all messages arrive, all idle money goes home."""
        while self.running:
            self.end()
        for _ in range(4):
            self.now += 60.0
            for number, core in enumerate(self.workers):
                for request_id in list(core.state.flights):
                    self.take(number, core.handle(DeadlinePassed(self.now + 600, request_id)))
                while self.to_control[number] or self.to_worker[number]:
                    self.post(number)
                while self.running:
                    self.end()
                self.take(number, core.handle(Tick(self.now)))


worlds = st.tuples(st.integers(0, 10**6), st.integers(1, 5), st.integers(50, 3000))


@settings(max_examples=40, deadline=None)
@given(worlds, st.booleans())
def test_many_workers_never_overrun_a_budget(how: tuple[int, int, int], may_die: bool) -> None:
    seed, workers, limit = how
    note(f"seed {seed}")
    world = World(seed, workers, {"b0": limit, "b1": 2 * limit})
    for _ in range(150):
        world.step(may_die)
        assert world.spent + sum(world.reserved.values()) <= limit
    world.settle()
    assert world.spent <= limit
    account = world.control.state.treasury
    left = account.left("b0")
    if left is not None and not may_die:
        assert left == limit - world.spent, "what was not spent has come back"


def test_the_world_above_does_spend_most_of_its_budget() -> None:
    """Else the property would say nothing."""
    world = World(7, 3, {"b0": 600, "b1": 1200})
    for _ in range(1500):
        world.step(False)
    world.settle()
    assert world.served > 20
    assert 300 < world.spent <= 600, world.spent


def test_an_engine_that_tells_no_tokens_does_not_make_answers_free() -> None:
    for stream in (True, False):
        core = Governor(fleets.fleet(), fleets.policy())
        held = mandate(spends=spends(b0=100_000))
        core.handle(arrive(1.0, "r1", mandate=held, stream=stream, output_tokens_max=500))
        core.handle(FirstByte(1.2, "r1"))
        prompt_alone = core.state.tariffs[0].cost(376, 0)
        assert spent_of(core.handle(Served(3.2, "r1", 200))) > 2 * prompt_alone
