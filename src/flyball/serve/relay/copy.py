"""What becomes of a second copy of a request, while the first has not begun to answer?

It waits for its own first byte. With that it takes the place of the first, whose connection is
closed at that moment; from then on the exchange itself reads what comes.
"""

from collections.abc import Callable
from typing import Protocol

from flyball.dialects import surface
from flyball.governor.commands import Forward
from flyball.serve.relay.heads import Response
from flyball.serve.relay.upstream import Attempt, Upstream
from flyball.units import Seconds


class Original(Attempt, Protocol):
    """The exchange whose request was copied."""

    def take_over(self, copy: "Copy") -> None:
        """The copy's first byte came first."""
        ...

    def copy_failed(self, cause: str, status: int, retry_after_s: Seconds, detail: str) -> None:
        """The copy will not answer."""
        ...


class Copy:
    """An attempt like its original's; `response` = the head that came, if one has."""

    __slots__ = ("_now", "_original", "forward", "is_resent", "place", "response", "upstream")

    def __init__(
        self, original: Original, forward: Forward, place: object, now: Callable[[], Seconds]
    ) -> None:
        self._original = original
        self._now = now
        self.forward = forward
        self.place = place
        self.response: Response | None = None
        self.upstream: Upstream | None = None
        self.is_resent = False

    def drop(self) -> None:
        """It has lost, or nobody wants an answer any more."""
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.abandon()

    def on_whole(self, response: Response, data: bytes) -> None:
        """A whole answer at once."""
        if _is_refusal(response):
            self._lose("status", response, f"status {response.status}")
            return
        self.response = response
        self._original.take_over(self)
        self._original.on_whole(response, data)

    def on_head(self, response: Response) -> None:
        """A head: of an answer, which then is waited for, or of a refusal."""
        if _is_refusal(response):
            self._lose("status", response, f"status {response.status}")
        else:
            self.response = response

    def on_body(self, data: bytes, is_last: bool) -> None:
        """The first byte."""
        self._original.take_over(self)
        self._original.on_body(data, is_last)

    def on_failed(self, cause: str, detail: str) -> None:
        """No answer."""
        self._lose(cause, None, detail)

    def _lose(self, cause: str, response: Response | None, detail: str) -> None:
        self.drop()
        status, wait_s = 0, 0.0
        if response is not None:
            status = response.status
            wait_s = surface.retry_after(response.fields, self._now())
        self._original.copy_failed(cause, status, wait_s, detail)


def _is_refusal(response: Response) -> bool:
    return response.status == 429 or response.status >= 500
