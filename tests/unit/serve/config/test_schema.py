"""Is the published schema the one in force, and can a key's part of it be found?"""

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from flyball.serve.config.model import ENV_MARK
from flyball.serve.config.schema import keys_known, root, schema, schema_text, step

PUBLISHED = Path(__file__).parents[4] / "schema" / "flyball.v1.json"


def test_the_published_schema_is_the_one_in_force() -> None:
    assert PUBLISHED.read_text() == schema_text(), "run: make docs"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())
    assert json.loads(schema_text())["$id"] == "flyball.v1.json"


def test_anchors_may_stand_under_x_keys() -> None:
    found = [e.message for e in Draft202012Validator(schema()).iter_errors({"x-a": 1, "y": 1})]
    assert not any("x-a" in message for message in found)
    assert any("'y'" in message for message in found)


def test_steps_lead_through_names_references_and_alternatives() -> None:
    nodes = root()
    for key in ("pools", "any-name", "endpoints", 0, "url"):
        nodes = step(nodes, key)
    assert [node[ENV_MARK] for node in nodes] == [True]
    assert step(root(), "nothing") == []
    assert step(root(), 0) == []


def test_known_keys_are_those_of_the_section() -> None:
    assert keys_known(step(root(), "listen")) == ["host", "port", "workers", "tls"]
