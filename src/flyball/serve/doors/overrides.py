"""How does a person take a loop's or an endpoint's freedom away, or give it back?"""

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

from flyball.authority.revocation.roles import OrderError
from flyball.governor.events import EndpointDraining, Event
from flyball.serve.process.operator import HOLD_S_MAX, Act
from flyball.units import Seconds

To = Literal[
    "hold", "release", "observe", "advise", "enforce", "configured", "drained", "in-service"
]


class Override(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`scope` = "loop:NAME" ("loop:all" for hold and release) or "endpoint:NAME"; what it is set
    `to`. `for_s` = how long a hold lasts (None = till released)."""

    id: str
    scope: str
    to: To
    reason: str
    for_s: Seconds | None = None


class Overrides:
    """Carries overrides out: `act` is the loops' own door, `endpoints` gives the number of each
    endpoint by name, `tell` takes an event to the governor and the workers."""

    def __init__(
        self,
        act: Callable[[Act], tuple[int, object]],
        endpoints: Callable[[], Mapping[str, int]],
        tell: Callable[[Event], None],
        now: Callable[[], Seconds],
    ) -> None:
        self._act = act
        self._endpoints = endpoints
        self._tell = tell
        self._now = now

    def check(self, order: Override) -> None:
        """Raises OrderError if it means nothing."""
        kind, _, name = order.scope.partition(":")
        if not order.reason or not order.id or len(order.reason) > 500 or len(order.id) > 500:
            raise OrderError(400, "an override has an id and a reason of at most 500 characters")
        if order.for_s is not None and not 0.0 < order.for_s <= HOLD_S_MAX:
            raise OrderError(400, f"for_s is above 0 and at most {HOLD_S_MAX:g}")
        is_endpoint = order.to in ("drained", "in-service")
        if kind not in ("loop", "endpoint") or not name or is_endpoint != (kind == "endpoint"):
            step = "loop:NAME takes hold, release or a mode; endpoint:NAME drained or in-service"
            raise OrderError(400, f"{order.scope[:80]!r} cannot be set to {order.to}: {step}")
        if is_endpoint and name not in self._endpoints():
            raise OrderError(404, f"there is no endpoint named {name[:80]!r}")
        if name == "all" and order.to not in ("hold", "release"):
            raise OrderError(400, "all loops can be held or released, not set to one mode")

    def carry_out(self, order: Override, by: str) -> None:
        """Put it in force. Raises OrderError, as `check` does too."""
        self.check(order)
        kind, _, name = order.scope.partition(":")
        if kind == "endpoint":
            number = self._endpoints()[name]
            self._tell(EndpointDraining(self._now(), number, order.to == "drained"))
            return
        status, answer = self._act(_loop_act(order, "" if name == "all" else name, by))
        if status != 200:
            raise OrderError(status, str(answer))


def _loop_act(order: Override, loop: str, by: str) -> Act:
    if order.to == "hold":
        return Act(act="hold", loop=loop, for_s=order.for_s, reason=order.reason, who=by)
    if order.to == "release":
        return Act(act="release", loop=loop, reason=order.reason, who=by)
    mode = None if order.to == "configured" else order.to
    assert mode in (None, "observe", "advise", "enforce")
    return Act(act="mode", loop=loop, mode=mode, reason=order.reason, who=by)
