"""Who writes which field, and do two writers fight over one?

Sources: `metadata.managedFields` of Kubernetes objects (who owns a field now; structured-merge-diff
FieldsV1), the API server's audit log (who wrote what when; audit.k8s.io/v1), and our own records of
moved set-points, where a move that does not begin at the end of the last one tells of another
hand, or of one that failed.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any

from msgspec import Struct

from flyball.diagnosis.codes.codes import finding
from flyball.diagnosis.finding import Evidence, Finding
from flyball.diagnosis.topology.graph import LoopGraph, Member
from flyball.units import Seconds

FIELDS_MAX = 50_000
WRITES_KEPT = 64
DEPTH_MAX = 16
LEAVES_MAX = 400
PERIODS_MAX = 5.0
FIGHTS_MIN = 2
STEERS_MIN = 3
# Managers that are tools in a person's hand, and not loops (kubectl's default field managers).
PEOPLE = ("kubectl", "before-first-apply", "Mozilla", "k9s", "helm")
OTHER_HAND = "(another hand, or a move that failed)"
# Where a field of an object is an actuator of the fleet, its name there.
ACTUATORS = {
    "spec.replicas": "pool.replicas",
    "spec.minReplicas": "pool.replicas_min",
    "spec.maxReplicas": "pool.replicas_max",
}
_REQUESTS = ".resources.requests."


class Write(Struct, frozen=True, kw_only=True):
    """One writer set one field of one object to a value (as text)."""

    at: Seconds
    writer: str
    target: str
    field: str
    value: str


class Ownership(Struct, frozen=True, kw_only=True):
    """The managers that own one field of one object together, and when each last wrote."""

    target: str
    field: str
    writers: tuple[str, ...]
    at: tuple[Seconds, ...]


def actuator_of(field: str) -> str:
    """The fleet's name of what a field moves; the field itself where there is none."""
    if _REQUESTS in field:
        return f"pool.requests_{field.rsplit('.', 1)[-1]}"
    return ACTUATORS.get(field, field)


def is_person(writer: str) -> bool:
    """Whether a writer's name is that of a tool in a person's hand."""
    return writer.startswith(PEOPLE)


def target_of(data: Mapping[str, Any]) -> str:
    """`namespace/kind/name` of an object, in lower case kind."""
    meta = _mapping(data.get("metadata"))
    kind = str(data.get("kind", "object")).lower()
    return f"{meta.get('namespace', 'default')}/{kind}/{meta.get('name', '?')}"


def owners(objects: Iterable[Mapping[str, Any]]) -> Iterator[Ownership]:
    """Fields below `spec` that several managers own at once, of each object."""
    for data in objects:
        held: dict[str, dict[str, Seconds]] = {}
        for entry in _mappings(_mapping(data.get("metadata")).get("managedFields")):
            if entry.get("subresource") == "status":
                continue
            writer, at = str(entry.get("manager", "?")), _seconds(entry.get("time"))
            for path in _owned(_mapping(entry.get("fieldsV1")), (), DEPTH_MAX):
                if path.startswith("spec."):
                    held.setdefault(path, {})[writer] = at
        for field, some in sorted(held.items()):
            if len(some) > 1:
                yield Ownership(
                    target=target_of(data),
                    field=field,
                    writers=tuple(some),
                    at=tuple(some.values()),
                )


def _owned(fields: Mapping[str, Any], path: tuple[str, ...], depth: int) -> Iterator[str]:
    """Leaves of a FieldsV1 tree: `f:` names a field, `k:` an item by its key, `v:` by value."""
    below = {key: value for key, value in fields.items() if key != "."}
    if path and not below:
        yield ".".join(path)
    for key, value in below.items():
        kind, _, name = key.partition(":")
        if depth > 0:
            part = name if kind == "f" else f"[{name}]"
            yield from _owned(_mapping(value), (*path, part), depth - 1)


def audited(event: Mapping[str, Any]) -> Iterator[Write]:
    """The writes of one audit event: of stage ResponseComplete, answered with 2xx, with a body.

    The body is there from level Request on; without it nobody can say which field was meant.
    """
    code = _mapping(event.get("responseStatus")).get("code", 200)
    body = event.get("requestObject")
    is_write = event.get("verb") in ("update", "patch", "create", "apply")
    if event.get("stage") != "ResponseComplete" or not is_write or not isinstance(body, dict):
        return
    if not isinstance(code, int) or not 200 <= code < 300:
        return
    reference = _mapping(event.get("objectRef"))
    if reference.get("subresource") == "status":
        return
    kind = str(reference.get("resource", "object")).removesuffix("s")
    target = f"{reference.get('namespace', 'default')}/{kind}/{reference.get('name', '?')}"
    writer = _writer(event)
    at = _seconds(event.get("stageTimestamp") or event.get("requestReceivedTimestamp"))
    for field, value in _leaves(_mapping(body.get("spec")), ("spec",)):
        yield Write(at=at, writer=writer, target=target, field=field, value=value)


def _writer(event: Mapping[str, Any]) -> str:
    user = str(_mapping(event.get("user")).get("username", "?"))
    agent = str(event.get("userAgent", "")).split("/", 1)[0]
    name = user.rsplit(":", 1)[-1]
    return agent if is_person(agent) and not user.startswith("system:") else name


