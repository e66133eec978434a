"""What of an exchange must be committed to: the body that came, and the body that went back?

The prompt is the request's body as the client sent it, the answer what was passed on of an engine's
answer, also of one that was cut; refusals are none. Both without the framing of their transfer.
"""

from flyball.governor.commands import Forward
from flyball.model.request import RequestHead
from flyball.serve.log.commit import Texts
from flyball.serve.relay.copy import Copy
from flyball.serve.relay.downstream import Downstream
from flyball.serve.relay.exchange import Desk, Exchange, Place
from flyball.serve.relay.heads import CHUNKED, Request, Response
from flyball.units import Seconds


class KeptExchange(Exchange):
    """An exchange whose texts are handed to `texts` when it is over."""

    __slots__ = ("_kept", "_texts")

    def __init__(
        self, desk: Desk, connection: Downstream, request: Request, head: RequestHead,
        request_id: str, at: Seconds, texts: Texts,
    ) -> None:  # fmt: skip
        super().__init__(desk, connection, request, head, request_id, at)
        self._texts = texts
        self._kept = texts.begin(request_id, at, request.body)

    def forward(self, command: Forward, place: Place) -> None:
        """Another engine answers from the beginning."""
        if not command.is_copy:
            self._kept.restart()
        super().forward(command, place)

    def take_over(self, copy: Copy) -> None:
        """The copy answers from the beginning."""
        self._kept.restart()
        super().take_over(copy)

    def on_whole(self, response: Response, data: bytes) -> None:
        """Kept here, or by `on_body` where the answer is taken in these two steps."""
        status = response.status
        is_by_steps = status == 429 or status >= 500
        if not (is_by_steps or (response.length < 0 and self._request.http10)):
            self._kept.add(data)
        super().on_whole(response, data)

    def on_body(self, data: bytes, is_last: bool) -> None:
        """Some of an answer; an engine's refusal is none."""
        response = self._response
        if response is not None:
            kept = self._kept
            if not kept.answer:
                kept.is_framed = response.length == CHUNKED and not self._request.http10
            kept.add(data)
        super().on_body(data, is_last)

    def end(self) -> None:
        """Whatever the end was."""
        is_first = not self.is_over
        super().end()
        if is_first:
            self._texts.over(self._kept)
