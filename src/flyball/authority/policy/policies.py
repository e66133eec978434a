"""Is this a policy set that may be used: does every policy parse, and read only what there is?

A policy set is Cedar text (one or several files) and the entities it declares. It is checked
against the schema when it is loaded: a policy that errors when it is asked is skipped by Cedar,
even a `forbid`, so what can err must be found before
(https://docs.cedarpolicy.com/policies/validation.html).
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from flyball.authority.policy.entities import Declared, declared
from flyball.authority.policy.schema import ACTIONS, DECLARED_TYPES, attributes, nearest, schema
from flyball.authority.policy.schema import schema_text as _schema_text
from flyball.authority.policy.source import Fault, PolicyErrors, Statement, statements
from flyball.signing.jcs import canonicalize

if TYPE_CHECKING:
    import cedarpy
    from cedarpy import pst

POLICIES_MAX = 10_000
TEXT_CHARS_MAX = 4 << 20
# Types whose instances are only ever named by the entities: a name not declared matches nothing.
_GROUPS = ("Jurisdiction", "ModelFamily", "Role")


class Rule(Struct, frozen=True, eq=False):
    """One policy: `id` = its @id, else file:line. `node` is its syntax tree (cedarpy.pst)."""

    id: str
    statement: Statement
    node: "pst.Template"

    @property
    def is_permit(self) -> bool:
        """A permit, not a forbid."""
        return self.node.effect == "permit"

    @property
    def place(self) -> str:
        """file:line:col."""
        line, col = self.statement.place
        return f"{self.statement.source}:{line}:{col}"

    def note(self, name: str) -> str:
        """The text of an annotation, such as `owner`; "" = it has none."""
        return self.node.annotations.get(name, "")

    @property
    def obligations(self) -> tuple[str, ...]:
        """What must be met where it permits: `@obligation("a, b")`."""
        return tuple(part.strip() for part in self.note("obligation").split(",") if part.strip())


class PolicySet(Struct, frozen=True, kw_only=True):
    """A checked policy set; `handle` and `entities` are Cedar's own parsed forms."""

    digest: str
    rules: tuple[Rule, ...]
    declared: Declared
    handle: "cedarpy.PolicySet"
    entities: "cedarpy.Entities"
    remarks: tuple[Fault, ...] = ()

    def rule(self, cedar_id: str) -> Rule:
        """The rule that Cedar calls `policy7`."""
        return self.rules[int(cedar_id.removeprefix("policy"))]


def load(
    texts: Mapping[str, str],
    entities: str = "[]",
    *,
    entities_source: str = "entities.json",
    digest: str = "",
) -> PolicySet:
    """Check and parse Cedar texts by file name, with the entities they speak of.

    `digest` = what to call the set (a bundle's sha256:…); else it is made of the content. Raises
    PolicyErrors with every fault that was found.
    """
    from cedarpy import Entities
    from cedarpy import PolicySet as CedarSet

    if sum(map(len, texts.values())) > TEXT_CHARS_MAX:
        raise PolicyErrors([_whole(texts, f"more than {TEXT_CHARS_MAX} characters of policies")])
    stated = [one for name, text in texts.items() for one in statements(name, text)]
    if not stated:
        raise PolicyErrors([_whole(texts, "no policy: it would deny everything")])
    if len(stated) > POLICIES_MAX:
        raise PolicyErrors([_whole(texts, f"more than {POLICIES_MAX} policies")])
    known, faults = declared(entities_source, entities)
    rules = _rules(stated, faults)
    joined = "\n".join(rule.statement.text for rule in rules)
    faults += _invalid(joined, rules)
    if faults:
        raise PolicyErrors(faults)
    try:
        handle = CedarSet.from_str(joined)
        parsed = Entities.from_json_str(known.cedar_json(), schema())
    except ValueError as error:
        message = f"Cedar refuses it: {error}"
        raise PolicyErrors([Fault(source=entities_source, message=message)]) from None
    return PolicySet(
        digest=digest or content_digest(texts, entities),
        rules=tuple(rules),
        declared=known,
        handle=handle,
        entities=parsed,
        remarks=tuple(_remarks(rules, known)),
    )


def content_digest(texts: Mapping[str, str], entities: str) -> str:
    """sha256:<hex> of the texts with their files' names, the entities and the schema (RFC 8785).

    Not of the folder: the same files give the same digest wherever they lie.
    """
    named = [[name.rpartition("/")[2], text] for name, text in texts.items()]
    content = {"entities": entities, "policies": named, "schema": _schema_text()}
    return f"sha256:{sha256(canonicalize(msgspec.json.encode(content))).hexdigest()}"


