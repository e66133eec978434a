"""Which numbers and rules govern the core? (What the fleet file sets, with its defaults.)"""

from typing import Literal

from msgspec import Struct

from flyball.model.loop import ForeignLoop, LoopPolicy
from flyball.model.request import Principal, RequestClass
from flyball.units import Ratio, Seconds, Usd


class Pricing(Struct, frozen=True, kw_only=True):
    """Constants of the price rules; defaults from the project's control experiment.

    `demand_risk` = the chance that a pool's share of the demand forecast exceeds what the plan
    keeps for it; 0 = plan for the mean alone.
    """

    externality_weight: float = 1.5
    kv_price_weight: float = 1.0
    plan_price_weight: float = 1.0
    early_refusal_ratio: Ratio = 1.3
    ttft_width_s: Seconds = 0.075
    tpot_width_s: Seconds = 0.006
    near_equal_ratio: Ratio = 0.02
    explore_ratio: Ratio = 0.0
    view_age_s_max: Seconds = 0.25
    mispredict_ratio_max: Ratio = 0.3
    smoothing: Ratio = 0.4
    solve_interval_s: Seconds = 5.0
    board_valid_s: Seconds = 30.0
    solver_gap_max: Ratio = 1e-4
    demand_risk: Ratio = 0.0


class Resilience(Struct, frozen=True, kw_only=True):
    """Retries, circuits, holding: every one bounded."""

    attempts_max: int = 3
    retry_budget_ratio: Ratio = 0.1
    retry_budget_tokens_max: float = 100.0
    circuit_failures_max: int = 5
    circuit_open_s: Seconds = 2.0
    circuit_open_s_max: Seconds = 60.0
    slow_start_s: Seconds = 10.0
    held_max: int = 1024
    in_flight_max: int = 65_536


class Promises(Struct, frozen=True, kw_only=True):
    """Quotes: how long one stands, how many may, and at which risk a deadline is guaranteed.

    `risk` = the chance, by the measured spread of predictions, that a guaranteed deadline is
    missed. `reserve_ratio_max` = largest share of an endpoint's sequence slots under guarantee.
    """

    quote_s: Seconds = 10.0
    quotes_max: int = 1024
    quotes_per_principal_max: int = 64
    reserve_ratio_max: Ratio = 0.5
    risk: Ratio = 0.01


class Budget(Struct, frozen=True, kw_only=True):
    """What some classes may spend together on endpoints that are paid per token."""

    name: str
    usd_per_hour: Usd
    classes: tuple[str, ...]


class AuthorityRules(Struct, frozen=True, kw_only=True):
    """What mandates must show here, beside being verified.

    `feeds` = names of the revocation feeds that must be heard; `feed_age_s` = by data class, how
    long one may be silent (a class that is not named: the shortest of these). A mandate used for
    one of `bound_data_classes` must be shown with its holder's key. `skew_s` = how far two clocks
    may be apart. `requires_mandate` = who has no known key needs a mandate. `jurisdictions` =
    (place, what it lies in): who may run in the one may run in the other.
    """

    feeds: tuple[str, ...] = ()
    feed_age_s: tuple[tuple[str, Seconds], ...] = (
        ("special", 5.0),
        ("personal", 60.0),
        ("public", 3600.0),
    )
    bound_data_classes: tuple[str, ...] = ()
    skew_s: Seconds = 2.0
    requires_mandate: bool = False
    jurisdictions: tuple[tuple[str, str], ...] = ()


class Diagnosis(Struct, frozen=True, kw_only=True):
    """How often the loops are looked at, and what is done about a finding.

    `mode` observe = findings are recorded and shown, advise = and told to the operator, enforce =
    and the loop named is held until the finding is gone. `learning_h` = hours of demand from which
    the drift streams learn what is usual.
    """

    mode: Literal["off", "observe", "advise", "enforce"] = "advise"
    interval_s: Seconds = 10.0
    learning_h: float = 336.0


class Policy(Struct, frozen=True, kw_only=True):
    """All that an operator decides, apart from the fleet itself. `classes[0]` is the default class.

    `mode` observe = decide and record, but let the stated `baseline` rule place the work.
    `principals` () = no keys are asked for (development only; `flyball check` warns).
    A loop of the control period runs only if `loops` names it; `foreign_loops` are not ours.
    """

    classes: tuple[RequestClass, ...]
    principals: tuple[Principal, ...] = ()
    mode: Literal["observe", "enforce"] = "enforce"
    baseline: Literal["least-request", "round-robin"] = "least-request"
    pricing: Pricing = Pricing()
    resilience: Resilience = Resilience()
    promises: Promises = Promises()
    refuse_without_ledger: bool = True
    role: Literal["whole", "worker", "control"] = "whole"
    workers: int = 1
    tick_s: Seconds = 1.0
    loops: tuple[LoopPolicy, ...] = ()
    foreign_loops: tuple[ForeignLoop, ...] = ()
    budgets: tuple[Budget, ...] = ()
    authority: AuthorityRules = AuthorityRules()
    diagnosis: Diagnosis = Diagnosis()
