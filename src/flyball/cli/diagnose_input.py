"""Which loops, effects, quotas and fights do the sources that `flyball diagnose` was given tell of?

Each source is a function from a place to a `Told`; the command joins them. A new kind of input
(metrics, spans) is one more such function.
"""

import csv
import gzip
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
from msgspec import Struct

from flyball.cli.file_shape import CannotUse
from flyball.diagnosis.finding import Finding
from flyball.diagnosis.signals import Signals
from flyball.diagnosis.stress.stress import Answer
from flyball.diagnosis.topology import probes, writers
from flyball.diagnosis.topology.graph import LoopGraph, member_of, member_of_foreign, merge
from flyball.diagnosis.topology.known import known_effects
from flyball.dialects.telemetry.calls import Calls
from flyball.dialects.telemetry.needs import Lack
from flyball.governor.loops.registry import PERIOD_LOOPS, REQUEST_LOOPS
from flyball.model.decision import LoopAction
from flyball.model.loop import Loop, LoopPolicy
from flyball.pricing.step import GAIN_SHARE_MAX
from flyball.serve.config import Config, ConfigErrors, load
from flyball.units import Seconds

Tell = Callable[[str], None]
OBJECTS_BYTES_MAX = 256 << 20
PROBE_BLOCKS_MAX = 1_000_000
_ARM = re.compile(r"arm\.(?P<actuator>.+)@(?P<step>[0-9.eE+-]+)")


class Told(Struct, frozen=True, kw_only=True):
    """What one source knows: a part of the graph, findings that it proves by itself, signals,
    calls, answers of canaries, and what it did not tell."""

    graph: LoopGraph = LoopGraph()
    findings: tuple[Finding, ...] = ()
    tables: tuple[Signals, ...] = ()
    calls: tuple[Calls, ...] = ()
    answers: tuple[Answer, ...] = ()
    lacks: tuple[Lack, ...] = ()


def joined(parts: Iterable[Told]) -> Told:
    """All of them as one, with what is known of any such fleet beneath."""
    some = list(parts)
    return Told(
        graph=merge([*(one.graph for one in some), known_effects()]),
        findings=tuple(found for one in some for found in one.findings),
        tables=tuple(table for one in some for table in one.tables),
        calls=tuple(calls for one in some for calls in one.calls),
        answers=tuple(answer for one in some for answer in one.answers),
        lacks=tuple(lack for one in some for lack in one.lacks),
    )


def fleet(path: str) -> tuple[Told, dict[str, str]]:
    """The loops that a fleet file lets run and the foreign ones it declares; and which pool a
    Kubernetes workload (`namespace/deployment/name`) is. Raises CannotUse."""
    try:
        config = load(path, is_lenient=True)
    except ConfigErrors as faults:
        raise CannotUse("\n".join(str(error) for error in faults.errors)) from None
    except OSError as error:
        raise CannotUse(f"cannot read {path}: {error.strerror or error}") from None
    return Told(graph=_declared(config)), _workloads(config)


def _declared(config: Config) -> LoopGraph:
    source = config.source
    members = [
        member_of(_as_ruled(base, rule), scope, _guard(base), f"{source} (registry)")
        for rule in config.policy.loops
        for base in (_base(rule.name),)
        for scope in rule.scopes or ("",)
    ]
    foreign = [member_of_foreign(one, source) for one in config.policy.foreign_loops]
    return LoopGraph(members=(*members, *foreign))


def _base(name: str) -> Loop:
    entry = PERIOD_LOOPS.get(name)
    return entry.loop if entry else REQUEST_LOOPS[name]


def _as_ruled(base: Loop, rule: LoopPolicy) -> Loop:
    """The declaration with what the operator set."""
    changes = {
        key: value
        for key in ("mode", "limit_low", "limit_high", "period_s", "rate_per_s", "dead_band")
        if (value := getattr(rule, key)) is not None
    }
    if rule.start_s is not None:
        changes["delay_s"] = rule.start_s
    return msgspec.structs.replace(base, **changes)


def _guard(loop: Loop) -> float:
    """The governor caps each of its loops at a third of its critical gain."""
    return 1.0 / GAIN_SHARE_MAX if loop.feedback > 0.0 else float("inf")


def _workloads(config: Config) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in config.actuators:
        if one.kind == "kubernetes" and one.workload.count("/") == 2:
            space, kind, name = one.workload.split("/")
            found[f"{space}/{kind.removesuffix('s')}/{name}"] = one.scope
    return found


def ledger(folder: Path) -> Told:
    """Who moved which set-point, by our own records of acts. Raises CannotUse."""
    from flyball.ledger.record import RecordError, decode
    from flyball.ledger.tiles import TileError
    from flyball.serve.log.reader import open_log
    from flyball.serve.log.writer import LedgerError

    fights = writers.Fights()
    try:
        log = open_log(folder)
        acts = (
            (record.at, record.loop, record.actuator, record.scope, record.old, record.new)
            for run in log.runs()
            for raw in run.entries()
            if b'"loop-action"' in raw
            for record in (decode(raw),)
            if isinstance(record, LoopAction) and record.mode == "enforce"
        )
        for write in writers.moves(acts):
            fights.add(write)
    except (LedgerError, RecordError, TileError) as error:
        raise CannotUse(f"{folder}: {error}") from None
    except OSError as error:
        raise CannotUse(f"cannot read the log in {folder}: {error.strerror or error}") from None
    return Told(graph=fights.members(is_own=True), findings=tuple(fights.findings()))


