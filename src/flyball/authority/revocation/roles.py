"""Which orders may a person give, and which of them need a second one?

viewer reads; operator stops, resumes and overrides; approver stops, revokes and confirms what
others began; admin does all. Stopping is open to all who may act: it is the safe side.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from flyball.units import Seconds

Role = Literal["viewer", "operator", "approver", "admin"]
Act = Literal["read", "stop", "resume", "override", "revoke", "confirm", "register"]
WAITING_MAX = 256

MAY: dict[str, frozenset[str]] = {
    "viewer": frozenset({"read"}),
    "operator": frozenset({"read", "stop", "resume", "override"}),
    "approver": frozenset({"read", "stop", "revoke", "confirm", "register"}),
    "admin": frozenset({"read", "stop", "resume", "override", "revoke", "confirm", "register"}),
}


class OrderError(ValueError):
    """The order is refused: `status` as in HTTP, and why."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Waiting(Struct, frozen=True, kw_only=True):
    """An order that a second person must confirm until `ends_at`. `raw` = as it was signed."""

    id: str
    act: str
    scope: str
    by: str
    reason: str
    ends_at: Seconds
    raw: bytes = b""


def may(role: str, act: Act) -> bool:
    """Whether that role is enough."""
    return act in MAY.get(role, frozenset())


def needs_second(rules: Sequence[str], act: str, scope: str) -> bool:
    """Whether a rule such as "resume" or "stop all" asks for two persons."""
    return act in rules or f"{act} {scope}" in rules


class TwoPersons:
    """Orders that wait for a second person, bounded in number and time."""

    def __init__(self, confirm_s: Seconds) -> None:
        self._confirm_s = confirm_s
        self._waiting: dict[str, Waiting] = {}

    def propose(
        self, order_id: str, act: str, scope: str, by: str, reason: str, raw: bytes, at: Seconds
    ) -> Waiting:
        """Let it wait. The same order again waits no longer. Raises OrderError if too many do."""
        self._expire(at)
        if order_id not in self._waiting and len(self._waiting) >= WAITING_MAX:
            raise OrderError(429, f"{WAITING_MAX} orders wait already for a second person")
        fresh = Waiting(
            id=order_id,
            act=act,
            scope=scope,
            by=by,
            reason=reason,
            ends_at=at + self._confirm_s,
            raw=raw,
        )
        return self._waiting.setdefault(order_id, fresh)

    def confirm(self, order_id: str, by: str, role: str, at: Seconds) -> Waiting:
        """The order that is now allowed. Raises OrderError: there is none, or not by this one."""
        self._expire(at)
        found = self._waiting.get(order_id)
        if found is None:
            raise OrderError(404, "no such order waits (any more): give it again")
        if by == found.by:
            raise OrderError(403, "a second person must confirm, not the one who gave the order")
        if not may(role, "confirm") and found.act not in MAY.get(role, frozenset()):
            raise OrderError(403, f"the role {role} may not confirm a {found.act}")
        del self._waiting[order_id]
        return found

    def waiting(self, at: Seconds) -> list[Waiting]:
        """Those that wait now, oldest first."""
        self._expire(at)
        return list(self._waiting.values())

    def _expire(self, at: Seconds) -> None:
        for one in [one for one in self._waiting.values() if one.ends_at <= at]:
            del self._waiting[one.id]
