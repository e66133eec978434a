"""What stands in an incident's folder, as detectors and as judges may see it?"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from flyball.cli.diagnose_files import load_change, load_loops
from flyball.cli.file_shape import CannotUse, raise_if_bad, read
from flyball.diagnosis.signals import TIME, Signals, from_columns
from flyball.diagnosis.topology.graph import LoopGraph
from flyball.diagnosis.topology.preflight import changed
from flyball.sim.incidents.folder import (
    FINDINGS,
    LOOPS,
    SIGNALS,
    TRUTH,
    Incident,
    Told,
    change_name,
    changed_at,
    csv_text,
    signals_of,
    told_of,
    told_text,
)
from flyball.sim.incidents.ours import Announced
from flyball.sim.incidents.truth import Truth, truth_of


class Shown(Struct, frozen=True, kw_only=True):
    """What a detector may read of a folder."""

    signals: Signals
    graph: LoopGraph
    announced: tuple[Announced, ...]


def signals_file(folder: Path) -> Path:
    """The table's file. Raises CannotUse where there is none."""
    for name in SIGNALS:
        if (folder / name).is_file():
            return folder / name
    raise CannotUse(
        f"{folder}: no {' or '.join(SIGNALS)} in it. "
        f"`flyball incident make {folder}` makes folders."
    )


def read_signals(file: Path) -> Signals:
    """Raises CannotUse naming file and line."""
    try:
        if file.suffix == ".parquet":
            return from_columns(_parquet(file))
        with file.open(newline="", encoding="utf-8") as lines:
            return signals_of(lines)
    except (ValueError, UnicodeDecodeError) as error:
        raise CannotUse(f"{file}: {error}") from None
    except OSError as error:
        raise CannotUse(f"cannot read {file}: {error.strerror or error}") from None


def read_span(file: Path) -> tuple[float, float]:
    """Where the table begins and ends, s. Raises CannotUse."""
    if file.suffix == ".csv":
        with suppress(OSError, ValueError, IndexError):
            with file.open("rb") as stream:
                head, first = stream.readline(), stream.readline()
                stream.seek(-min(file.stat().st_size, 2 * len(head) + 2 * len(first)), 2)
                last = stream.readlines()[-1]
            place = head.strip().split(b",").index(TIME.encode())
            return float(first.split(b",")[place]), float(last.split(b",")[place])
    signals = read_signals(file)
    return float(signals.times_s[0]), signals.end_s


def _parquet(file: Path) -> dict[str, Any]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise CannotUse(f"{file}: Parquet needs an extra: pip install 'flyball[parquet]'") from None
    table = parquet.read_table(file)
    return {name: table.column(name).to_numpy() for name in table.column_names}


def changes(folder: Path) -> list[tuple[float, Path]]:
    """The files of changes with their moments, in order of time."""
    found = [(changed_at(one.name), one) for one in folder.iterdir()]
    return sorted((at, one) for at, one in found if at is not None)


def read_shown(folder: Path) -> Shown:
    """What detectors may read. Raises CannotUse."""
    graph = first = load_loops(str(folder / LOOPS)) if (folder / LOOPS).is_file() else LoopGraph()
    announced = []
    for at, file in changes(folder):
        change = load_change(str(file), graph)
        announced.append(Announced(at=at, change=change))
        graph = changed(graph, change)
    signals = read_signals(signals_file(folder))
    return Shown(signals=signals, graph=first, announced=tuple(announced))


def read_truth(folder: Path) -> Truth:
    """Raises CannotUse."""
    document = read(str(folder / TRUTH))
    raise_if_bad(document)
    try:
        return truth_of(document.data)
    except ValueError as error:
        raise CannotUse(f"{folder / TRUTH}: {error}") from None


def findings_file(folder: Path, detector: str) -> Path:
    """Where a detector's findings are kept."""
    return folder / FINDINGS / f"{detector}.jsonl"


def keep_findings(folder: Path, detector: str, told: tuple[Told, ...]) -> None:
    """Raises CannotUse where nothing can be written."""
    file = findings_file(folder, detector)
    try:
        file.parent.mkdir(exist_ok=True)
        file.write_text(told_text(told))
    except OSError as error:
        raise CannotUse(f"cannot write {file}: {error.strerror or error}") from None


def read_findings(folder: Path, detector: str) -> tuple[Told, ...]:
    """Raises CannotUse, also where the detector was not run."""
    file = findings_file(folder, detector)
    try:
        return told_of(file.read_text("utf-8"))
    except FileNotFoundError:
        raise CannotUse(
            f"{folder}: {detector} was not run here. "
            f"`flyball incident run {folder} --detector {detector}`"
        ) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise CannotUse(f"{file}: {error}") from None


def detectors_of(folders: list[Path]) -> list[str]:
    """Names of the detectors whose findings are kept in any of the folders."""
    found: set[str] = set()
    for folder in folders:
        with suppress(OSError):
            found |= {one.stem for one in (folder / FINDINGS).iterdir() if one.suffix == ".jsonl"}
    return sorted(found)


def incident_folders(places: tuple[Path, ...]) -> list[Path]:
    """Each place that is an incident's folder, and those one level below the others.

    Raises CannotUse for a place without any.
    """
    return [folder for place in places for folder in _folders(place)]


def _folders(place: Path) -> Iterator[Path]:
    if (place / TRUTH).is_file() or any((place / name).is_file() for name in SIGNALS):
        yield place
        return
    below = sorted(one for one in place.iterdir() if (one / TRUTH).is_file())
    if not below:
        raise CannotUse(
            f"{place}: no incident in it, nor in folders below. "
            f"`flyball incident make {place}` makes some."
        )
    yield from below


def write_incident(folder: Path, incident: Incident, form: str) -> None:
    """Raises CannotUse where nothing can be written, or Parquet's extra is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if form == "csv":
            (folder / "signals.csv").write_text(csv_text(incident.signals))
        else:
            _write_parquet(folder / "signals.parquet", incident.signals)
        _write_yaml(folder / LOOPS, incident.loops)
        for one in incident.changes:
            _write_yaml(folder / change_name(one.at), one.change)
        _write_yaml(folder / TRUTH, msgspec.to_builtins(incident.truth))
    except OSError as error:
        raise CannotUse(f"cannot write {folder}: {error.strerror or error}") from None


def _write_yaml(file: Path, data: Any) -> None:
    from ruamel.yaml import YAML

    with file.open("w") as out:
        YAML(typ="safe").dump(msgspec.to_builtins(data), out)


def _write_parquet(file: Path, signals: Signals) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise CannotUse("Parquet needs an extra: pip install 'flyball[parquet]'") from None
    columns = {TIME: signals.times_s}
    columns |= {name: signals.column(name) for name in signals.names}
    parquet.write_table(pyarrow.table(columns), file)
