"""How does a client get a guarantee over HTTP, and how is it honoured by whichever worker is asked?

`QuoteDesk` carries the page `POST /v1/flyball/quote` to the core and its answer back, and fetches a
quote that another worker's core has before a request under it is looked at.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from flyball.dialects import quotes
from flyball.governor.commands import QuoteClosed, Quoted
from flyball.governor.events import Event, QuoteAsked
from flyball.model.faults import Refusal
from flyball.model.quote import Quote
from flyball.model.request import RequestHead
from flyball.serve.relay.heads import Fields, Request
from flyball.units import Seconds

Page = tuple[int, Fields, bytes]


class Registry(Protocol):
    """Where the workers find each other's quotes."""

    def new_id(self) -> str:
        """An id that nobody can guess."""
        ...

    def made(self, quote: Quote) -> None:
        """Our core gave it."""
        ...

    def closed(self, quote_id: str) -> None:
        """Our core used it, or let it expire."""
        ...

    def bring(self, quote_id: str) -> None:
        """Have it in our core, if it is open anywhere."""
        ...

    def release(self, quote_id: str) -> None:
        """The request that named it was looked at."""
        ...


class QuoteDesk:
    """One gateway's. `feed` takes events to the core; `quoted` brings answers, at once or later;
    `look` finds the mandate that a question's key is."""

    def __init__(
        self,
        registry: Registry,
        feed: Callable[[Event], None],
        now: Callable[[], Seconds],
        look: Callable[[RequestHead, Request, Seconds], Refusal | None] = lambda *_: None,
    ) -> None:
        self._registry = registry
        self._feed = feed
        self._now = now
        self._look = look
        self._asked: dict[str, asyncio.Future[Page]] = {}

    def page(self, request: Request) -> Page | Awaitable[Page]:
        """The answer to one question: a quote, or a refusal that says what would change it."""
        question = quotes.read_question(request.fields, request.body)
        if isinstance(question, Refusal):
            return quotes.refusal_body(question, 0.0)
        head, input_tokens = question
        refusal = self._look(head, request, self._now())
        if refusal is not None:
            return quotes.refusal_body(refusal, 0.0)
        quote_id = self._registry.new_id()
        answer: asyncio.Future[Page] = asyncio.get_running_loop().create_future()
        self._asked[quote_id] = answer
        self._feed(QuoteAsked(self._now(), quote_id, head, input_tokens))
        return answer.result() if answer.done() else answer

    def use(self, event: Event, quote_id: str) -> None:
        """A request names a quote: bring it here, then let the core look."""
        self._registry.bring(quote_id)
        self._feed(event)
        self._registry.release(quote_id)

    def quoted(self, command: Quoted) -> None:
        """The core's answer."""
        quote, refusal = command.quote, command.refusal
        if quote is not None:
            self._registry.made(quote)
            page = quotes.quote_body(quote)
        else:
            assert refusal is not None
            page = quotes.refusal_body(refusal, command.soonest_s)
        answer = self._asked.pop(command.quote_id, None)
        if answer is not None and not answer.done():
            answer.set_result(page)

    def closed(self, command: QuoteClosed) -> None:
        """Nobody may use it any more."""
        self._registry.closed(command.quote_id)
