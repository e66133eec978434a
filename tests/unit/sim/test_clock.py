"""Do things happen in the order of their time, and does a name decide its stream of chance?"""

import weakref

from flyball.sim.clock import Chance, Clock, Round, Streams


class Owner:
    def __init__(self) -> None:
        self.is_over = False


def test_equal_times_go_in_the_order_asked_for_and_the_past_is_now() -> None:
    clock, seen = Clock(), []
    clock.at(2.0, seen.append, "b1")
    clock.at(1.0, seen.append, "a")
    clock.at(2.0, seen.append, "b2")
    clock.at(2.0, lambda _: clock.at(0.5, seen.append, ("late", clock.now)))
    clock.run(10.0)
    assert seen == ["a", "b1", "b2", ("late", 2.0)]


def test_run_stops_before_what_is_later_and_goes_on_from_there() -> None:
    clock, seen = Clock(), []
    clock.at(1.0, seen.append, 1)
    clock.at(3.0, seen.append, 3)
    clock.run(2.0)
    assert (seen, clock.now) == ([1], 2.0)
    clock.run(3.0)
    assert (seen, clock.now) == ([1, 3], 3.0)


def test_stop_ends_the_run_after_the_present_event() -> None:
    clock, seen = Clock(), []
    clock.at(1.0, lambda _: clock.stop())
    clock.at(1.0, seen.append, "never")
    clock.run(5.0)
    assert seen == []


def test_a_timer_fires_at_its_exact_time_and_not_for_an_owner_that_is_over() -> None:
    clock, seen = Clock(), []
    owners = [Owner() for _ in range(4)]
    for owner, when in zip(owners, (0.25, 5.75, 5.5, 7.0), strict=True):
        clock.timer(when, owner, lambda one: seen.append((owners.index(one), clock.now)))
    clock.at(5.6, lambda _: setattr(owners[1], "is_over", True))
    clock.at(2.0, lambda _: setattr(owners[3], "is_over", True))
    clock.run(20.0)
    assert seen == [(0, 0.25), (2, 5.5)]


def test_timers_of_owners_that_are_over_are_not_kept_until_they_are_due() -> None:
    clock, seen = Clock(), []
    alive = Owner()
    clock.timer(600.0, alive, seen.append)
    gone: list[weakref.ref[Owner]] = []
    owner = alive
    for _ in range(20_000):
        owner = Owner()
        gone.append(weakref.ref(owner))
        clock.timer(600.5, owner, seen.append)
        owner.is_over = True
    owner = alive
    assert sum(one() is not None for one in gone) <= 8192
    clock.run(1000.0)
    assert seen == [alive]


def test_every_does_not_drift() -> None:
    clock, seen = Clock(), []
    clock.every(0.1, lambda: seen.append(clock.now), 0.1)
    clock.run(100.0)
    assert len(seen) == 1000
    assert seen[999] == 0.1 + 999 * 0.1


def test_a_stream_depends_on_seed_and_name_alone() -> None:
    def first(seed: int, name: str) -> list[float]:
        chance = Streams(seed).named(name)
        return [chance.uniform() for _ in range(5000)]

    assert first(1, "network") == first(1, "network")
    assert first(1, "network") != first(1, "clients")
    assert first(1, "network") != first(2, "network")
    drawn = [Chance(3, "x").uniform() for _ in range(3)]
    assert drawn[0] == drawn[1] == drawn[2]
    assert all(0.0 <= one < 1.0 for one in first(1, "network"))


class Every(Round):
    """Something that comes each `period_s`, outside the heap."""

    def __init__(self, clock: Clock, period_s: float, seen: list[tuple[str, float]]) -> None:
        super().__init__()
        self.clock, self.period_s, self.seen = clock, period_s, seen
        self.next_at, self.next_order = period_s, clock.place()
        clock.beside = self

    def go(self) -> None:
        while self.clock.is_first(self.next_at, self.next_order):
            self.clock.now = self.next_at
            self.seen.append(("round", self.clock.now))
            self.next_at, self.next_order = self.next_at + self.period_s, self.clock.place()


def test_what_comes_round_beside_the_heap_keeps_its_place_among_equal_times() -> None:
    clock, seen = Clock(), []

    def note(name: str) -> None:
        seen.append((name, clock.now))

    clock.at(1.0, note, "asked before")
    Every(clock, 1.0, seen)
    clock.at(1.0, note, "asked after")
    clock.at(1.5, lambda _: clock.at(2.0, note, "asked later"))
    clock.run(2.5)
    assert seen == [
        ("asked before", 1.0),
        ("round", 1.0),
        ("asked after", 1.0),
        ("round", 2.0),
        ("asked later", 2.0),
    ]
    assert clock.now == 2.5


def test_a_round_ends_with_the_run_and_with_stop() -> None:
    clock, seen = Clock(), []
    Every(clock, 1.0, seen)
    clock.run(2.0)
    assert len(seen) == 2
    clock.at(4.5, lambda _: clock.stop())
    clock.run(9.0)
    assert len(seen) == 4
