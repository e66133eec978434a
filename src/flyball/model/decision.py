"""What was decided for a request, at which prices, and what is written down of it?

The records here are what the ledger keeps: no prompt text, only names, numbers and digests.
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from flyball.model.acts import Act
from flyball.model.verdict import Question
from flyball.units import Ratio, Seconds, Tokens, Usd

Rule = Literal["price", "fallback-stale-view", "fallback-mispredicted", "single", "probe", "hedge"]
OutcomeKind = Literal[
    "served",
    "refused",
    "failed",
    "retried",
    "cancelled",
    "client-gone",
    "deadline",
    "truncated-stream",
]


class Allowance(Struct, frozen=True, kw_only=True, gc=False):
    """What a request may use: tokens offered and kept, answer tokens, attempts, time.

    `tokens_kept` < `tokens_offered` = whole oldest turns may be dropped down to it, system turns
    apart if `keep_system`. `clamp_output` = the driver sets the answer's bound to
    `output_tokens_max`. `model` = the model that answers in place of the one asked for, "" = that.
    """

    tokens_offered: Tokens
    tokens_kept: Tokens
    output_tokens_max: Tokens
    attempts_max: int
    deadline_at: Seconds
    keep_system: bool = True
    clamp_output: bool = False
    model: str = ""
    hedge_at: Seconds = 0.0


class Candidate(Struct, frozen=True, array_like=True, gc=False):
    """One endpoint as it was priced: predicted latency and each term of its cost in USD.

    Written as an array in this order, as there are several in each record. `propensity` is the
    chance that this one was drawn; 0 = it could not be.
    """

    endpoint: str
    ttft_s: Seconds
    tpot_s: Seconds
    cached_tokens: Tokens
    lateness_usd: Usd
    externality_usd: Usd
    resource_usd: Usd
    total_usd: Usd
    propensity: Ratio


class Warrant(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By whose authority an attempt was placed: what a mandate and policy said to it.

    `chain` = the mandate's revocation ids, root first, `human` = the person behind it, `actor` =
    who acts. `policies` = ids of those that decided, `bundles` = digests of all that were asked.
    `reserved_micro_usd` = what was set aside of the mandate's budgets, 0 = none has a limit.
    `session` = the person's, `granted_at` = the mandate's `not_before` (Unix seconds): what is void
    of a person or session is told by these. `asked` = the question that policy answered.
    """

    chain: tuple[str, ...] = ()
    human: str = ""
    actor: str = ""
    root_key: str = ""
    holder: str = ""
    policies: tuple[str, ...] = ()
    bundles: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    approvals: tuple[str, ...] = ()
    reserved_micro_usd: int = 0
    session: str = ""
    granted_at: Seconds = 0.0
    asked: Question | UnsetType = UNSET


class Intent(Struct, frozen=True, kw_only=True, tag="intent", tag_field="kind"):
    """Written before the effect: who asked for what, what was chosen out of what, and why.

    `lineage` = id of the first attempt of this work if this is a retry. `feasibility` names the
    `Feasibility` record that says which endpoints were ruled out, and by which rule. In observe
    mode `endpoint` is where the baseline rule put the work, `candidates[0]` what the governor would
    have chosen, and `advice` what it would have done instead of placing it. `served_model` = the
    model that answers in place of `model`, "" = that one. In enforce mode `advice` is the refusal
    that a later step of a session was spared. `session_step` counts from 1 (0 = the class has no
    sessions); `session_steps_left` are expected after this one.
    """

    id: str
    at: Seconds
    principal: str
    class_name: str
    session: str
    session_source: str
    model: str
    operation: str
    attempt: int
    lineage: str
    is_retry: bool
    tokens_offered: Tokens
    tokens_kept: Tokens
    output_tokens_max: Tokens
    deadline_at: Seconds
    value_usd: Usd
    rule: Rule
    probe_arm: str
    endpoint: str
    pool: str
    candidates: tuple[Candidate, ...]
    candidates_count: int
    feasibility: str
    board_version: int
    board_age_s: Seconds
    view_age_s: Seconds
    held_s: Seconds
    mode: str
    advice: str = ""
    served_model: str = ""
    session_step: int = 0
    session_steps_left: float = 0.0
    warrant: Warrant | UnsetType = UNSET


class Outcome(Struct, frozen=True, kw_only=True, tag="outcome", tag_field="kind"):
    """Written after the effect: exactly one per intent, joined by (id, attempts = intent.attempt).

    "retried" closes an attempt that went on at a fall-back, "cancelled" without a `code` one of two
    copies of which the other went on; any other closes the request. "cancelled" with a code was cut
    by authority (mandate_revoked, stopped, policy_denied): its `output_tokens` are estimated from
    the time it ran. A request refused before it was placed has an outcome alone, with attempts = 0.
    `quote` names the guarantee it came under and `promised_s` its deadline; `penalty_usd` above 0 =
    it was broken. `spent_micro_usd` = what was taken from the mandate's budgets.
    """

    id: str
    at: Seconds
    outcome: OutcomeKind
    endpoint: str
    attempts: int
    status: int
    code: str
    reason: str
    input_tokens: Tokens
    cached_tokens: Tokens
    output_tokens: Tokens
    ttft_s: Seconds
    e2e_s: Seconds
    in_time: bool
    cost_usd: Usd
    principal: str = ""
    class_name: str = ""
    model: str = ""
    price_usd: Usd = 0.0
    retry_after_s: Seconds = 0.0
    lineage: str = ""
    feasibility: str = ""
    quote: str = ""
    promised_s: Seconds = 0.0
    penalty_usd: Usd = 0.0
    spent_micro_usd: int | UnsetType = UNSET


class Feasibility(Struct, frozen=True, kw_only=True, tag="feasibility", tag_field="kind"):
    """Which endpoints one kind of request may use: written when it changes, named by intents."""

    id: str
    at: Seconds
    scope: str
    allowed: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


class LoopAction(Struct, frozen=True, kw_only=True, tag="loop-action", tag_field="kind"):
    """One loop moved one set-point: which actuator, over what scope, from what to what, and why."""

    id: str
    at: Seconds
    loop: str
    actuator: str
    scope: str
    old: str
    new: str
    reason: str
    mode: str


class PricesSet(Struct, frozen=True, kw_only=True, tag="prices", tag_field="kind"):
    """A price board was published, or refused by its certificate."""

    id: str
    at: Seconds
    version: int
    published: bool
    gap: Ratio
    solve_s: Seconds
    reason: str
    prices: tuple[tuple[str, Usd, Usd, Usd], ...]


class ConfigSet(Struct, frozen=True, kw_only=True, tag="config", tag_field="kind"):
    """A configuration came into force (its digest), or was refused."""

    id: str
    at: Seconds
    digest: str
    in_force: bool
    reason: str


class TurnedAway(Struct, frozen=True, kw_only=True, tag="turned-away", tag_field="kind"):
    """Requests refused before the core saw them, for one reason, from one network, within a second.

    `id` = the first of them and `ids` = the first few; `count` = all of them. `at` and `until` are
    the times of the first and the last, `reason` is the detail of the first.
    """

    id: str
    at: Seconds
    until: Seconds
    code: str
    status: int
    reason: str
    source: str
    count: int
    ids: tuple[str, ...]


Record = Intent | Outcome | Feasibility | LoopAction | PricesSet | ConfigSet | TurnedAway | Act
