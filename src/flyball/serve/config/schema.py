"""What is the JSON Schema of a fleet file, and which part of it speaks about a given key?"""

import json
from functools import cache
from typing import Any

import msgspec

from flyball.serve.config.model import FleetFile

SCHEMA_ID = "flyball.v1.json"
Node = dict[str, Any]


@cache
def schema() -> Node:
    """JSON Schema (draft 2020-12) of `FleetFile`, with room for `x-…` keys that hold anchors."""
    made = msgspec.json.schema(FleetFile)
    made["$defs"]["FleetFile"]["patternProperties"] = {"^x-": {}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Fleet file of a Flyball gateway, version v1",
        **made,
    }


def schema_text() -> str:
    """The published form: indented JSON with a line feed at its end."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def alternatives(node: Node) -> list[Node]:
    """The plain nodes that a node stands for: `$ref` followed, `anyOf` opened."""
    if "$ref" in node:
        return alternatives(schema()["$defs"][node["$ref"].rsplit("/", 1)[1]])
    if "anyOf" in node:
        return [plain for branch in node["anyOf"] for plain in alternatives(branch)]
    return [node]


def root() -> list[Node]:
    """The plain nodes of the whole file."""
    return alternatives({"$ref": schema()["$ref"]})


def step(nodes: list[Node], key: str | int) -> list[Node]:
    """The plain nodes one key (or list index) below `nodes`; [] = nothing may stand there."""
    found: list[Node] = []
    for node in nodes:
        if isinstance(key, int):
            below = node.get("items")
        else:
            below = node.get("properties", {}).get(key) or node.get("additionalProperties")
        if isinstance(below, dict):
            found += alternatives(below)
    return found


def keys_known(nodes: list[Node]) -> list[str]:
    """The fixed keys that may stand in a mapping."""
    return [key for node in nodes for key in node.get("properties", {})]
