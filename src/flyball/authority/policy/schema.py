"""Which words may a policy use? (The Cedar schema that every policy is checked against.)

The schema is `data/policy.cedarschema`, in Cedar's schema language
(https://docs.cedarpolicy.com/schema/human-readable-schema.html).
"""

import re
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cedarpy import Schema

# Declared by the bundle's entities; a Pool comes from the fleet and an Action from the schema.
DECLARED_TYPES = (
    "Jurisdiction", "Role", "Human", "Agent", "Key", "Loop", "ModelFamily", "Model",
)  # fmt: skip
# What loops do; `adjust` is the group of them.
ADJUSTING = ("spill", "truncate", "retry", "cap", "demote")
ACTIONS = ("infer", "toolCall", *ADJUSTING, "adjust")


@cache
def schema_text() -> str:
    """The schema as it is shipped."""
    return resources.files("flyball").joinpath("data", "policy.cedarschema").read_text("utf-8")


@cache
def schema() -> "Schema":
    """The parsed schema."""
    from cedarpy import Schema

    return Schema.from_str(schema_text())


@cache
def attributes(kind: str) -> tuple[str, ...]:
    """The attributes of an entity type, or of the context: `attributes("context")`."""
    name = r"type Facts =" if kind == "context" else rf"entity {kind}\b[^;{{]*="
    found = re.search(name + r"\s*\{([^}]*)\}", schema_text())
    return tuple(re.findall(r'"(\w+)"\??:', found[1])) if found else ()


def nearest(word: str, known: tuple[str, ...]) -> str:
    """`Did you mean 'x'?`, or what there is when nothing is near."""
    by_fold = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {by_fold[near[0]]!r}?"
    return f"There are: {', '.join(known)}." if known else ""
