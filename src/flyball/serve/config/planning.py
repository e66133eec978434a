"""What may a fleet file say of the joint plan: constants of its prices, budgets of money?"""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from flyball.governor.policy import Budget, Policy, Pricing
from flyball.serve.config.errors import did_you_mean, listed
from flyball.serve.config.text import Document
from flyball.units import ms_from_seconds

NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
RatioOfOne = Annotated[float, Meta(ge=0, le=1)]

_PRICING = Pricing()


def _ms(seconds: float) -> float:
    return round(ms_from_seconds(seconds), 9)


class PricingSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Constants of the price rules."""

    externality_weight: Annotated[
        NotNegative, Meta(description="Weight of the harm done to others' requests.")
    ] = _PRICING.externality_weight
    kv_price_weight: Annotated[NotNegative, Meta(description="Weight of the KV price.")] = (
        _PRICING.kv_price_weight
    )
    plan_price_weight: Annotated[NotNegative, Meta(description="Weight of the plan's prices.")] = (
        _PRICING.plan_price_weight
    )
    early_refusal_ratio: Annotated[
        Positive, Meta(description="Refuse early above this multiple of the promise.")
    ] = _PRICING.early_refusal_ratio
    ttft_width_ms: Annotated[
        Positive, Meta(description="Softness of the first-token promise, ms.")
    ] = _ms(_PRICING.ttft_width_s)
    tpot_width_ms: Annotated[
        Positive, Meta(description="Softness of the per-token promise, ms.")
    ] = _ms(_PRICING.tpot_width_s)
    near_equal_ratio: Annotated[
        RatioOfOne, Meta(description="Prices this close count as equal.")
    ] = _PRICING.near_equal_ratio
    explore_ratio: Annotated[
        RatioOfOne, Meta(description="Share of requests placed by chance, to learn.")
    ] = _PRICING.explore_ratio
    view_age_ms_max: Annotated[
        Positive, Meta(description="Older views of an endpoint are not priced, ms.")
    ] = _ms(_PRICING.view_age_s_max)
    mispredict_ratio_max: Annotated[
        Positive,
        Meta(
            description="Predictions off to one side by more than this after correction, or "
            "scattered by three times as much: the pick falls back."
        ),
    ] = _PRICING.mispredict_ratio_max
    smoothing: Annotated[
        RatioOfOne, Meta(description="Share of a new price taken over per period.")
    ] = _PRICING.smoothing
    solve_interval_s: Annotated[Positive, Meta(description="Between joint plans, s.")] = (
        _PRICING.solve_interval_s
    )
    board_valid_s: Annotated[Positive, Meta(description="How long prices hold, s.")] = (
        _PRICING.board_valid_s
    )
    solver_gap_max: Annotated[
        Positive, Meta(description="Largest gap of a plan that is published.")
    ] = _PRICING.solver_gap_max
    demand_risk: Annotated[
        float,
        Meta(
            ge=0,
            le=0.5,
            description="Chance accepted that demand exceeds what a plan keeps for it; "
            "0 = plan for the mean.",
        ),
    ] = _PRICING.demand_risk
    tick_ms: Annotated[Positive, Meta(description="Length of a control period, ms.")] = _ms(
        Policy(classes=()).tick_s
    )


class BudgetSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What some classes may spend together on endpoints that are paid per token."""

    usd_per_hour: Annotated[NotNegative, Meta(description="Most they may spend, USD per hour.")]
    classes: Annotated[
        tuple[str, ...], Meta(min_length=1, description="Classes that share it; each in one only.")
    ]


def build_budgets(sections: Mapping[str, BudgetSection]) -> tuple[Budget, ...]:
    """The core's own form."""
    return tuple(
        Budget(name=name, usd_per_hour=one.usd_per_hour, classes=one.classes)
        for name, one in sections.items()
    )


def check_budgets(
    budgets: Mapping[str, BudgetSection], classes: Mapping[str, object], document: Document
) -> None:
    """Note classes that there are not, and those that two budgets claim."""
    claimed: dict[str, str] = {}
    for name, one in budgets.items():
        for place, klass in enumerate(one.classes):
            at = ("budgets", name, "classes", place)
            if klass not in classes:
                step = f"{did_you_mean(klass, classes)}Known: {listed(classes, most=20)}."
                document.fault(at, f"there is no class named {klass!r}", step)
            elif claimed.setdefault(klass, name) != name:
                step = "A class spends from one budget: leave it in one of them."
                document.fault(at, f"class {klass!r} is in budget {claimed[klass]!r} too", step)
