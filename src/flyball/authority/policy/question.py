"""What does Cedar see of a question: which entity, which attribute, which value?

Each attribute of the context stands in one of two tables: what is the same for all requests of a
kind (read from the `Subject`), and what differs from one to the next (from the `Circumstances`).
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from flyball.authority.policy.policies import PolicySet
from flyball.model.verdict import Circumstances, Place, Subject

if TYPE_CHECKING:
    from cedarpy import Entities

# Cedar's Long is a signed 64-bit integer (docs.cedarpolicy.com/policies/syntax-datatypes.html).
LONG_MAX = 2**63 - 1
# A datetime is a Long of milliseconds; as text, years 0001 to 9999.
_AT_MAX_S = 253_402_300_799.0
PLACES_KEPT = 4096

Uid = tuple[str, str]


class Unaskable(ValueError):
    """A value that Cedar has no form for: too large, or text that is not Unicode."""


class Live(Struct, frozen=True):
    """Circumstances with what a policy set makes of them: approvals that hold, and their roles."""

    given: Circumstances
    approvers: tuple[str, ...]
    roles: tuple[str, ...]


def _entity(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": name}


def _value(kind: str, name: str) -> dict[str, Any]:
    """An entity as a value of the context: this form is read with and without a schema."""
    return {"__entity": _entity(kind, name)}


STATIC: dict[str, Callable[[Subject], Any]] = {
    "className": lambda s: s.class_name,
    "model": lambda s: _value("Model", s.model),
    "actor": lambda s: s.principal,
    "human": lambda s: _value("Human", s.human) if s.human else None,
    "tenant": lambda s: s.tenant,
    "depth": lambda s: s.depth,
    "autonomy": lambda s: s.autonomy,
    "dataClass": lambda s: s.data_class,
    "dataHome": lambda s: _value("Jurisdiction", s.data_home),
    "transferBasis": lambda s: s.transfer_basis or None,
    "purpose": lambda s: s.purpose,
    "latencyClassMs": lambda s: s.latency_class_ms,
}
# Where a projection of a subject is read: STATIC without building what Cedar reads.
SUBJECT_FIELDS: dict[str, str] = {
    "className": "class_name", "model": "model", "actor": "principal", "human": "human",
    "tenant": "tenant", "depth": "depth", "autonomy": "autonomy", "dataClass": "data_class",
    "dataHome": "data_home", "transferBasis": "transfer_basis", "purpose": "purpose",
    "latencyClassMs": "latency_class_ms",
}  # fmt: skip
DYNAMIC: dict[str, Callable[[Live], Any]] = {
    "now": lambda c: _datetime(c.given.at),
    "estCostMicroUsd": lambda c: c.given.cost_micro_usd,
    "budgetLeftMicroUsd": lambda c: c.given.budget_left_micro_usd if c.given.has_budget else None,
    "truncatedTokens": lambda c: c.given.truncated_tokens,
    "retryDepth": lambda c: c.given.retry_depth,
    "hops": lambda c: c.given.hops,
    "policyAge": lambda c: f"{_milliseconds(c.given.policy_age_s)}ms",
    "approvedBy": lambda c: [_value("Human", name) for name in c.approvers],
    "approvedInRoles": lambda c: [_value("Role", name) for name in c.roles],
    "approvals": lambda c: len(c.approvers),
}
PLACE_FIELDS: dict[str, str] = {
    "site": "site", "tier": "tier", "accelerator": "accelerator", "operator": "operator",
    "certificates": "certificates", "networkMsP95": "network_ms_p95",
    "costMicroUsdPerKtok": "cost_micro_usd_per_ktok",
}  # fmt: skip


def principal_of(subject: Subject) -> Uid:
    """A loop that acts; else the person, the agent that a person is behind, or an opaque key."""
    if subject.loop:
        return "Loop", subject.loop
    if not subject.human:
        return "Key", subject.principal
    return ("Human" if subject.principal == subject.human else "Agent"), subject.principal


def live(circumstances: Circumstances, policy_set: PolicySet, digests: Iterable[str]) -> Live:
    """Approvals that hold at that time, for one of the policies in force (`digests`)."""
    people = {
        one.by
        for one in circumstances.approvals
        if one.expires_at > circumstances.at and one.policy_digest in digests
    }
    above = {uid for name in people for uid in policy_set.declared.above(("Human", name))}
    return Live(circumstances, tuple(sorted(people)), tuple(sorted(name for _, name in above)))


def static_facts(subject: Subject) -> dict[str, Any]:
    """The context's attributes that are the same for all requests of the kind."""
    return _present((name, read(subject)) for name, read in STATIC.items())


