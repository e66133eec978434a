"""Does the desk bring questions and requests to the core, at once and later?"""

import asyncio
import json
from collections.abc import Awaitable
from typing import cast

from flyball.governor.commands import QuoteClosed, Quoted
from flyball.governor.events import Event, QuoteAsked, RequestArrived
from flyball.model.faults import Refusal
from flyball.model.quote import Quote
from flyball.serve.relay.heads import Request
from flyball.serve.relay.quotes import Page, QuoteDesk
from support import fleets

BODY = b'{"model":"m","input_tokens":9,"output_tokens":5}'


class Book:
    """A registry that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def new_id(self) -> str:
        return "quote_x"

    def made(self, quote: Quote) -> None:
        self.told.append(("made", quote.id))

    def closed(self, quote_id: str) -> None:
        self.told.append(("closed", quote_id))

    def bring(self, quote_id: str) -> None:
        self.told.append(("bring", quote_id))

    def release(self, quote_id: str) -> None:
        self.told.append(("release", quote_id))


def quote_of(event: QuoteAsked) -> Quote:
    return Quote(
        id=event.quote_id, principal="ann", class_name="chat", model="m", operation="chat",
        input_tokens=9, output_tokens=5, deadline_s=2.5, made_at=1.0, expires_at=9.0,
        endpoint="big-0", price_usd=0.002, penalty_usd=0.01, risk=0.01,
    )  # fmt: skip


def request(body: bytes = BODY) -> Request:
    made = Request(b"POST", b"/v1/flyball/quote", False)
    made.body = body
    return made


def test_an_answer_at_once_and_an_answer_later() -> None:
    async def scene() -> None:
        book, events = Book(), []
        desk = QuoteDesk(book, events.append, lambda: 1.0)
        later = desk.page(request())
        (asked,) = events
        assert (asked.quote_id, asked.input_tokens) == ("quote_x", 9)
        desk.quoted(Quoted(asked.quote_id, quote_of(asked)))
        status, _, body = await cast(Awaitable[Page], later)
        assert (status, json.loads(body)["id"]) == (200, "quote_x")
        assert book.told == [("made", "quote_x")]

        def answer(event: Event) -> None:
            assert isinstance(event, QuoteAsked)
            no = Refusal(code="capacity_promised", detail="all of it", retry_after_s=1.0)
            prompt.quoted(Quoted(event.quote_id, None, no))

        prompt = QuoteDesk(book, answer, lambda: 1.0)
        page = prompt.page(request())
        assert isinstance(page, tuple) and page[0] == 429
        assert book.told == [("made", "quote_x")], "a no is nobody's quote"

    asyncio.run(scene())


def test_a_bad_question_never_reaches_the_core() -> None:
    events: list[Event] = []
    desk = QuoteDesk(Book(), events.append, lambda: 1.0)
    page = desk.page(request(b"{}"))
    assert isinstance(page, tuple) and page[0] == 400
    assert not events


def test_a_request_under_a_quote_is_looked_at_between_bring_and_release() -> None:
    book = Book()
    desk = QuoteDesk(book, lambda event: book.told.append(("event", type(event).__name__)), float)
    desk.use(RequestArrived(1.0, "r1", fleets.head(quote="quote_x"), 0.5), "quote_x")
    desk.closed(QuoteClosed("quote_x"))
    assert book.told == [
        ("bring", "quote_x"),
        ("event", "RequestArrived"),
        ("release", "quote_x"),
        ("closed", "quote_x"),
    ]