def _whole(texts: Mapping[str, str], message: str) -> Fault:
    return Fault(source=", ".join(texts) or "policies", message=message)


def _rules(stated: list[Statement], faults: list[Fault]) -> list[Rule]:
    """Each statement parsed by itself, so that one mistake does not hide the others."""
    from cedarpy import policies_to_pst

    found: list[Rule] = []
    places: dict[str, str] = {}
    for one in stated:
        try:
            parsed = policies_to_pst(one.text)
        except ValueError as error:
            faults.append(_syntax(one, str(error)))
            continue
        if parsed.templates:
            at = one.find("?principal") or one.find("?")
            step = "Write the party out: slots are filled by nothing here."
            faults.append(one.fault("a template is no policy", step, at))
            continue
        node = parsed.static_policies["policy0"]
        rule = Rule(node.annotations.get("id") or f"{one.source}:{one.place[0]}", one, node)
        if rule.id in places:
            message = f"the id {rule.id!r} is taken by {places[rule.id]}"
            faults.append(one.fault(message, "Give each policy an @id of its own."))
        if rule.obligations and not rule.is_permit:
            message = "an obligation on a forbid can never fall due"
            faults.append(one.fault(message, "Put it on the permit.", one.find("obligation")))
        places[rule.id] = rule.place
        found.append(rule)
    return found


def _syntax(one: Statement, message: str) -> Fault:
    """Cedar tells no place: the word it names does, else the policy's end or beginning."""
    named = re.search(r"`([^`]+)`|: (\w+)$", message)
    word = (named[1] or named[2]) if named else ""
    at = one.find(word) if word else 0
    if "end of input" in message:
        at = len(one.text)
    step = nearest(word, ("principal", "action", "resource")) if "scope" in message else ""
    return one.fault(f"not a policy: {message}", step, at)


def _invalid(joined: str, rules: list[Rule]) -> list[Fault]:
    """What Cedar's validator says, once for each place."""
    from cedarpy import validate_policies

    found: dict[Fault, None] = {}
    guilty: set[str] = set()
    for error in validate_policies(joined, schema()).errors:
        message = re.sub(r"^for policy `\w+`, ", "", error.error)
        message = re.sub(r' for Action::"\w+"', "", message)
        if "unable to find an applicable action" in message and error.policy_id in guilty:
            continue
        guilty.add(error.policy_id)
        one = rules[int(error.policy_id.removeprefix("policy"))].statement
        found[one.fault(message, *_correction(one, message))] = None
    return list(found)


def _correction(one: Statement, message: str) -> tuple[str, int]:
    """(next step, offset) for what the validator found."""
    optional = re.search(r"optional attribute `(\w+)`", message)
    if optional:
        holder = "context" if "in context" in message else "…"
        return f"Ask first: `{holder} has {optional[1]} && …`.", one.find(optional[1])
    attribute = re.search(r"attribute `(\w+)` (?:in context|on entity type `(\w+)`)", message)
    if attribute:
        kind = attribute[2] or "context"
        return nearest(attribute[1], attributes(kind)), one.find(attribute[1])
    action = re.search(r'unrecognized action `Action::"(.*?)"`', message)
    if action:
        return nearest(action[1], ACTIONS), one.find(action[1])
    kind = re.search(r"unrecognized entity type `(\w+)`", message)
    if kind:
        return nearest(kind[1], (*DECLARED_TYPES, "Pool")), one.find(kind[1])
    return "", 0


def _remarks(rules: list[Rule], known: Declared) -> list[Fault]:
    """What is allowed but was hardly meant."""
    from cedarpy.pst import entity_uids

    found: list[Fault] = []
    for rule in rules:
        one = rule.statement
        if not rule.note("id"):
            found.append(one.fault("no @id: records will call it by its line", '@id("…")'))
        for uid in sorted(entity_uids(rule.node), key=str):
            kind = str(uid.type)
            if kind in _GROUPS and (kind, uid.id) not in known.parents:
                names = tuple(name for of, name in known.parents if of == kind)
                step = nearest(uid.id, names[:50]) or "Declare it among the entities."
                message = f"{uid} is not declared: nothing lies in it"
                found.append(one.fault(message, step, one.find(uid.id)))
    return found
