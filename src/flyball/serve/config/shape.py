"""Has each key the right name, kind and size? (JSON Schema's findings, in plain words.)"""

import re
from collections.abc import Iterable
from typing import Any, cast

from jsonschema import Draft202012Validator, ValidationError

from flyball.serve.config.authority import NUMBER
from flyball.serve.config.errors import did_you_mean, listed
from flyball.serve.config.model import ENV_NAME, NAME, PLACE, SHA256
from flyball.serve.config.oversight import ACT, KEY
from flyball.serve.config.schema import Node, alternatives, schema
from flyball.serve.config.text import Document, Path, spelled

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}
_PATTERNS = {
    NAME: "letters, digits, `.`, `_` and `-`, at most 63, beginning with a letter or a digit",
    PLACE: "letters, digits and `-`, at most 32: EU, NO, US-CA",
    NUMBER: "a number of at most 9 digits",
    ENV_NAME: "the name of an environment variable (letters, digits, `_`), not its value",
    KEY: "a public key as `flyball people new-key` prints it: ed25519:...",
    ACT: "stop, resume, override or revoke, and a scope if it is only that: `stop all`",
    SHA256: "64 hexadecimal digits: printf %s KEY | sha256sum",
}
_NUMBER_WITH_UNIT = re.compile(r"^\s*[+-]?[0-9][0-9_.,]*\s*[A-Za-zµ%/$]+\s*$")


def check_shape(document: Document) -> None:
    """Note every fault of shape: unknown and missing keys, wrong kinds, values out of bounds.

    A value that has a fault already (it could not be read) gets no second one.
    """
    unread = {error.path for error in document.errors}
    for error in Draft202012Validator(schema()).iter_errors(document.data):
        for found in _leaves(error):
            if spelled(tuple(found.absolute_path)) not in unread:
                _note(document, found)


def _leaves(error: ValidationError) -> Iterable[ValidationError]:
    """The findings behind an `anyOf`: those of the branch whose kind fits, if any."""
    if error.validator != "anyOf" or not error.context:
        return [error]
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    fitting = [
        found
        for found in branches.values()
        if not any(one.validator == "type" and not one.path for one in found)
    ]
    if not fitting:
        return [error]
    return [leaf for one in fitting[0] for leaf in _leaves(one)]


def _note(document: Document, error: ValidationError) -> None:
    path: Path = tuple(error.absolute_path)
    value = error.instance
    match error.validator:
        case "additionalProperties":
            _unknown_keys(document, path, error)
        case "required":
            _missing_key(document, path, error)
        case "type" | "anyOf":
            _wrong_kind(document, path, error)
        case "enum":
            allowed: Any = error.validator_value
            words = [str(word) for word in allowed]
            document.fault(
                path,
                f"{shown(path, value)} is not known here",
                f"{did_you_mean(str(value), words)}Use one of {listed(words)}.",
            )
        case "pattern":
            _wrong_pattern(document, path, error)
        case "minItems" | "minProperties" | "minLength":
            document.fault(path, "is empty", "Give at least one entry, or delete the key.")
        case "maxLength" | "maxItems" | "maxProperties":
            document.fault(path, f"is longer than {error.validator_value}", "Use a shorter value.")
        case _:
            _out_of_bounds(document, path, error)


def _unknown_keys(document: Document, path: Path, error: ValidationError) -> None:
    given: Any = error.instance
    known = list(cast(Node, error.schema).get("properties", {}))
    for key in given:
        if key in known or (not path and key.startswith("x-")):
            continue
        document.fault(
            (*path, key),
            f"unknown key {key!r}",
            f"{did_you_mean(key, known)}Keys here: {listed(known, most=30)}.",
            at="key",
        )


def _missing_key(document: Document, path: Path, error: ValidationError) -> None:
    given: Any = error.instance
    required: Any = error.validator_value
    for key in required:
        if key in given or not error.message.startswith(repr(key)):
            continue
        about = cast(Node, error.schema)["properties"][key].get("description", "")
        document.fault(path, f"{key!r} is missing", f"Add `{key}:` here. {about}".strip(), at="key")


def _wrong_kind(document: Document, path: Path, error: ValidationError) -> None:
    plain = alternatives(cast(Node, error.schema))
    kinds = [node.get("type", "string") for node in plain if node.get("type") != "null"]
    wanted = " or ".join(dict.fromkeys(_KINDS[kind] for kind in kinds))
    value = error.instance
    found = "nothing" if value is None else f"{_KINDS[_kind(value)]}, {shown(path, value)}"
    if value is None:
        next_step = "Give it a value, or delete the key."
    elif "string" in kinds and _kind(value) in ("integer", "number", "boolean"):
        next_step = "Write it in quotes."
    elif isinstance(value, str) and _NUMBER_WITH_UNIT.match(value):
        next_step = "Write the number alone: the unit is part of the key."
    else:
        next_step = f"Give {wanted}."
    document.fault(path, f"expected {wanted}, found {found}", next_step)


def _wrong_pattern(document: Document, path: Path, error: ValidationError) -> None:
    meaning = _PATTERNS[str(error.validator_value)]
    is_name = "propertyNames" in error.absolute_schema_path
    place = (*path, str(error.instance)) if is_name else path
    what = "the name" if is_name else "the value"
    document.fault(
        place,
        f"{what} {shown(place, error.instance)} has a form that is not allowed",
        f"Use {meaning}.",
        at="key" if is_name else "value",
    )


def _out_of_bounds(document: Document, path: Path, error: ValidationError) -> None:
    words = {
        "minimum": "at least",
        "maximum": "at most",
        "exclusiveMinimum": "more than",
        "exclusiveMaximum": "less than",
    }
    bound = words.get(str(error.validator))
    if bound is None:
        document.fault(path, error.message, "See the reference of this key.")
        return
    document.fault(
        path,
        f"{shown(path, error.instance)} is out of bounds",
        f"Give {bound} {error.validator_value}.",
    )


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    for kind, python in (("integer", int), ("number", float), ("string", str), ("array", list)):
        if isinstance(value, python):
            return kind
    return "object"


def shown(path: Path, value: Any) -> str:
    """A value as it may be printed: short, and never a secret."""
    if path and path[-1] == "key" and path[0] == "principals":
        return "(not shown)"
    if isinstance(value, dict | list):
        return f"with {len(value)} entries"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]}…{text[-1]}"
