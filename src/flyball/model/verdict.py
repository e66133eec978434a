"""What is asked of policy, and what does it answer?

Policy is asked twice (docs/design.md): for a mask over pools, from what stays the same for all
requests of a kind, and once for the pool that was chosen, with all that is known. Only the second
answer is the authorization.
"""

from typing import Literal

from msgspec import Struct

from flyball.model.mandate import Approval, MicroUsd
from flyball.units import Seconds, Tokens

Action = Literal["infer", "toolCall", "spill", "truncate", "retry", "cap", "demote"]


class Subject(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What policy may read of a request that is the same for all of its kind. "" = not known.

    `principal` = who acts; `human` = the person behind it ("" where an opaque key has none);
    `loop` = the control loop that acts in the principal's place ("" = none). `data_home` = the
    jurisdiction that the data belongs to.
    """

    action: Action
    principal: str
    class_name: str
    model: str
    human: str = ""
    tenant: str = ""
    loop: str = ""
    depth: int = 0
    autonomy: int = 0
    data_class: str = "public"
    data_home: str = ""
    transfer_basis: str = ""
    purpose: str = ""
    latency_class_ms: int = 0


class Circumstances(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What differs from one request to the next."""

    at: Seconds
    cost_micro_usd: MicroUsd = 0
    budget_left_micro_usd: MicroUsd = 0
    has_budget: bool = False
    truncated_tokens: Tokens = 0
    retry_depth: int = 0
    hops: int = 0
    policy_age_s: Seconds = 0.0
    approvals: tuple[Approval, ...] = ()


class Place(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What policy may read of a pool. `cost_micro_usd_per_ktok` = money for 1,000 answer tokens."""

    pool: str
    site: str
    jurisdiction: str
    tier: str
    accelerator: str
    operator: str = ""
    certificates: tuple[str, ...] = ()
    network_ms_p95: int = 0
    cost_micro_usd_per_ktok: MicroUsd = 0


class Question(Struct, frozen=True, kw_only=True):
    """All that policy was asked: who wants what, under which circumstances, and where."""

    subject: Subject
    circumstances: Circumstances
    place: Place


class Verdict(Struct, frozen=True, kw_only=True):
    """Policy's answer. `policies` = ids of those that decided, `bundles` = digests that were asked.

    Any of `errors` makes it a no. `obligations` must be met if it is a yes.
    """

    allowed: bool
    policies: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    bundles: tuple[str, ...] = ()
