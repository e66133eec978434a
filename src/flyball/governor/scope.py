"""Which endpoints may one kind of request use, and which rule keeps it from each of the others?

A scope joins all requests alike in principal, class, model, operation and jurisdiction hint;
mandates with equal limits, of which policy says the same, share one. Its static part (model,
surface, residency, stops, policy's mask) is computed once and kept until one of these changes;
health is a second vector that all scopes share.
"""

import numpy as np

from flyball.governor.policy import Policy
from flyball.governor.tariff import Tariff
from flyball.governor.view import FleetView, Vector
from flyball.model.decision import Feasibility
from flyball.model.fleet import Pool, Site, Surface
from flyball.model.request import Operation, Principal, RequestClass
from flyball.model.verdict import Place
from flyball.units import Seconds, ms_from_seconds

SURFACE_OF: dict[Operation, Surface] = {
    "chat": "openai",
    "completion": "openai",
    "embedding": "openai",
    "response": "openai",
    "message": "anthropic",
    "infer": "oip",
    "models": "openai",
}


# Pools that policy refuses only after a look at the single request, by reason.
NARROWER_MAX = 256


class Scope:
    """`penalty[e]` is 0 where policy lets it run, infinite elsewhere; `reasons[e]` says why."""

    __slots__ = (
        "_closed",
        "_closed_generation",
        "count",
        "key",
        "name",
        "narrower",
        "penalty",
        "reasons",
        "recorded_generation",
    )

    def __init__(self, name: str, key: tuple[str, ...], reasons: list[str]) -> None:
        self.name = name
        self.key = key
        self.reasons = reasons
        self.penalty: Vector = np.array([np.inf if why else 0.0 for why in reasons])
        self.count = sum(not why for why in reasons)
        self.recorded_generation = -1
        self.narrower: dict[tuple[int, str], Scope] = {}
        self._closed = self.penalty
        self._closed_generation = -1

    def closed(self, view: FleetView) -> Vector:
        """`penalty` joined with the health of now: 0 where the request may go this moment."""
        if self._closed_generation != view.health_generation:
            self._closed = self.penalty + view.blocked
            self._closed_generation = view.health_generation
        return self._closed

    def without(self, view: FleetView, pool_index: int, why: str) -> "Scope":
        """The same less one pool, for that reason. Kept, as many requests may need it."""
        found = self.narrower.get((pool_index, why))
        if found is None:
            if len(self.narrower) >= NARROWER_MAX:
                self.narrower.clear()
            reasons = [
                why if state.pool_index == pool_index and not reason else reason
                for state, reason in zip(view.endpoints, self.reasons, strict=True)
            ]
            name = f"{self.name}-{len(self.narrower) + 1}"
            found = self.narrower[(pool_index, why)] = Scope(name, self.key, reasons)
        return found

    def feasibility_id(self, generation: int) -> str:
        """The id of the record that describes this scope under the health of `generation`."""
        return f"{self.name}.{generation}"

    def feasibility(self, at: Seconds, view: FleetView) -> Feasibility:
        """The record: who is allowed, and who is refused by which rule."""
        allowed: list[str] = []
        refused: list[tuple[str, str]] = []
        for state, why in zip(view.endpoints, self.reasons, strict=True):
            reason = why or health_reason(view, state.index)
            if reason:
                refused.append((state.name, reason))
            else:
                allowed.append(state.name)
        return Feasibility(
            id=self.feasibility_id(view.health_generation),
            at=at,
            scope=" ".join(part for part in self.key if part),
            allowed=tuple(allowed),
            refused=tuple(refused),
        )


def health_reason(view: FleetView, index: int) -> str:
    """Why health keeps an endpoint out, or ""."""
    if not view.blocked[index]:
        return ""
    return "health: draining" if view.endpoints[index].draining else "health: circuit open"


def build_scope(
    name: str,
    view: FleetView,
    policy: Policy,
    principal: Principal,
    klass: RequestClass,
    model: str,
    operation: Operation,
    jurisdiction_hint: str,
    masks: tuple[str, ...] = (),
) -> Scope:
    """Check each endpoint against each static rule; the first rule broken is the reason given.

    `masks` = for each pool of the fleet what policy or a stop has against it, "" = nothing.
    """
    limits = residency_limits(principal, klass, jurisdiction_hint)
    lies_in = dict(policy.authority.jurisdictions)
    surface = SURFACE_OF[operation]
    reasons: list[str] = []
    for state in view.endpoints:
        pool = state.pool
        if model not in pool.models:
            reasons.append("model: not served")
        elif surface not in pool.surfaces:
            reasons.append(f"surface: does not speak {surface}")
        elif limits and not _is_within(state.jurisdiction, limits, lies_in):
            reasons.append(f"residency: {state.jurisdiction} is not allowed")
        else:
            reasons.append(masks[state.pool_index] if masks else "")
    key = (principal.name, klass.name, model, operation, jurisdiction_hint)
    return Scope(name, key, reasons)


def residency(principal: Principal, klass: RequestClass, hint: str) -> frozenset[str] | None:
    """The jurisdictions that principal, class and request all allow; None = no limit.

    A request can only narrow: a hint outside what the other two allow leaves nothing.
    """
    limits = residency_limits(principal, klass, hint)
    if not limits:
        return None
    allowed = limits[0]
    for limit in limits[1:]:
        allowed &= limit
    return allowed


def residency_limits(principal: Principal, klass: RequestClass, hint: str) -> list[frozenset[str]]:
    """What principal, class and request each allow; one that sets no limit is left out."""
    limits = [frozenset(part) for part in (principal.jurisdictions, klass.jurisdictions) if part]
    if hint:
        limits.append(frozenset(part.strip() for part in hint.split(",") if part.strip()))
    return limits


def _is_within(place: str, limits: list[frozenset[str]], lies_in: dict[str, str]) -> bool:
    """Whether each limit names the place, or something that it lies in."""
    above = [place]
    while (larger := lies_in.get(above[-1])) is not None and larger not in above:
        above.append(larger)
    return not any(limit.isdisjoint(above) for limit in limits)


def place_of(pool: Pool, site: Site, tariff: Tariff) -> Place:
    """What policy may read of a pool."""
    return Place(
        pool=pool.name,
        site=site.name,
        jurisdiction=site.jurisdiction,
        tier=site.tier,
        accelerator=pool.profile.accelerator,
        operator=pool.operator or site.operator,
        certificates=pool.certificates or site.certificates,
        network_ms_p95=round(ms_from_seconds(site.rtt_s)),
        cost_micro_usd_per_ktok=tariff.cost(0, 1000),
    )
