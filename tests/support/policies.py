"""Policy sets, questions and places for tests: written out, and drawn by Hypothesis."""

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from flyball.authority.policy.policies import PolicySet, load
from flyball.model.mandate import Approval
from flyball.model.verdict import Circumstances, Place, Subject

EXAMPLE = Path(__file__).parents[2] / "examples" / "policy"
PERMIT = '@id("base") permit(principal, action, resource);\n'
AT = 1_763_600_000.0

ENTITIES = """[
 {"uid": {"type": "Jurisdiction", "id": "EU"}},
 {"uid": {"type": "Jurisdiction", "id": "FR"}, "parents": [{"type": "Jurisdiction", "id": "EU"}]},
 {"uid": {"type": "Jurisdiction", "id": "US"}},
 {"uid": {"type": "ModelFamily", "id": "approved"}},
 {"uid": {"type": "Model", "id": "small"}, "attrs": {"evalTier": 2},
  "parents": [{"type": "ModelFamily", "id": "approved"}]},
 {"uid": {"type": "Role", "id": "budget"}},
 {"uid": {"type": "Human", "id": "carol"}, "parents": [{"type": "Role", "id": "budget"}]},
 {"uid": {"type": "Agent", "id": "scribe"}, "parents": [{"type": "Role", "id": "budget"}]}
]"""


def policy_set(text: str, entities: str = ENTITIES, digest: str = "") -> PolicySet:
    return load({"a.cedar": text}, entities, digest=digest)


def example() -> PolicySet:
    texts = {"site.cedar": (EXAMPLE / "site.cedar").read_text()}
    return load(texts, (EXAMPLE / "entities.json").read_text())


def subject(**changes: Any) -> Subject:
    fields: dict[str, Any] = {
        "action": "infer",
        "principal": "scribe",
        "human": "bob",
        "class_name": "chat",
        "model": "small",
    }
    return Subject(**(fields | changes))


def place(**changes: Any) -> Place:
    fields: dict[str, Any] = {
        "pool": "h100-paris",
        "site": "paris",
        "jurisdiction": "FR",
        "tier": "central",
        "accelerator": "h100",
    }
    return Place(**(fields | changes))


def circumstances(**changes: Any) -> Circumstances:
    return Circumstances(**({"at": AT} | changes))


def approval(by: str = "carol", digest: str = "", **changes: Any) -> Approval:
    fields = {
        "id": f"approval-{by}",
        "by": by,
        "action_sha256": "00" * 32,
        "policy_digest": digest,
        "expires_at": AT + 60,
    }
    return Approval(**(fields | changes))


SUBJECTS = st.builds(
    Subject,
    action=st.sampled_from(["infer", "toolCall", "spill", "truncate", "retry"]),
    principal=st.sampled_from(["scribe", "bob", "carol"]),
    human=st.sampled_from(["", "bob", "carol"]),
    loop=st.sampled_from(["", "", "router"]),
    class_name=st.just("chat"),
    model=st.sampled_from(["small", "large"]),
    depth=st.integers(0, 2),
    data_class=st.sampled_from(["public", "personal"]),
    data_home=st.sampled_from(["", "EU", "FR", "US"]),
    transfer_basis=st.sampled_from(["", "scc"]),
    latency_class_ms=st.sampled_from([0, 10, 2**62]),
)
PLACES = st.builds(
    Place,
    pool=st.sampled_from(["a", "b"]),
    site=st.just("s"),
    jurisdiction=st.sampled_from(["", "EU", "FR", "US"]),
    tier=st.sampled_from(["edge", "central"]),
    accelerator=st.just("h100"),
    certificates=st.sampled_from([(), ("iso27001",)]),
    network_ms_p95=st.sampled_from([0, 5, 10, 2**62]),
)
CIRCUMSTANCES = st.builds(
    Circumstances,
    at=st.just(AT),
    cost_micro_usd=st.sampled_from([0, 5, 2**63 - 1]),
    budget_left_micro_usd=st.sampled_from([0, 5]),
    has_budget=st.booleans(),
    retry_depth=st.integers(0, 2),
    approvals=st.sampled_from([(), (approval(digest="d"),), (approval("bob", "d"),)]),
)

# Conditions that pass the schema; sums and products may still overflow, which is an error.
_STATIC = (
    'context.dataClass == "personal"',
    "resource in context.dataHome",
    'resource in Jurisdiction::"EU"',
    'resource in [Jurisdiction::"FR", Jurisdiction::"US"]',
    'resource == Pool::"a"',
    'resource.tier == "edge"',
    'resource.tier like "c*"',
    'resource.certificates.contains("iso27001")',
    "resource.networkMsP95 > context.latencyClassMs",
    "resource.networkMsP95 * 2 > context.latencyClassMs",
    "context.latencyClassMs + context.latencyClassMs >= 20",
    "resource.networkMsP95 <= 5",
    'context has transferBasis && context.transferBasis == "scc"',
    "context has human && context.human == principal",
    'context.model in ModelFamily::"approved"',
    "context.model has evalTier && context.model.evalTier > 1",
    "principal is Loop",
    'principal in Role::"budget"',
    'principal is Agent in Role::"budget"',
    'principal == Human::"bob"',
    'action in Action::"adjust"',
    '[action].contains(Action::"infer")',
    "(if context.depth > 1 then resource else resource).tier == \"edge\"",
    "true",
    "false",
)  # fmt: skip
_DYNAMIC = (
    "context.estCostMicroUsd > 4",
    "context.estCostMicroUsd + 1 > 4",
    "context has budgetLeftMicroUsd && context.budgetLeftMicroUsd < 5",
    "context.retryDepth > 1",
    'context.approvedInRoles.contains(Role::"budget")',
    "context.approvals >= 1",
    "resource.networkMsP95 > context.retryDepth",
)
_SCOPES = ("principal", "principal is Agent", 'principal == Human::"carol"')
_ACTIONS = (
    "action",
    'action == Action::"infer"',
    'action in [Action::"retry", Action::"truncate"]',
    'action in Action::"adjust"',
)


def _conditions(leaves: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(leaves),
        lambda inner: st.one_of(
            st.builds("({} && {})".format, inner, inner),
            st.builds("({} || {})".format, inner, inner),
            st.builds("!({})".format, inner),
            st.builds("(if {} then {} else {})".format, inner, inner, inner),
        ),
        max_leaves=5,
    )


def _policies(leaves: tuple[str, ...]) -> st.SearchStrategy[str]:
    clause = st.builds(
        "{} {{ {} }}".format, st.sampled_from(["when", "unless"]), _conditions(leaves)
    )
    return st.builds(
        "{}({}, {}, {}) {};".format,
        st.sampled_from(["permit", "permit", "forbid"]),
        st.sampled_from(_SCOPES),
        st.sampled_from(_ACTIONS),
        st.sampled_from(["resource", 'resource in Jurisdiction::"EU"', 'resource == Pool::"a"']),
        st.lists(clause, max_size=2).map(" ".join),
    )


# Most sets permit something to begin with: else nearly every answer would be a no.
_BASE = st.sampled_from([[PERMIT], [PERMIT], []])
STATIC_POLICIES = st.builds(
    list.__add__, _BASE, st.lists(_policies(_STATIC), min_size=1, max_size=4)
)
ANY_POLICIES = st.builds(
    list.__add__, _BASE, st.lists(_policies(_STATIC + _DYNAMIC), min_size=1, max_size=4)
)
