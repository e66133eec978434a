"""What do a loops file, a change and a suppression file say, or what is wrong and where?"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from flyball.cli.diagnose_shape import (
    ChangeFile,
    EffectShape,
    LoopChangeShape,
    LoopsFile,
    LoopShape,
    ReadingShape,
    SuppressFile,
    schema,
)
from flyball.cli.file_shape import check_shape, raise_if_bad, read
from flyball.diagnosis.codes.codes import CODES
from flyball.diagnosis.suppress import Suppression
from flyball.diagnosis.topology.graph import Effect, LoopGraph, Member, Quota, Reading
from flyball.diagnosis.topology.preflight import Change
from flyball.serve.config.errors import did_you_mean, listed
from flyball.serve.config.text import Document
from flyball.units import Seconds

_WAYS = {"up": 1, "down": -1, "raise": 1, "lower": -1, None: 0}
_DAY_S: Seconds = 86_400.0
Shape = TypeVar("Shape", LoopsFile, ChangeFile, SuppressFile)


def _load(path: str, name: str, kind: type[Shape]) -> tuple[Document, Shape]:
    """Raises file_shape.CannotUse with every fault of form, each with file:line:column."""
    document = read(path)
    if isinstance(document.data, dict):
        check_shape(document, schema(name), f"Correct it: `flyball diagnose --schema {name}`.")
    elif document.data is not None:
        document.fault((), "this is no mapping", f"See `flyball diagnose --schema {name}`.")
    raise_if_bad(document)
    return document, msgspec.convert(document.data, kind)


def load_loops(path: str) -> LoopGraph:
    """The graph that a user wrote. Raises CannotUse: see `_load`; and for names that lead nowhere
    and numbers that contradict each other."""
    document, shape = _load(path, "loops", LoopsFile)
    for name, loop in shape.loops.items():
        _check_loop(document, ("loops", name), loop, shape.quotas)
    for place, effect in enumerate(shape.effects):
        _check_effect(document, ("effects", place), effect)
    known = sorted(shape.loops) + [effect.actuator for effect in shape.effects]
    if not known:
        document.fault((), "there is neither a loop nor an effect", "Name at least one loop.")
    raise_if_bad(document)
    return LoopGraph(
        members=tuple(
            _member(name, loop, _place(document, ("loops", name)))
            for name, loop in shape.loops.items()
        ),
        effects=tuple(
            _effect(effect, _place(document, ("effects", number)))
            for number, effect in enumerate(shape.effects)
        ),
        quotas=tuple(
            Quota(
                name=name,
                limit=one.limit,
                unit=one.unit,
                arbiter=one.arbiter,
                seen=(_place(document, ("quotas", name)),),
            )
            for name, one in shape.quotas.items()
        ),
    )


def load_change(path: str, graph: LoopGraph) -> Change:
    """A change that fits the graph. Raises CannotUse as `load_loops` does."""
    document, shape = _load(path, "what-if", ChangeFile)
    names = [one.name for one in graph.members]
    quotas = [one.name for one in graph.quotas]
    for name in shape.loops:
        _check_known(document, ("loops", name), name, [*names, *shape.add], "loop", at="key")
    for place, name in enumerate(shape.remove):
        _check_known(document, ("remove", place), name, names, "loop")
    for name in shape.quotas:
        _check_known(document, ("quotas", name), name, quotas, "quota", at="key")
    for name, loop in shape.add.items():
        if name in names:
            document.fault(("add", name), "this loop is there already", "Name it under `loops`.")
        _check_loop(document, ("add", name), loop, quotas)
    for place, effect in enumerate(shape.effects):
        _check_effect(document, ("effects", place), effect)
    raise_if_bad(document)
    members = {one.name: one for one in graph.members}
    return Change(
        loops={
            name: _fields(one, members[name])
            for name, one in shape.loops.items()
            if name in members
        },
        add=tuple(_member(name, one, document.source) for name, one in shape.add.items()),
        remove=shape.remove,
        effects=tuple(_effect(one, document.source) for one in shape.effects),
        quotas={name: _given(one) for name, one in shape.quotas.items()},
    )


def load_suppressions(path: str) -> list[Suppression]:
    """What is put aside, until the end of its last day (UTC). Raises CannotUse."""
    document, shape = _load(path, "suppress", SuppressFile)
    found: list[Suppression] = []
    for place, one in enumerate(shape.suppress):
        at = ("suppress", place)
        if one.code not in CODES:
            step = f"{did_you_mean(one.code, CODES)}There are {listed(CODES, most=40)}."
            document.fault((*at, "code"), f"there is no finding {one.code}", step)
        try:
            day = datetime.fromisoformat(one.until).replace(tzinfo=UTC).timestamp()
        except ValueError:
            document.fault((*at, "until"), f"{one.until} is no day", "Write YYYY-MM-DD.")
            continue
        found.append(
            Suppression(
                code=one.code,
                until=day + _DAY_S,
                reason=one.reason,
                loops=one.loops,
                scope=one.scope,
            )
        )
    raise_if_bad(document)
    return found


def _check_loop(
    document: Document, at: tuple[str | int, ...], loop: LoopShape, quotas: Iterable[str]
) -> None:
    low, high = loop.limit_low, loop.limit_high
    if low is not None and high is not None and low > high:
        document.fault((*at, "limit_low"), "it is above limit_high", "Swap the two.")
    if loop.spends:
        _check_known(document, (*at, "spends"), loop.spends, list(quotas), "quota")
    if loop.claim is not None and not loop.spends:
        document.fault((*at, "claim"), "a claim on no quota", "Name the quota under `spends`.")
    for place, reading in enumerate(loop.reads):
        if reading.gain is not None and reading.when_high is None:
            step = "Say under `when_high` whether the loop raises or lowers its actuator."
            document.fault((*at, "reads", place, "gain"), "a gain without a direction", step)


def _check_effect(document: Document, at: tuple[str | int, ...], effect: EffectShape) -> None:
    if effect.gain is None and effect.moves is None:
        document.fault(at, "neither `gain` nor `moves` is given", "Give at least the direction.")
    elif effect.gain is not None and effect.moves and effect.gain * _WAYS[effect.moves] < 0.0:
        document.fault((*at, "moves"), "it contradicts the sign of `gain`", "Delete one of them.")


def _check_known(
    document: Document,
    path: tuple[str | int, ...],
    name: str,
    known: list[str],
    noun: str,
    at: Any = "value",
) -> None:
    if name not in known:
        step = f"{did_you_mean(name, known)}There are {listed(known, most=20)}."
        document.fault(path, f"there is no {noun} {name!r}", step, at=at)


def _member(name: str, loop: LoopShape, place: str) -> Member:
    fields: dict[str, Any] = msgspec.structs.asdict(loop)
    fields["reads"] = tuple(_reading(one) for one in loop.reads)
    return Member(name=name, **fields, seen=(place,))


def _reading(one: ReadingShape) -> Reading:
    return Reading(
        signal=one.signal,
        sign=_WAYS[one.when_high],
        gain=one.gain,
        wants=_WAYS[one.wants],
        target=one.target,
        band=one.band,
        stands_for=one.stands_for,
        stands_sign=-1 if one.falls_with_it else 1,
    )


def _effect(one: EffectShape, place: str) -> Effect:
    fields = msgspec.structs.asdict(one)
    del fields["moves"]
    return Effect(**fields, sign=_WAYS[one.moves], seen=(place,))


def _given(one: Any) -> dict[str, Any]:
    return {key: value for key, value in msgspec.structs.asdict(one).items() if value is not None}


def _fields(one: LoopChangeShape, member: Member) -> dict[str, Any]:
    """The fields of a member that change; `gain` and `target` are of its first reading."""
    fields = _given(one)
    own = {key: fields.pop(key) for key in ("gain", "target") if key in fields}
    if own and member.reads:
        first = msgspec.structs.replace(member.reads[0], **own)
        fields["reads"] = (first, *member.reads[1:])
    return fields


def _place(document: Document, path: tuple[str | int, ...]) -> str:
    mark = document.marks.get(path)
    return f"{document.source}:{mark.key[0]}:{mark.key[1]}" if mark else document.source
