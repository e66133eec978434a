"""Does the plan file's schema know every key, with its meaning?"""

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from flyball.cli.plan_shape import schema


def keys(node: Any) -> Iterator[tuple[str, Any]]:
    for section in node["$defs"].values():
        yield from section["properties"].items()


def test_it_is_a_schema_and_every_key_says_what_it_means() -> None:
    made = schema()
    Draft202012Validator.check_schema(made)
    found = dict(keys(made))
    assert {"origins", "rtt_ms", "served_min", "owned", "rent", "rate", "sd"} <= set(found)
    silent = [key for key, node in found.items() if "description" not in node]
    assert silent == []
    assert all(not section["additionalProperties"] for section in made["$defs"].values())
