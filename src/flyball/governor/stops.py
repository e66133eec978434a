"""What has a person stopped, and which requests does that concern?

A stop names one thing: "all", "class:NAME", "session:KEY", "principal:NAME", "model:NAME" or
"site:NAME". A site that is stopped is closed to all; the others refuse what they name.
"""

from flyball.governor.events import StopSet
from flyball.governor.flight import Flight
from flyball.units import Seconds

STOPS_MAX = 4096
KINDS = ("all", "class", "session", "principal", "model", "site")


class Stops:
    """Those in force, by what they stop."""

    def __init__(self) -> None:
        self._set: dict[str, StopSet] = {}

    def __bool__(self) -> bool:
        return bool(self._set)

    def take(self, event: StopSet) -> str:
        """Set or lift one; why it cannot be, or ""."""
        kind, _, name = event.scope.partition(":")
        if kind not in KINDS or (kind == "all") != (not name):
            return f"{event.scope!r} is no scope: say all, or one of {', '.join(KINDS[1:])}:NAME"
        if not event.is_stopped:
            self._set.pop(event.scope, None)
        elif event.scope not in self._set and len(self._set) >= STOPS_MAX:
            return f"{STOPS_MAX} stops are in force: stop all, or lift some"
        else:
            self._set[event.scope] = event
        return ""

    def expire(self, at: Seconds) -> list[StopSet]:
        """Lift those whose time is over."""
        over = [stop for stop in self._set.values() if stop.until and stop.until <= at]
        for stop in over:
            del self._set[stop.scope]
        return over

    def against(self, flight: Flight) -> str:
        """Why this request is stopped, or ""; sites apart."""
        for scope in (
            "all",
            f"class:{flight.klass.name}",
            f"model:{flight.head.model}",
            f"principal:{flight.principal.name}",
            f"session:{flight.session}",
        ):
            stop = self._set.get(scope)
            if stop is not None:
                return _why(stop)
        return ""

    def at_site(self, site: str) -> str:
        """Why nothing may run at that site, or ""."""
        stop = self._set.get(f"site:{site}")
        return "" if stop is None else _why(stop)


def _why(stop: StopSet) -> str:
    return f"{stop.scope}, by {stop.by}: {stop.reason}"
