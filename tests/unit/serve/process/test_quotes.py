"""Do workers find, take over and use up each other's quotes exactly once?"""

import multiprocessing
import os

import msgspec
import pytest

from flyball.governor.events import QuoteTaken
from flyball.model.quote import Quote
from flyball.serve.process.quotes import QUOTES_MAX, ROW_BYTES, QuoteExchange, QuoteTable

QUOTE = Quote(
    id="", principal="ann", class_name="chat", model="m", operation="chat", input_tokens=400,
    output_tokens=100, deadline_s=2.5, made_at=10.0, expires_at=20.0, endpoint="big-0",
    price_usd=0.002, penalty_usd=0.01, risk=0.01,
)  # fmt: skip


class Side:
    """One worker: what its core was told."""

    def __init__(self, fd: int, worker: int, workers: int = 2) -> None:
        self.told: list[QuoteTaken] = []
        self.now = 11.0
        self.exchange = QuoteExchange(
            QuoteTable(fd, workers), worker, self.told.append, lambda: self.now
        )

    def make(self) -> Quote:
        quote = msgspec.structs.replace(QUOTE, id=self.exchange.new_id())
        self.exchange.made(quote)
        return quote

    def take_told(self) -> list[Quote | None]:
        told = [event.quote for event in self.told]
        self.told.clear()
        return told


@pytest.fixture
def sides():
    fd = QuoteTable.create(2)
    yield Side(fd, 0), Side(fd, 1)
    os.close(fd)


def test_the_owner_needs_nobody(sides: tuple[Side, Side]) -> None:
    one, _ = sides
    quote = one.make()
    one.exchange.bring(quote.id)
    assert one.take_told() == []
    one.exchange.closed(quote.id)
    one.exchange.release(quote.id)
    one.exchange.look()
    assert one.take_told() == []


def test_another_worker_takes_it_over_and_the_owner_lets_go(sides: tuple[Side, Side]) -> None:
    one, two = sides
    quote = one.make()
    two.exchange.bring(quote.id)
    assert two.take_told() == [quote]
    two.exchange.closed(quote.id)
    two.exchange.release(quote.id)
    one.exchange.look()
    assert one.take_told() == [None]
    one.exchange.look()
    assert one.take_told() == [], "told once"


def test_what_a_request_did_not_use_may_be_taken_again(sides: tuple[Side, Side]) -> None:
    one, two = sides
    quote = one.make()
    two.exchange.bring(quote.id)
    two.exchange.release(quote.id)
    two.take_told()
    one.exchange.look()
    one.take_told()
    one.exchange.bring(quote.id)
    assert one.take_told() == [quote]
    two.exchange.look()
    assert two.take_told() == [None]


def test_while_one_looks_at_it_the_other_cannot_have_it(sides: tuple[Side, Side]) -> None:
    one, two = sides
    quote = one.make()
    one.exchange.bring(quote.id)
    two.exchange.bring(quote.id)
    assert two.take_told() == []
    one.exchange.closed(quote.id)
    two.exchange.bring(quote.id)
    assert two.take_told() == [], "used up"


def test_an_expired_quote_is_nobodys(sides: tuple[Side, Side]) -> None:
    one, two = sides
    quote = one.make()
    two.now = 20.0
    two.exchange.bring(quote.id)
    assert two.take_told() == []


def test_a_worker_that_died_leaves_its_quotes_to_the_others(sides: tuple[Side, Side]) -> None:
    one, two = sides
    quote = one.make()
    del one
    two.exchange.bring(quote.id)
    assert two.take_told() == [quote]


@pytest.mark.parametrize(
    "guess", ["", "quote_", "quote_zzzzzz" + 32 * "0", "quote_ffffff" + 32 * "0", "quote_000000"]
)
def test_ids_that_were_never_given(sides: tuple[Side, Side], guess: str) -> None:
    one, two = sides
    one.make()
    two.exchange.bring(guess)
    two.exchange.release(guess)
    two.exchange.closed(guess)
    assert two.take_told() == []


def test_the_row_alone_is_not_enough(sides: tuple[Side, Side]) -> None:
    one, two = sides
    quote = one.make()
    two.exchange.bring(quote.id[:12] + 32 * "0")
    assert two.take_told() == []


def test_rows_are_used_again_after_use_or_expiry(sides: tuple[Side, Side]) -> None:
    one, _ = sides
    for _ in range(QUOTES_MAX + 5):
        quote = one.make()
        one.exchange.closed(quote.id)
    kept = one.make()
    one.now = 30.0
    ids = {one.exchange.new_id()[:12] for _ in range(QUOTES_MAX)}
    assert len(ids) == QUOTES_MAX and kept.id[:12] in ids


def test_a_quote_too_long_for_its_row_stays_with_its_worker(sides: tuple[Side, Side]) -> None:
    one, two = sides
    long = msgspec.structs.replace(QUOTE, id=one.exchange.new_id(), model="m" * ROW_BYTES)
    one.exchange.made(long)
    two.exchange.bring(long.id)
    assert two.take_told() == []


def test_a_file_too_small_is_refused() -> None:
    fd = QuoteTable.create(1)
    with pytest.raises(ValueError, match="less than"):
        QuoteTable(fd, 2)
    os.close(fd)


def _race(fd: int, worker: int, ids: list[str], start, won) -> None:
    side = Side(fd, worker, 3)
    start.wait()
    for quote_id in ids:
        side.exchange.bring(quote_id)
        if side.take_told():
            side.exchange.closed(quote_id)
            won.put((worker, quote_id))
        side.exchange.release(quote_id)


def test_of_two_processes_that_want_one_quote_one_gets_it() -> None:
    fd = QuoteTable.create(3)
    owner = Side(fd, 0, 3)
    ids = [owner.make().id for _ in range(400)]
    context = multiprocessing.get_context("fork")
    start, won = context.Event(), context.SimpleQueue()
    racers = [
        context.Process(target=_race, args=(fd, worker, ids, start, won)) for worker in (1, 2)
    ]
    for racer in racers:
        racer.start()
    start.set()
    wins = []
    while any(racer.is_alive() for racer in racers) or not won.empty():
        if not won.empty():
            wins.append(won.get())
    assert len({quote_id for _, quote_id in wins}) == len(wins), "one of them was used twice"
    assert len(wins) > 350, "nearly all were free to be had"
    os.close(fd)
