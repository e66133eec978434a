"""What can a block of a mandate say, and what do several of them allow together?

A block limits by checks of fixed forms, so that any Biscuit verifier enforces them and this one can
read them: a statement in any other form is refused, since a limit that is not understood would not
be enforced. `check all` holds if every value offered is allowed, `()` and None = not limited.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct

from flyball.authority.mandates.refusals import MandateError
from flyball.model.mandate import MicroUsd
from flyball.units import Seconds

Maker = Literal["authority", "holder", "approver"]
NUMBER_MAX = 2**62
JURISDICTION_DEPTH_MAX = 16
# Limits that are sets of names, and the predicate that stands for each in Datalog.
SETS = {
    "operations": "operation", "models": "model", "classes": "class",
    "data_classes": "data_class", "jurisdictions": "jurisdiction",
}  # fmt: skip
CEILINGS = {"budget_micro_usd": "spend", "hops": "hops", "autonomy": "autonomy"}
# Who may state which facts, and of how many strings (a date besides, where `DATED`).
FACTS: dict[Maker, dict[str, int]] = {
    "authority": {
        "human": 2, "session": 1, "tenant": 1, "acr": 1, "amr": 1, "granted": 0, "holder": 1,
    },
    "holder": {"delegate": 2},
    "approver": {"approved": 3},
}  # fmt: skip
DATED = ("granted", "approved")
NAME = re.compile(r"[^\"\\\x00-\x1f\x7f\ud800-\udfff]{0,200}")

_STRING = r'"([^"\\\x00-\x1f\x7f]{0,200})"'
_STRINGS = re.compile(_STRING)
_SET = r'\{((?:"[^"\\\x00-\x1f\x7f]{0,200}"(?:, )?)+)\}'
_DATE = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"
_ALLOWS = re.compile(rf"check all (\w+)\(\$x\), {_SET}\.contains\(\$x\)")
_PLACES = re.compile(
    rf"check all jurisdiction\(\$x, \$in\), \$in\.intersection\({_SET}\)\.length\(\) > 0"
)
_CEILING = re.compile(r"check all (\w+)\(\$x\), \$x <= (\d{1,19})")
_EXPIRY = re.compile(rf"check if time\(\$x\), \$x <= {_DATE}")
_POLICY = re.compile(rf"check all policy\(\$x\), \$x == {_STRING}")
_FACT = re.compile(rf"(\w+)\(((?:{_STRING}(?:, )?)*)(?:{_DATE})?\)")
_UNLIMITED = ((), None, "")
_FIELD_OF = {predicate: field for field, predicate in (SETS | CEILINGS).items()}


class Limits(Struct, frozen=True, kw_only=True):
    """What one block allows, or several together. `hops` = delegations in the whole chain."""

    operations: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    data_classes: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()
    budget_micro_usd: MicroUsd | None = None
    hops: int | None = None
    autonomy: int | None = None
    policy_digest: str = ""
    expires_at: Seconds | None = None


class Fact(Struct, frozen=True):
    """One fact: its strings, and its time (Unix s; 0 = it has none)."""

    name: str
    strings: tuple[str, ...] = ()
    at: Seconds = 0.0


class Block(Struct, frozen=True):
    """What stands in one block."""

    limits: Limits
    facts: tuple[Fact, ...]


class Jurisdictions:
    """A tree of jurisdictions: what is allowed in the EU is allowed in DE, if `DE: EU` is told."""

    def __init__(self, parents: Mapping[str, str]) -> None:
        self._parents = dict(parents)

    def around(self, place: str) -> frozenset[str]:
        """The place itself and all that it lies in."""
        found = [place]
        while (parent := self._parents.get(found[-1])) and len(found) < JURISDICTION_DEPTH_MAX:
            found.append(parent)
        return frozenset(found)

    def meet(self, one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
        """Places that both allow, each as the smaller of the two says it."""
        inside = [a for a in one if self.around(a) & set(other)]
        return tuple(sorted({*inside, *(b for b in other if self.around(b) & set(one))}))


_NO_TREE = Jurisdictions({})


def source_of(block: Block) -> tuple[str, dict[str, Any]]:
    """(Datalog, its parameters) of a block. Raises MandateError for a name that has no place in it.

    Values go in as parameters, never as text: no name can add a statement.
    """
    lines: list[str] = []
    values: dict[str, Any] = {}

    def term(value: Any) -> str:
        for name in [value] if isinstance(value, str) else value if isinstance(value, set) else ():
            check_name(name)
        values[f"p{len(values)}"] = value
        return f"{{p{len(values) - 1}}}"

    for fact in block.facts:
        terms = [term(text) for text in fact.strings]
        terms += [term(_date(fact.at))] if fact.name in DATED else []
        lines.append(f"{fact.name}({', '.join(terms)});")
    for field, predicate in SETS.items():
        names = set(getattr(block.limits, field))
        if names and field == "jurisdictions":
            overlap = f"$in.intersection({term(names)}).length() > 0"
            lines.append(f"check all {predicate}($x, $in), {overlap};")
        elif names:
            lines.append(f"check all {predicate}($x), {term(names)}.contains($x);")
    for field, predicate in CEILINGS.items():
        if (ceiling := getattr(block.limits, field)) is not None:
            _check_number(field, ceiling)
            lines.append(f"check all {predicate}($x), $x <= {term(int(ceiling))};")
    if block.limits.policy_digest:
        lines.append(f"check all policy($x), $x == {term(block.limits.policy_digest)};")
    if block.limits.expires_at is not None:
        lines.append(f"check if time($x), $x <= {term(_date(block.limits.expires_at))};")
    return "\n".join(lines), values


def read(source: str, maker: Maker, place: int) -> Block:
    """A block from its Datalog as the library prints it; `place` = its number, for errors."""
    stated: dict[str, Any] = {}
    facts: list[Fact] = []
    for line in source.split("\n"):
        if not line:
            continue
        statement = line.removesuffix(";")
        limit = _limit(statement) if len(statement) < len(line) else None
        fact = _fact(statement, maker) if limit is None else None
        if limit is not None:
            _narrow(stated, *limit, _NO_TREE, place)
        elif fact is not None:
            facts.append(fact)
        else:
            raise MandateError(
                "mandate_unreadable",
                f"block {place} states what no mandate states here; make it with "
                "`flyball mandate attenuate`, or leave that statement out",
            )
    return Block(Limits(**stated), tuple(facts))


def meet(all_limits: Iterable[Limits], jurisdictions: Jurisdictions) -> Limits:
    """What all allow. Raises MandateError (mandate_empty) if that is nothing."""
    met: dict[str, Any] = {}
    for place, limits in enumerate(all_limits):
        for field in Limits.__struct_fields__:
            if (value := getattr(limits, field)) not in _UNLIMITED:
                _narrow(met, field, value, jurisdictions, place)
    return Limits(**met)


def _narrow(
    met: dict[str, Any], field: str, value: Any, jurisdictions: Jurisdictions, place: int
) -> None:
    """Take one more limit into what is met so far."""
    before = met.get(field)
    if before is None:
        met[field] = tuple(sorted(set(value))) if field in SETS else value
    elif field == "policy_digest":
        if before != value:
            raise MandateError("mandate_empty", f"block {place} asks for another policy bundle")
    elif field not in SETS:
        met[field] = min(before, value)
    elif before != value:
        is_place = field == "jurisdictions"
        both = jurisdictions.meet(before, value) if is_place else sorted({*before} & {*value})
        if not both:
            raise MandateError("mandate_empty", f"block {place} leaves no {field} of those allowed")
        met[field] = tuple(both)


def check_name(name: str) -> None:
    """Raises MandateError for a name of over 200 characters, or with quotes or control ones."""
    if not NAME.fullmatch(name):
        raise MandateError(
            "mandate_malformed",
            "a name in a mandate has at most 200 characters, no quote, backslash or control one",
        )


def _limit(statement: str) -> tuple[str, Any] | None:
    """(field of Limits, value), or None if it is no check of a known form."""
    if not statement.startswith("check "):
        return None
    if found := _ALLOWS.fullmatch(statement):
        field = _FIELD_OF.get(found[1], "")
        is_known = field in SETS and field != "jurisdictions"
        return (field, tuple(_STRINGS.findall(found[2]))) if is_known else None
    if found := _CEILING.fullmatch(statement):
        field = _FIELD_OF.get(found[1], "")
        return (field, int(found[2])) if field in CEILINGS else None
    if found := _EXPIRY.fullmatch(statement):
        return "expires_at", _seconds(found[1])
    if found := _PLACES.fullmatch(statement):
        return "jurisdictions", tuple(_STRINGS.findall(found[1]))
    if found := _POLICY.fullmatch(statement):
        return "policy_digest", found[1]
    return None


def _fact(statement: str, maker: Maker) -> Fact | None:
    found = _FACT.fullmatch(statement)
    if found is None or (wanted := FACTS[maker].get(found[1])) is None:
        return None
    strings = tuple(_STRINGS.findall(found[2]))
    if len(strings) != wanted or (found[4] is not None) != (found[1] in DATED):
        return None
    return Fact(found[1], strings, _seconds(found[4]) if found[4] else 0.0)


def _check_number(field: str, value: int) -> None:
    if not 0 <= value <= NUMBER_MAX:
        raise MandateError("mandate_malformed", f"{field} is not between 0 and 2^62")


def _date(at: Seconds) -> datetime:
    return datetime.fromtimestamp(int(at), UTC)


def _seconds(text: str) -> Seconds:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise MandateError("mandate_malformed", "a date in the token is none") from None