def dynamic_facts(circumstances: Live) -> dict[str, Any]:
    """The others. Unaskable where a time has no form."""
    return _present((name, read(circumstances)) for name, read in DYNAMIC.items())


def request(principal: Uid, action: str, pool: str, context: dict[str, Any]) -> dict[str, Any]:
    """What cedarpy is asked. Raises Unaskable."""
    try:
        text = msgspec.json.encode(context).decode()
    except (UnicodeEncodeError, msgspec.MsgspecError) as error:
        raise Unaskable(f"a fact is not Unicode: {error}") from None
    return {
        "principal": _entity(*principal),
        "action": _entity("Action", action),
        "resource": _entity("Pool", pool),
        "context": text,
    }


def with_pool(base: "Entities", place: Place) -> "Entities":
    """The declared entities with the pool that is asked about. Raises Unaskable."""
    attrs = {name: getattr(place, field) for name, field in PLACE_FIELDS.items()}
    parents = [_entity("Jurisdiction", place.jurisdiction)] if place.jurisdiction else []
    pool = {"uid": _entity("Pool", place.pool), "attrs": attrs, "parents": parents}
    try:
        return base.with_added_json_str(msgspec.json.encode([pool]).decode())
    except (ValueError, msgspec.MsgspecError) as error:
        raise Unaskable(f"the facts of pool {place.pool!r} cannot be read: {error}") from None


class PoolEntities:
    """The declared entities together with one pool, kept per place."""

    def __init__(self, base: "Entities") -> None:
        self._base = base
        self._kept: dict[Place, Entities] = {}

    def of(self, place: Place) -> "Entities":
        """Raises Unaskable."""
        found = self._kept.get(place)
        if found is None:
            if len(self._kept) >= PLACES_KEPT:
                self._kept.clear()
            found = self._kept[place] = with_pool(self._base, place)
        return found


def are_numbers_askable(subject: Subject) -> bool:
    """Whether Cedar has a form for all numbers of a subject."""
    numbers = (subject.depth, subject.autonomy, subject.latency_class_ms)
    return all(-LONG_MAX <= number <= LONG_MAX for number in numbers)


def are_plain(known: Circumstances) -> bool:
    """Whether Cedar has a form for all times and numbers of circumstances."""
    return (
        0.0 <= known.at <= _AT_MAX_S
        and 0.0 <= known.policy_age_s <= _AT_MAX_S
        and -LONG_MAX <= known.cost_micro_usd <= LONG_MAX
        and -LONG_MAX <= known.budget_left_micro_usd <= LONG_MAX
        and 0 <= known.truncated_tokens <= LONG_MAX
        and 0 <= known.retry_depth <= LONG_MAX
        and 0 <= known.hops <= LONG_MAX
    )


def _present(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in items if value is not None}


def _milliseconds(seconds: float) -> int:
    if not -_AT_MAX_S <= seconds <= _AT_MAX_S:
        raise Unaskable(f"{seconds} s is no time that policy can be asked about")
    return round(seconds * 1000)


def _datetime(at: float) -> str:
    """Unix seconds as Cedar writes them, UTC with milliseconds; before 1970 there is no request."""
    from datetime import UTC, datetime

    if not 0.0 <= at <= _AT_MAX_S:
        raise Unaskable(f"{at} is no time that policy can be asked about")
    ms = round(at * 1000)
    whole = datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{ms % 1000:03d}Z"
