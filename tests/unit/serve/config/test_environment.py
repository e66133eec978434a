"""Do the environment's overrides and references reach the right keys, and only those?"""

from typing import Any

import pytest

from flyball.serve.config.environment import expand, override
from flyball.serve.config.text import Document, parse

TEXT = """
listen: {port: 1}
pools: {edge-l4.a: {models: [m], endpoints: ['http://a', {url: 'http://b'}]}}
sites: {}
"""


def overridden(**env: str) -> Document:
    document = parse(TEXT, "f")
    override(document, env)
    return document


@pytest.mark.parametrize(
    ("name", "text", "path", "value"),
    [
        ("FLYBALL__LISTEN__PORT", "9000", ("listen", "port"), 9000),
        ("FLYBALL__LISTEN__HOST", "0", ("listen", "host"), "0"),
        ("FLYBALL__MODE", "observe", ("mode",), "observe"),
        (
            "FLYBALL__POOLS__EDGE_L4_A__MODELS",
            "[x, y]",
            ("pools", "edge-l4.a", "models"),
            ["x", "y"],
        ),
        ("FLYBALL__POOLS__EDGE_L4_A__MODELS__0", "NO", ("pools", "edge-l4.a", "models", 0), "NO"),
        (
            "FLYBALL__POOLS__EDGE_L4_A__ENDPOINTS__1__URL",
            "http://c",
            ("pools", "edge-l4.a", "endpoints", 1, "url"),
            "http://c",
        ),
        ("FLYBALL__SITES__NEW__JURISDICTION", "NO", ("sites", "new", "jurisdiction"), "NO"),
        ("FLYBALL__LEDGER__ON_FAULT", "continue", ("ledger", "on_fault"), "continue"),
    ],
)
def test_an_override_sets_the_key(name: str, text: str, path: tuple[Any, ...], value: Any) -> None:
    document = overridden(**{name: text})
    found = document.data
    for key in path:
        found = found[key]
    assert (found, document.errors) == (value, [])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("FLYBALL__LISTN__PORT", "Did you mean 'listen'?"),
        ("FLYBALL__LISTEN__PROT", "Did you mean 'port'?"),
        ("FLYBALL__LISTEN__PORT__X", "Keys there"),
        ("FLYBALL__POOLS__EDGE_L4_A__MODELS__7", "Keys there"),
        ("FLYBALL__", "Keys there"),
    ],
)
def test_an_override_of_nothing_is_a_fault_of_the_variable(name: str, hint: str) -> None:
    (error,) = overridden(**{name: "1"}).errors
    assert error.place == name
    assert hint in error.next_step


def test_a_fault_of_an_overridden_value_names_the_variable() -> None:
    document = overridden(FLYBALL__LISTEN__PORT="x")
    document.fault(("listen", "port"), "m", "n")
    assert document.errors[0].place == "FLYBALL__LISTEN__PORT"


def expanded(text: str, **env: str) -> Document:
    document = parse(text, "f")
    expand(document, env)
    return document


def test_references_are_replaced_where_the_key_allows_it() -> None:
    text = "ledger: {folder: '${A}/x-${B:-b}'}\n"
    assert expanded(text, A="/a").data["ledger"]["folder"] == "/a/x-b"


def test_a_reference_elsewhere_is_a_fault_that_names_the_override() -> None:
    (error,) = expanded("sites: {a: {jurisdiction: '${A}'}}\n", A="NO").errors
    assert "not replaced" in error.message
    assert "FLYBALL__SITES__A__JURISDICTION=value" in error.next_step


def test_an_unset_variable_is_a_fault_or_a_warning() -> None:
    document = expanded("ledger: {folder: '${A}'}\n")
    assert document.is_bad
    assert document.errors[0].line == 1
    document = parse("ledger: {folder: '${A}'}\n", "f")
    expand(document, {}, is_lenient=True)
    assert [error.severity for error in document.errors] == ["warning"]


def test_an_open_reference_is_a_fault() -> None:
    assert "not closed" in expanded("ledger: {folder: '${A'}\n", A="x").errors[0].message


def test_anchors_are_left_alone() -> None:
    assert expanded("x-a: '${A}'\n").errors == []


def test_the_environment_can_not_be_expanded_twice() -> None:
    data = expanded("ledger: {folder: '${A}'}\n", A="${B}", B="no").data
    assert data["ledger"]["folder"] == "${B}"
