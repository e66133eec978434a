"""Which guarantees are open or being kept, and what do they leave to others at each endpoint?

A guarantee that is not used yet holds room: its work counts at its endpoint as if it were waiting
there. `limits` says how slow each such endpoint may become before a guarantee would be missed.
Everything is bounded by `Promises.quotes_max` and by the requests in flight.
"""

from math import inf

from flyball.governor.endpoint import EndpointState
from flyball.model.quote import Quote
from flyball.units import Seconds


class Guarantee:
    """One quote in the core's hands. `endpoint` None = no room is held for it anywhere now.

    `pace_s_max` = once it runs: the most an answer token may take on the mean.
    """

    __slots__ = ("endpoint", "kv", "pace_s_max", "prefill", "quote", "z")

    def __init__(self, quote: Quote, z: float) -> None:
        self.quote = quote
        self.z = z
        self.endpoint: EndpointState | None = None
        self.prefill = float(quote.input_tokens)
        self.kv = quote.input_tokens + 0.5 * quote.output_tokens
        self.pace_s_max: Seconds = inf


class Limit:
    """What one endpoint must still manage: `whole` = (answer tokens, seconds) of room held, only
    those that another does not imply; `pace_s_max` of what runs; `z` of the least risk."""

    __slots__ = ("pace_s_max", "whole", "z")

    def __init__(self, whole: list[tuple[int, float]], pace_s_max: float, z: float) -> None:
        self.whole = whole
        self.pace_s_max = pace_s_max
        self.z = z


class PromiseBook:
    """`open` by quote id, `kept` (running now) by request id, `limits` by endpoint number."""

    __slots__ = ("_at_endpoint", "by_principal", "kept", "limits", "open")

    def __init__(self) -> None:
        self.open: dict[str, Guarantee] = {}
        self.kept: dict[str, Guarantee] = {}
        self.limits: dict[int, Limit] = {}
        self.by_principal: dict[str, int] = {}
        self._at_endpoint: dict[int, list[Guarantee]] = {}

    def add(self, guarantee: Guarantee, endpoint: EndpointState | None) -> None:
        """Open it, with room held at `endpoint`."""
        quote = guarantee.quote
        self.open[quote.id] = guarantee
        self.by_principal[quote.principal] = self.by_principal.get(quote.principal, 0) + 1
        if endpoint is not None:
            self.hold(guarantee, endpoint)

    def close(self, quote_id: str) -> Guarantee | None:
        """It is used, has expired or went elsewhere: its room is free again."""
        guarantee = self.open.pop(quote_id, None)
        if guarantee is None:
            return None
        name = guarantee.quote.principal
        left = self.by_principal.get(name, 0) - 1
        if left > 0:
            self.by_principal[name] = left
        else:
            self.by_principal.pop(name, None)
        self.free(guarantee)
        return guarantee

    def hold(self, guarantee: Guarantee, endpoint: EndpointState) -> None:
        """Count its work as coming there."""
        guarantee.endpoint = endpoint
        endpoint.reserved += 1
        endpoint.reserved_prefill += guarantee.prefill
        endpoint.reserved_kv += guarantee.kv
        self._note(guarantee, endpoint.index)

    def free(self, guarantee: Guarantee) -> None:
        """Take that off again."""
        endpoint = guarantee.endpoint
        if endpoint is None:
            return
        endpoint.reserved -= 1
        if endpoint.reserved:
            endpoint.reserved_prefill -= guarantee.prefill
            endpoint.reserved_kv -= guarantee.kv
        else:
            endpoint.reserved_prefill = endpoint.reserved_kv = 0.0
        self._drop(guarantee, endpoint.index)

    def run(self, guarantee: Guarantee, request_id: str, endpoint: EndpointState) -> None:
        """It is used: what runs is protected until it ends."""
        if guarantee.endpoint is not None:  # a copy elsewhere: from now on that one is protected
            self._drop(guarantee, guarantee.endpoint.index)
        self.kept[request_id] = guarantee
        guarantee.endpoint = endpoint
        self._note(guarantee, endpoint.index)

    def set_pace(self, guarantee: Guarantee, pace_s_max: Seconds) -> None:
        """Its first token is out (or is expected then): this is what the others may take."""
        guarantee.pace_s_max = pace_s_max
        if guarantee.endpoint is not None:
            self._derive(guarantee.endpoint.index)

    def end(self, request_id: str) -> None:
        """It runs no more."""
        guarantee = self.kept.pop(request_id, None)
        if guarantee is not None and guarantee.endpoint is not None:
            self._drop(guarantee, guarantee.endpoint.index)

    def rebase(self, endpoints: dict[str, EndpointState]) -> None:
        """Another fleet came into force: the same endpoints by name, numbered anew."""
        self._at_endpoint.clear()
        self.limits.clear()
        for guarantee in [*self.open.values(), *self.kept.values()]:
            old, guarantee.endpoint = guarantee.endpoint, None
            now = endpoints.get(old.name) if old is not None else None
            if now is None:
                continue
            if guarantee.quote.id in self.open:
                self.hold(guarantee, now)
            else:
                guarantee.endpoint = now
                self._note(guarantee, now.index)

    def count_at(self, index: int) -> int:
        """Guarantees there, open or running."""
        return len(self._at_endpoint.get(index, ()))

    def _note(self, guarantee: Guarantee, index: int) -> None:
        self._at_endpoint.setdefault(index, []).append(guarantee)
        self._derive(index)

    def _drop(self, guarantee: Guarantee, index: int) -> None:
        guarantee.endpoint = None
        there = self._at_endpoint[index]
        there.remove(guarantee)
        if there:
            self._derive(index)
        else:
            del self._at_endpoint[index]
            del self.limits[index]

    def _derive(self, index: int) -> None:
        """A longer answer promised sooner implies every shorter one promised later."""
        pace_s_max, z = inf, 0.0
        wanted: list[tuple[int, float]] = []
        for guarantee in self._at_endpoint[index]:
            quote = guarantee.quote
            z = max(z, guarantee.z)
            if quote.id in self.open:
                wanted.append((-quote.output_tokens, quote.deadline_s))
            pace_s_max = min(pace_s_max, guarantee.pace_s_max)
        whole: list[tuple[int, float]] = []
        soonest = inf
        for tokens, deadline_s in sorted(wanted):
            if deadline_s < soonest:
                soonest = deadline_s
                whole.append((-tokens, deadline_s))
        self.limits[index] = Limit(whole, pace_s_max, z)