def audit(path: Path, workloads: dict[str, str], tell: Tell) -> Told:
    """Who wrote which field, by an API server's audit log (JSON lines, also .gz), read as a stream.

    Lines that are no JSON are counted and said. Raises CannotUse if there is no event at all.
    """
    fights = writers.Fights()
    events = bad = 0
    for line in _lines(path):
        try:
            event = json.loads(line)
        except ValueError:
            bad += 1
            continue
        if isinstance(event, dict):
            events += 1
            for write in writers.audited(event):
                scope = workloads.get(write.target, write.target)
                fights.add(msgspec.structs.replace(write, target=scope))
    if not events:
        raise CannotUse(
            f"{path}: no audit event in it ({bad} lines are no JSON). Give the log that "
            "--audit-log-path of the API server names: one JSON object a line."
        )
    for count, text in ((bad, "lines are no JSON"), (fights.skipped, "writes were not watched")):
        if count:
            tell(f"{path}: {count:,} {text}")
    return Told(graph=fights.members(), findings=tuple(fights.findings()))


def _lines(path: Path) -> Iterator[str]:
    try:
        with _opened(path) as stream:
            yield from stream
    except UnicodeDecodeError:
        raise CannotUse(f"{path}: this is no UTF-8 text") from None
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CannotUse(f"cannot read {path}: {reason}") from None


def _opened(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open("rt")


def objects(path: Path) -> Told:
    """Who owns which field, by objects with their `managedFields`. Raises CannotUse."""
    text = text_of(path)
    try:
        data: Any = json.loads(text)
    except ValueError as error:
        raise CannotUse(f"{path}: no JSON: {error}. {_OBJECTS_STEP}") from None
    items = data.get("items", [data]) if isinstance(data, dict) else data
    found = [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []
    if not any("managedFields" in one.get("metadata", {}) for one in found):
        raise CannotUse(f"{path}: no object in it tells its managedFields. {_OBJECTS_STEP}")
    return Told(findings=tuple(writers.contested(writers.owners(found), time.time())))


_OBJECTS_STEP = "Make it with `kubectl get … -o json --show-managed-fields`."


def text_of(path: Path) -> str:
    """A text file of moderate size. Raises CannotUse."""
    try:
        if path.stat().st_size > OBJECTS_BYTES_MAX:
            raise CannotUse(f"{path}: larger than {OBJECTS_BYTES_MAX >> 20} MiB; give it in parts")
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise CannotUse(f"{path}: this is no UTF-8 text") from None
    except OSError as error:
        raise CannotUse(f"cannot read {path}: {error.strerror or error}") from None


def probe(path: Path, block_s: Seconds, tell: Tell) -> Told:
    """Effects shown by a randomised probe: a CSV with a row per block, columns
    `arm.<actuator>@<relative step>` of -1 and 1, all others signals. Raises CannotUse."""
    rows = csv.reader(_lines(path))
    head = next(rows, [])
    arms = [(place, found) for place, name in enumerate(head) if (found := _ARM.fullmatch(name))]
    signals = [place for place, name in enumerate(head) if not name.startswith("arm.")]
    if not arms or not signals:
        raise CannotUse(
            f"{path}:1: a column arm.<actuator>@<step> and a signal are needed, "
            f"as in `arm.pool.replicas@0.02,latency`; there is {', '.join(head) or 'nothing'}"
        )
    try:
        table = np.array([_numbers(row, len(head), path, n) for n, row in enumerate(rows, 2)])
        found = probes.Probe(
            actuators=[one["actuator"] for _, one in arms],
            signals=[head[place] for place in signals],
            arms=table[:, [place for place, _ in arms]] if len(table) else np.zeros((0, len(arms))),
            values=table[:, signals] if len(table) else np.zeros((0, len(signals))),
            steps=np.array([float(one["step"]) for _, one in arms]),
            block_s=block_s,
        )
        edges = probes.edges(found)
    except ValueError as error:
        raise CannotUse(f"{path}: {error}") from None
    tell(f"{path}: {len(edges)} of {len(arms) * len(signals)} pairs are shown by the probe")
    return Told(graph=probes.measured(edges, block_s))


def _numbers(row: list[str], width: int, path: Path, line: int) -> list[float]:
    if len(row) != width or line > PROBE_BLOCKS_MAX:
        raise CannotUse(f"{path}:{line}: {len(row)} values for {width} columns, or too many rows")
    try:
        return [float(value) for value in row]
    except ValueError:
        raise CannotUse(f"{path}:{line}: not all values are numbers") from None
