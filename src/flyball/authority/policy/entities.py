"""What does a policy set declare: which jurisdictions lie in which, which models in which family?

The form is Cedar's JSON for entities (docs.cedarpolicy.com/auth/entities-syntax.html): a list of
`{"uid": {"type", "id"}, "attrs": {}, "parents": [{"type", "id"}]}`; `attrs` and `parents` may be
left out. Pools are not declared: they come from the fleet.
"""

import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from flyball.authority.policy.schema import DECLARED_TYPES, attributes, nearest
from flyball.authority.policy.source import Fault, line_and_col

ENTITIES_MAX = 100_000
_PARENT_OF = {"Jurisdiction": "Jurisdiction", "Model": "ModelFamily", "ModelFamily": "ModelFamily"}
_DECODER = json.JSONDecoder()

Uid = tuple[str, str]


class Declared(Struct, frozen=True):
    """Entities by (type, id): their attributes and their parents."""

    attrs: dict[Uid, dict[str, Any]]
    parents: dict[Uid, tuple[Uid, ...]]

    def cedar_json(self) -> str:
        """What Cedar reads."""
        return json.dumps(
            [
                {
                    "uid": {"type": uid[0], "id": uid[1]},
                    "attrs": self.attrs[uid],
                    "parents": [{"type": kind, "id": name} for kind, name in above],
                }
                for uid, above in self.parents.items()
            ]
        )

    def above(self, uid: Uid) -> frozenset[Uid]:
        """All that an entity lies in, itself apart."""
        found: set[Uid] = set()
        waiting = list(self.parents.get(uid, ()))
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += self.parents.get(one, ())
        return frozenset(found)


def declared(source: str, text: str) -> tuple[Declared, list[Fault]]:
    """The entities of a JSON text, and what is wrong with it."""
    found = Declared({}, {})
    faults: list[Fault] = []

    def fault(offset: int, message: str, next_step: str = "") -> None:
        line, col = line_and_col(text, offset)
        faults.append(
            Fault(source=source, line=line, col=col, message=message, next_step=next_step)
        )

    places: dict[Uid, int] = {}
    try:
        for offset, item in _items(text):
            try:
                uid, attrs, parents = _entity(item)
            except _Wrong as wrong:
                fault(offset, *wrong.args)
                continue
            if uid in places:
                fault(offset, f"{_named(uid)} is declared twice", "Keep one of them.")
            places[uid] = offset
            found.attrs[uid], found.parents[uid] = attrs, parents
    except json.JSONDecodeError as error:
        fault(error.pos, f"not JSON: {error.msg}", "Write a JSON list of entities.")
    except RecursionError:
        fault(0, "nested too deeply", "Write a JSON list of entities.")
    for uid, parents in found.parents.items():
        for parent in parents:
            if parent not in found.parents:
                known = tuple(name for kind, name in found.parents if kind == parent[0])
                step = nearest(parent[1], known[:50]) or "Declare it too."
                fault(places[uid], f"{_named(uid)} is in {_named(parent)}, not declared", step)
        if uid in found.above(uid):
            fault(places[uid], f"{_named(uid)} lies in itself", "Take one of its parents away.")
    return found, faults


class _Wrong(Exception):
    """(message, next step) of one entity."""


def _items(text: str) -> Iterator[tuple[int, Any]]:
    """Each element of a JSON list, with its offset."""
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        raise json.JSONDecodeError("a list was expected", text, at)
    at = _skip(text, at + 1)
    count = 0
    while text[at : at + 1] != "]":
        item, end = _DECODER.raw_decode(text, at)
        count += 1
        if count > ENTITIES_MAX:
            raise json.JSONDecodeError(f"more than {ENTITIES_MAX} entities", text, at)
        yield at, item
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise json.JSONDecodeError("a comma or ] was expected", text, at)
    if _skip(text, at + 1) != len(text):
        raise json.JSONDecodeError("something stands after the list", text, at + 1)


def _skip(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _entity(item: Any) -> tuple[Uid, dict[str, Any], tuple[Uid, ...]]:
    if not isinstance(item, dict) or not set(item) <= {"uid", "attrs", "parents"}:
        raise _Wrong("not an entity", "It has the keys uid, attrs and parents.")
    uid = _uid(item.get("uid"))
    if uid[0] not in DECLARED_TYPES:
        step = "Pools come from the fleet. " if uid[0] == "Pool" else ""
        raise _Wrong(f"{uid[0]!r} is no type of entity", step + nearest(uid[0], DECLARED_TYPES))
    attrs, above = item.get("attrs", {}), item.get("parents", [])
    if not isinstance(attrs, dict) or not isinstance(above, list):
        raise _Wrong("attrs is an object and parents a list")
    for name in attrs:
        if name not in attributes(uid[0]):
            step = nearest(name, attributes(uid[0])) or f"A {uid[0]} has none."
            raise _Wrong(f"{name!r} is no attribute of a {uid[0]}", step)
    parents = tuple(_uid(parent) for parent in above)
    wanted = _PARENT_OF.get(uid[0], "Role")
    for parent in parents:
        if parent[0] != wanted:
            raise _Wrong(f"a {uid[0]} lies in a {wanted}, not in a {parent[0]}")
    return uid, attrs, parents


def _uid(value: Any) -> Uid:
    if isinstance(value, dict) and set(value) == {"__entity"}:
        value = value["__entity"]
    if (
        isinstance(value, dict)
        and set(value) == {"type", "id"}
        and all(isinstance(part, str) for part in value.values())
    ):
        return value["type"], value["id"]
    raise _Wrong(f"not the id of an entity: {str(value)[:60]}", 'Write {"type": "…", "id": "…"}.')


def _named(uid: Uid) -> str:
    return f'{uid[0]}::"{uid[1]}"'
