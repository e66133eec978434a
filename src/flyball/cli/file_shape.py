"""Has each key of a described file the right name, kind and size? (For scenarios and plans.)"""

from pathlib import Path
from typing import Any

import click
from jsonschema import Draft202012Validator, ValidationError

from flyball.serve.config.errors import did_you_mean, listed
from flyball.serve.config.text import Document, parse


class CannotUse(click.ClickException):
    """A file that cannot be used: the message names each place and the next step."""

    exit_code = 2


def read(path: str) -> Document:
    """The file's data with the place of each value. CannotUse if it is not there or not text."""
    try:
        text = Path(path).read_text("utf-8")
    except OSError as error:
        raise CannotUse(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise CannotUse(f"{path}: the file is not UTF-8; save it as UTF-8 text") from None
    return parse(text, path)


def raise_if_bad(document: Document) -> None:
    """CannotUse with every fault noted, each with file:line:column."""
    if document.is_bad:
        raise CannotUse("\n".join(str(error) for error in sorted(document.errors)))


def check_shape(document: Document, schema: dict[str, Any], hint: str) -> None:
    """Note every fault of shape: unknown and missing keys, wrong kinds, values out of bounds.

    `hint` = the next step where the schema has no better one.
    """
    for error in Draft202012Validator(schema).iter_errors(document.data):
        for found in _leaves(error):
            _note(document, found, hint)


def _leaves(error: ValidationError) -> list[ValidationError]:
    """The findings behind an `anyOf`, without those that only say "not nothing"."""
    if error.validator != "anyOf" or not error.context:
        return [error]
    inner = [one for one in error.context if one.validator_value != "null"]
    return [leaf for one in inner for leaf in _leaves(one)]


def _note(document: Document, error: ValidationError, hint: str) -> None:
    path = tuple(error.absolute_path)
    given: Any = error.instance
    node: Any = error.schema
    if error.validator == "additionalProperties":
        known = list(node.get("properties", {}))
        for key in given:
            if key not in known:
                step = f"{did_you_mean(key, known)}Keys here: {listed(known, most=30)}."
                document.fault((*path, key), f"unknown key {key!r}", step, at="key")
    elif error.validator == "enum":
        words = [str(word) for word in node["enum"]]
        step = f"{did_you_mean(str(given), words)}Use one of {listed(words)}."
        document.fault(path, f"{given!r} is not known here", step)
    else:
        about = node.get("description", "") if error.validator != "required" else ""
        document.fault(path, error.message[:200], about or hint)
