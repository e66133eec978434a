"""Which requests were turned away before the core saw them, told to the ledger without flooding it?

Such a request costs its sender nothing, so a record of each would hand anybody the disk: they are
counted by code and source network, and each group becomes one record when the owner asks (once a
second). Groups are bounded; what comes beyond counts as from `ELSEWHERE`, by code alone.
"""

from ipaddress import IPv6Address, ip_address

from flyball.model.decision import TurnedAway
from flyball.model.faults import Refusal
from flyball.units import Seconds

GROUPS_MAX = 64
IDS_MAX = 32
REASON_CHARS_MAX = 200
ELSEWHERE = "elsewhere"
UNKNOWN = "unknown"
_IPV4_BITS, _IPV6_BITS = 8, 80
# Their detail repeats the caller's path, and people put keys into paths.
_REPEATING = frozenset(("not_found", "method_not_allowed"))


class TurnawayTally:
    """What was turned away since the last `take`."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], _Group] = {}

    def note(self, at: Seconds, request_id: str, refusal: Refusal, source: str) -> None:
        """One more. `source` = the sender's network (`network_of`)."""
        group = self._groups.get((refusal.code, source))
        if group is None and len(self._groups) >= GROUPS_MAX:
            source = ELSEWHERE
            group = self._groups.get((refusal.code, source))
        if group is None:
            group = self._groups[refusal.code, source] = _Group(at, refusal)
        group.count += 1
        group.until = at
        if len(group.ids) < IDS_MAX:
            group.ids.append(request_id)

    def take(self) -> list[TurnedAway]:
        """A record of each group, in the order in which they began."""
        groups, self._groups = self._groups, {}
        return [group.record(source) for (_, source), group in groups.items()]


class _Group:
    __slots__ = ("at", "count", "ids", "refusal", "until")

    def __init__(self, at: Seconds, refusal: Refusal) -> None:
        self.at = at
        self.refusal = refusal
        self.until = at
        self.count = 0
        self.ids: list[str] = []

    def record(self, source: str) -> TurnedAway:
        is_repeating = self.refusal.code in _REPEATING
        return TurnedAway(
            id=self.ids[0],
            at=self.at,
            until=self.until,
            code=self.refusal.code,
            status=self.refusal.fault.status,
            reason="" if is_repeating else self.refusal.detail[:REASON_CHARS_MAX],
            source=source,
            count=self.count,
            ids=tuple(self.ids),
        )


def network_of(address: str) -> str:
    """The /24 of an IPv4 address, the /48 of an IPv6 one: enough to see where a flood comes from,
    and no person's own address in a log that cannot forget."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is None:
            return f"{IPv6Address(int(found) >> _IPV6_BITS << _IPV6_BITS)}/48"
        found = found.ipv4_mapped
    return f"{type(found)(int(found) >> _IPV4_BITS << _IPV4_BITS)}/24"
