"""Does policy come to what Cedar's integration tests expect?

The layout is cedar-policy/cedar-integration-tests': JSON files with the names of a policy file, an
entities file and a schema file (from the repository's root), `shouldValidate`, and `requests` (once
`queries`), each with `decision`, `reason` and `errors`. Each request is judged twice: by Cedar as a
whole, and by its policies' conditions taken apart, as the mask over pools is made.
"""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from flyball.authority.policy.facts import All, Leaf, condition
from flyball.authority.policy.leaf import ERRS, HOLDS, outcome, outcomes, probe

if TYPE_CHECKING:
    from cedarpy import Entities, PolicySet, Schema


class Case(Struct, frozen=True):
    """One judged case: where it stands, and what is wrong ("" = it passed)."""

    name: str
    problem: str = ""


class Folder(Protocol):
    """The files of a folder: paths with slashes, their bytes, and those that are JSON."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Sorted."""
        ...

    @property
    def read(self) -> Callable[[str], bytes]:
        """Of a path."""
        ...

    def documents(self) -> Iterator[tuple[str, Any]]:
        """Each JSON file with what it holds, or the error."""
        ...


class _World(Struct, frozen=True, eq=False):
    """What the requests of one file are asked of; `parts` = () where they nest too deeply."""

    policies: "PolicySet"
    entities: "Entities"
    schema: "Schema"
    parts: tuple[tuple[str, bool, All], ...]
    probes: dict[int, "PolicySet"]


def cedar_cases(folder: Folder) -> Iterator[Case]:
    """A case for each file's validation, and one for each of its requests."""
    for path, document in folder.documents():
        if not isinstance(document, dict) or not {"policies", "entities", "schema"} <= set(
            document
        ):
            continue
        try:
            texts = {
                key: folder.read(_found(folder, path, document[key])).decode()
                for key in ("policies", "entities", "schema")
            }
            world = _world(document, texts)
        except (LookupError, ValueError) as error:
            yield Case(path, f"cannot be read: {error}")
            continue
        yield _validation(path, document, texts, world)
        asked = document.get("requests", document.get("queries", []))
        for number, request in enumerate(asked):
            name = f"{path}: request {number}"
            if "description" in request:
                name += f" ({request['description']})"
            yield Case(name, _problem(world, request))


def _found(folder: Folder, path: str, name: str) -> str:
    """The file of that name: from the root, beside the test, or wherever its like lies."""
    beside = f"{path.rpartition('/')[0]}/{name.rpartition('/')[2]}".lstrip("/")
    for one in (name, beside):
        if one in folder.paths:
            return one
    tail = name.rpartition("/")[2]
    for one in folder.paths:
        if one.endswith(f"/{name}") or one.rpartition("/")[2] == tail:
            return one
    raise LookupError(f"the file {name} is not there")


def _world(document: dict[str, Any], texts: dict[str, str]) -> _World:
    from cedarpy import Entities, PolicySet, Schema

    is_json = document.get("schemaFormat") == "json"
    schema = (Schema.from_json_str if is_json else Schema.from_str)(texts["schema"])
    of_json = document.get("policyFormat") == "json"
    policies = (PolicySet.from_json_str if of_json else PolicySet.from_str)(texts["policies"])
    entities = Entities.from_json_str(texts["entities"], schema)
    try:
        nodes = policies.to_pst().static_policies.items()
    except ValueError:  # nested deeper than the syntax tree goes: judged as a whole only
        nodes = ()
    parts = tuple((name, node.effect == "permit", condition(node)) for name, node in nodes)
    return _World(policies, entities, schema, parts, {})


def _validation(path: str, document: dict[str, Any], texts: dict[str, str], world: _World) -> Case:
    from cedarpy import policies_from_json_str, validate_policies

    text = texts["policies"]
    if document.get("policyFormat") == "json":
        text = policies_from_json_str(text)
    wanted = document.get("shouldValidate", document.get("should_validate"))
    found = validate_policies(text, world.schema)
    name = f"{path}: validation"
    if wanted is None or found.validation_passed == wanted:
        return Case(name)
    why = f": {found.errors[0]}" if found.errors else ""
    return Case(name, f"{'should' if wanted else 'should not'} validate{why}")


def _problem(world: _World, request: dict[str, Any]) -> str:
    """What is wrong with the answers to one request; "" = nothing."""
    from cedarpy import is_authorized

    missing = [key for key in ("principal", "action", "resource") if not request.get(key)]
    if missing:
        return f"a request without a {missing[0]} cannot be asked"
    asked = {key: request[key] for key in ("principal", "action", "resource")}
    asked["context"] = request.get("context", {})
    schema = world.schema if request.get("validateRequest", True) else None
    found = is_authorized(asked, world.policies, world.entities, schema)
    errors = {_policy_of(text) for text in found.diagnostics.errors}
    given = (found.decision.value.lower(), set(found.diagnostics.reasons), errors)
    wanted = (
        request["decision"].lower(),
        set(request.get("reason", request.get("reasons", []))),
        set(request.get("errors", [])),
    )
    if given != wanted:
        return f"it is {_shown(given)}, not {_shown(wanted)}"
    apart = _taken_apart(world, asked, schema)
    if world.parts and apart != wanted:
        return f"taken apart it is {_shown(apart)}, not {_shown(wanted)}"
    return ""


def _policy_of(error: str) -> str:
    """The policy that an error of evaluation names, else the whole error."""
    found = re.search(r"while evaluating policy `([^`]+)`", error)
    return found[1] if found else error


def _taken_apart(
    world: _World, asked: dict[str, Any], schema: "Schema | None"
) -> tuple[str, set[str], set[str]]:
    """Decision, determining policies and those that err, by the conditions' leaves."""

    def of_leaf(leaf: Leaf) -> int:
        policy = world.probes.get(id(leaf))
        if policy is None:
            policy = world.probes[id(leaf)] = probe(leaf)
        return outcome(policy, world.entities, asked, schema)

    permits, forbids, errs = set[str](), set[str](), set[str]()
    for name, is_permit, whole in world.parts:
        found = outcomes(whole, of_leaf)
        if found == ERRS:
            errs.add(name)
        elif found == HOLDS:
            (permits if is_permit else forbids).add(name)
    allowed = bool(permits) and not forbids
    return "allow" if allowed else "deny", permits if allowed else forbids, errs


def _shown(answer: tuple[str, set[str], set[str]]) -> str:
    decision, reasons, errors = answer
    text = f"{decision} by {', '.join(sorted(reasons)) or 'no policy'}"
    return f"{text}, errors in {', '.join(sorted(errors))}" if errors else text
