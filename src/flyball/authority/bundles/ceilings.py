"""Which limits does a bundle set to what prices and loops may do with the work it governs?

`limits.json` is put over the operator's own settings: of two limits the stricter holds, so a bundle
can take freedom away and never give any.
"""

import msgspec
from msgspec import Struct

from flyball.authority.bundles.archive import BundleError
from flyball.authority.policy.schema import nearest
from flyball.governor.policy import Policy
from flyball.model.request import RequestClass
from flyball.units import Ratio, Tokens

EVERY = "*"


class ClassLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits to one class, or to all (`*`). None = not limited.

    False = never; `context_tokens_min` and `output_tokens_min` = tokens that a cut must leave.
    """

    allow_truncation: bool | None = None
    allow_demotion: bool | None = None
    allow_hedge: bool | None = None
    allow_output_cut: bool | None = None
    context_tokens_min: Tokens | None = None
    output_tokens_min: Tokens | None = None
    probe_ratio_max: Ratio | None = None


class Ceilings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits to the whole gateway, and by class. `attempts_max` = tries of one request."""

    attempts_max: int | None = None
    retry_budget_ratio_max: Ratio | None = None
    explore_ratio_max: Ratio | None = None
    classes: dict[str, ClassLimits] = {}


def check_ceilings(found: Ceilings) -> None:
    """Raises BundleError for a limit that is no number of anything."""
    numbers = [
        value
        for part in (found, *found.classes.values())
        for value in msgspec.structs.astuple(part)
        if isinstance(value, int | float)
    ]
    if any(not 0 <= value < 2**53 for value in numbers) or found.attempts_max == 0:
        step = "docs/guide/bundles.md lists the limits."
        raise BundleError("limits", "limits.json: a limit is negative, nothing or too large", step)


def lowered(policy: Policy, ceilings: Ceilings) -> Policy:
    """The policy within the limits."""
    resilience, pricing = policy.resilience, policy.pricing
    replace = msgspec.structs.replace
    return replace(
        policy,
        classes=tuple(_class(klass, ceilings.classes) for klass in policy.classes),
        resilience=replace(
            resilience,
            attempts_max=round(_least(resilience.attempts_max, ceilings.attempts_max)),
            retry_budget_ratio=_least(
                resilience.retry_budget_ratio, ceilings.retry_budget_ratio_max
            ),
        ),
        pricing=replace(
            pricing, explore_ratio=_least(pricing.explore_ratio, ceilings.explore_ratio_max)
        ),
    )


def strangers(policy: Policy, ceilings: Ceilings) -> tuple[str, ...]:
    """A sentence for each class that is limited but does not exist here."""
    known = tuple(klass.name for klass in policy.classes)
    return tuple(
        f"limits.json limits the class {name!r}, which is not here. {nearest(name, known)}"
        for name in ceilings.classes
        if name not in known and name != EVERY
    )


def _class(klass: RequestClass, limits: dict[str, ClassLimits]) -> RequestClass:
    for limit in (limits.get(EVERY), limits.get(klass.name)):
        if limit is not None:
            klass = _limited(klass, limit)
    return klass


def _limited(klass: RequestClass, limit: ClassLimits) -> RequestClass:
    replace, context, output = msgspec.structs.replace, klass.context, klass.output
    context = replace(
        context,
        allow_truncation=context.allow_truncation and limit.allow_truncation is not False,
        tokens_min=max(context.tokens_min, limit.context_tokens_min or 0),
        probe_ratio=_least(context.probe_ratio, limit.probe_ratio_max),
    )
    output = replace(
        output,
        by_price=output.by_price and limit.allow_output_cut is not False,
        tokens_min=max(output.tokens_min, limit.output_tokens_min or 0),
    )
    return replace(
        klass,
        context=context,
        output=output,
        tiers=() if limit.allow_demotion is False else klass.tiers,
        allow_hedge=klass.allow_hedge and limit.allow_hedge is not False,
    )


def _least(own: float, limit: float | None) -> float:
    return own if limit is None else min(own, limit)