def _leaves(node: Mapping[str, Any], path: tuple[str, ...]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    waiting: deque[tuple[tuple[str, ...], Any]] = deque([(path, node)])
    while waiting and len(found) < LEAVES_MAX:
        place, value = waiting.popleft()
        if isinstance(value, dict) and len(place) < DEPTH_MAX:
            waiting.extend(((*place, str(key)), below) for key, below in value.items())
        elif isinstance(value, list) and len(place) < DEPTH_MAX:
            for number, below in enumerate(value):
                name = below.get("name", number) if isinstance(below, dict) else number
                waiting.append(((*place, f"[{name}]"), below))
        elif not isinstance(value, dict | list):
            found.append((".".join(place), str(value)))
    return found


class Fights:
    """Writes in order of time, of which the last `WRITES_KEPT` of each field are kept.

    Beyond `FIELDS_MAX` fields new ones are not watched; `skipped` counts their writes.
    """

    def __init__(self) -> None:
        self._recent: dict[tuple[str, str], deque[Write]] = {}
        self.skipped = 0

    def add(self, write: Write) -> None:
        """Take one write into account."""
        key = (write.target, write.field)
        recent = self._recent.get(key)
        if recent is None:
            if len(self._recent) >= FIELDS_MAX:
                self.skipped += 1
                return
            recent = self._recent[key] = deque(maxlen=WRITES_KEPT)
        recent.append(write)

    def findings(self) -> Iterator[Finding]:
        """FB-102 for each field that was set back and forth."""
        for (target, field), recent in sorted(self._recent.items()):
            found = _fight(sorted(recent, key=lambda one: one.at))
            if found is None:
                continue
            first, second, fights, span_s = found
            yield finding(
                "FB-102",
                at=recent[-1].at,
                loops=(first, second),
                actuators=(actuator_of(field),),
                evidence=[
                    Evidence(what="times set back", value=float(fights), limit=FIGHTS_MIN - 1.0),
                    Evidence(what="within", value=span_s, unit="s"),
                    Evidence(what="writes looked at", value=float(len(recent))),
                ],
                confidence=0.95 if fights > FIGHTS_MIN else 0.9,
                scope=target,
                summary=f"{second} and {first} set {field} of {target} in turn",
            )

    def members(self, is_own: bool = False) -> LoopGraph:
        """Each writer that is no person as a loop on what it moves, with its median pace.

        `is_own` = the fields are actuators by name already (our own records). Who wrote a field
        fewer than `STEERS_MIN` times, or always the same, steers nothing.
        """
        found: dict[tuple[str, str, str], list[Write]] = {}
        for (target, field), recent in self._recent.items():
            for write in recent:
                is_loop = not is_person(write.writer) and write.writer != OTHER_HAND
                if is_loop and (is_own or actuator_of(field) != field):
                    found.setdefault((write.writer, actuator_of(field), target), []).append(write)
        members = [
            Member(
                name=writer,
                actuator=actuator,
                scope=target,
                period_s=_pace([write.at for write in some]),
                seen=(f"{len(some)} writes",),
            )
            for (writer, actuator, target), some in sorted(found.items())
            if len(some) >= STEERS_MIN and len({write.value for write in some}) > 1
        ]
        return LoopGraph(members=tuple(members))


def _fight(writes: list[Write]) -> tuple[str, str, int, Seconds] | None:
    """Writers (the one who sets back first), how often, and over how long; None = no fight."""
    times: dict[str, list[Seconds]] = {}
    for write in writes:
        times.setdefault(write.writer, []).append(write.at)
    counts: dict[tuple[str, str], list[Write]] = {}
    for one, two, three in zip(writes, writes[1:], writes[2:], strict=False):
        if one.writer != three.writer or one.writer == two.writer:
            continue
        if two.value in (one.value, three.value) or (
            is_person(one.writer) and is_person(two.writer)
        ):
            continue
        if three.at - one.at <= PERIODS_MAX * _pace(times[one.writer]):
            counts.setdefault((one.writer, two.writer), []).extend((one, three))
    best = max(counts.items(), key=lambda item: len(item[1]), default=None)
    if best is None or len(best[1]) < 2 * FIGHTS_MIN:
        return None
    (first, second), some = best
    return first, second, len(some) // 2, some[-1].at - some[0].at


def _pace(times: list[Seconds]) -> Seconds:
    gaps = [after - before for before, after in pairwise(times)]
    return median(gaps) if gaps else 0.0


def contested(ownerships: Iterable[Ownership], at: Seconds = 0.0) -> Iterator[Finding]:
    """FB-102 for fields with several owners, of which not all are people."""
    for one in ownerships:
        loops = sorted(one.writers, key=is_person)
        if is_person(loops[0]):
            continue
        yield finding(
            "FB-102",
            at=max((*one.at, at)),
            loops=loops,
            actuators=(actuator_of(one.field),),
            evidence=[
                Evidence(what=f"owners of {one.field}", value=float(len(loops)), limit=1.0),
                Evidence(
                    what="between their last writes", value=max(one.at) - min(one.at), unit="s"
                ),
            ],
            confidence=0.9,
            scope=one.target,
            summary=f"{' and '.join(loops)} own {one.field} of {one.target}",
        )


def moves(records: Iterable[tuple[Seconds, str, str, str, str, str]]) -> Iterator[Write]:
    """Writes out of our own records of moves (at, loop, actuator, scope, old, new), oldest first.

    A move that begins elsewhere than the last one ended was preceded by somebody else's.
    """
    last: dict[tuple[str, str], str] = {}
    for at, loop, actuator, scope, old, new in records:
        key = (scope, actuator)
        before = last.get(key)
        if before is not None and before != old:
            yield Write(at=at, writer=OTHER_HAND, target=scope, field=actuator, value=old)
        if len(last) < FIELDS_MAX or key in last:
            last[key] = new
        yield Write(at=at, writer=loop, target=scope, field=actuator, value=new)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _seconds(text: Any) -> Seconds:
    """Unix time of an RFC 3339 time; 0 where there is none."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
