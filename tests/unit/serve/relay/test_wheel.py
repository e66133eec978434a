"""Does every item expire once, at its time and never before?"""

import asyncio
import random

from flyball.serve.relay.wheel import Wheel


class Item:
    """Something to wait for."""

    def __init__(self, due_at: float) -> None:
        self.due_at = due_at
        self.wheel_key = 0
        self.expired: list[float] = []

    def expire(self, now: float) -> None:
        self.expired.append(now)


class Hand:
    """A loop and a clock that a test moves: timers fire when it says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.timers: list[tuple[float, object]] = []

    def call_later(self, delay: float, call) -> "Hand.Timer":
        timer = Hand.Timer(self, (self.now_s + delay, call))
        self.timers.append(timer.entry)
        return timer

    class Timer:
        def __init__(self, hand: "Hand", entry) -> None:
            self.hand, self.entry = hand, entry

        def cancel(self) -> None:
            if self.entry in self.hand.timers:
                self.hand.timers.remove(self.entry)

    def run_to(self, at: float) -> None:
        while self.timers and min(self.timers, key=lambda t: t[0])[0] <= at:
            entry = min(self.timers, key=lambda t: t[0])
            self.timers.remove(entry)
            self.now_s = max(self.now_s, entry[0])
            entry[1]()
        self.now_s = at

    def wheel(self) -> Wheel:
        return Wheel(self, lambda: self.now_s)  # type: ignore[arg-type]


def test_items_expire_within_two_milliseconds_after_their_time() -> None:
    hand = Hand()
    wheel = hand.wheel()
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    items = [
        Item(hand.now_s + chance.choice((0.01, 1.0, 50.0)) * chance.random()) for _ in range(500)
    ]
    for item in items:
        wheel.watch(item, hand.now_s)
    hand.run_to(hand.now_s + 60.0)
    for item in items:
        assert len(item.expired) == 1
        assert 0.0 <= item.expired[0] - item.due_at <= 0.0022
    assert not hand.timers, "a timer runs for nothing"


def test_an_item_moved_later_waits_and_one_dropped_is_forgotten() -> None:
    hand = Hand()
    wheel = hand.wheel()
    moved, dropped = Item(1000.1), Item(1000.1)
    wheel.watch(moved, hand.now_s)
    wheel.watch(dropped, hand.now_s)
    moved.due_at = 1005.0
    wheel.drop(dropped)
    wheel.drop(dropped)
    hand.run_to(1004.0)
    assert not moved.expired and not dropped.expired
    hand.run_to(1005.1)
    assert len(moved.expired) == 1 and not dropped.expired


def test_an_item_watched_again_earlier_expires_earlier_and_once() -> None:
    hand = Hand()
    wheel = hand.wheel()
    item = Item(1100.0)
    wheel.watch(item, hand.now_s)
    item.due_at = 1000.01
    wheel.watch(item, hand.now_s)
    hand.run_to(1200.0)
    assert len(item.expired) == 1 and item.expired[0] < 1000.02


def test_due_far_away_or_in_the_past_is_no_trouble() -> None:
    hand = Hand()
    wheel = hand.wheel()
    past, never = Item(900.0), Item(float("inf"))
    wheel.watch(past, hand.now_s)
    wheel.watch(never, hand.now_s)
    hand.run_to(10_000.0)
    assert len(past.expired) == 1 and not never.expired
    wheel.close()
    assert not hand.timers


def test_it_runs_on_a_real_loop() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        wheel = Wheel(loop, loop.time)
        item = Item(loop.time() + 0.02)
        wheel.watch(item, loop.time())
        await asyncio.sleep(0.1)
        assert len(item.expired) == 1

    asyncio.run(run())
