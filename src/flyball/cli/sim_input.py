"""What does a scenario file say, or what is wrong with it and where? (For sim, sweep, ...)"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec.structs import replace

from flyball.cli.file_shape import CannotUse as CannotSimulate
from flyball.cli.file_shape import check_shape, raise_if_bad, read
from flyball.dialects.traces import scale, servegen
from flyball.dialects.traces.formats import FORMATS
from flyball.dialects.traces.row import Tally, TraceError, TraceRow
from flyball.governor.policy import Policy
from flyball.model.fleet import Fleet
from flyball.serve import config
from flyball.serve.config.errors import did_you_mean, listed
from flyball.serve.config.text import Document, parse
from flyball.serve.load import tracefile
from flyball.sim import clientload
from flyball.sim.build import ScenarioFaults, build
from flyball.sim.run import Result, generated, run
from flyball.sim.scenario import Scenario, TraceShape
from flyball.units import Ratio

# The name of the one format that holds statistics of clients and no requests.
STATISTICS = "servegen"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario that can be run: what it says, what it stands for, and where its load is."""

    name: str
    scenario: Scenario
    fleet: Fleet
    policy: Policy
    folder: str

    def rows(self) -> Iterable[TraceRow]:
        """The load, scaled; CannotSimulate or, later on, TraceError where it cannot be read."""
        trace = self.scenario.workload.trace
        if trace is None:
            return generated(self.scenario)
        path = Path(self.folder) / trace.file
        speed = trace.speed
        if trace.rate is not None:
            try:
                speed = scale.speed_for_rate(scale.extent(self._read(path)), trace.rate)
            except ValueError as error:
                raise CannotSimulate(f"workload.trace.rate: {error}") from None
        return scale.faster(self._read(path), speed * self.scenario.workload.load)

    def files(self) -> tuple[str, ...]:
        """What a run reads beside the plan, by the names that the scenario gives them."""
        trace = self.scenario.workload.trace
        if trace is None:
            return ()
        return (trace.file, trace.lengths) if trace.lengths else (trace.file,)

    def moved(self, places: dict[str, str]) -> "Plan":
        """The same plan with those files elsewhere: name -> path."""
        work = self.scenario.workload
        trace = work.trace
        if trace is not None:
            lengths = places[trace.lengths] if trace.lengths else ""
            trace = replace(trace, file=places[trace.file], lengths=lengths)
            work = replace(work, trace=trace)
        return replace(self, scenario=replace(self.scenario, workload=work))

    def _read(self, path: Path) -> Iterable[TraceRow]:
        trace = self.scenario.workload.trace
        assert trace is not None
        seed = self.scenario.seed
        if trace.format == STATISTICS:
            lengths = Path(self.folder) / trace.lengths
            texts = (tracefile.lines(path), path.name, tracefile.lines(lengths), lengths.name)
            rows = clientload.rows(servegen.read(*texts, trace.models), trace.share, seed)
        else:
            rows = tracefile.rows(path, trace.format, Tally())
            rows = rows if trace.share == 1.0 else scale.thinned(rows, trace.share, seed)
        return rows if trace.limit is None else scale.head(rows, trace.limit)


def played(plan: Plan, progress: Callable[[Ratio, int], None] | None = None) -> Result:
    """Run it. CannotSimulate where its trace cannot be read or does not fit the fleet."""
    try:
        return run(
            plan.scenario, plan.fleet, plan.policy, plan.rows(), name=plan.name, progress=progress
        )
    except TraceError as error:
        raise CannotSimulate(str(error)) from None


def reported(plan: Plan) -> bytes:
    """Run it; the report as JSON. Raises as `played` does."""
    return msgspec.json.encode(played(plan).report)


def schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "flyball.scenario.v1.json",
        "title": "Scenario of a Flyball simulation, version v1",
        **msgspec.json.schema(Scenario),
    }


def load(path: str, changes: Iterable[str] = ()) -> Plan:
    """Read and check; `changes` are `key.path=value` settings that override the file.

    Raises CannotSimulate with every fault found, each with file:line:column.
    """
    document = read(path)
    if isinstance(document.data, dict):
        for change in changes:
            _set(document.data, change)
        check_shape(document, schema(), "Correct it: `flyball sim --schema`.")
    raise_if_bad(document)
    return plan(msgspec.convert(document.data, Scenario), document, Path(path))


def plan(scenario: Scenario, document: Document, file: Path) -> Plan:
    """What a well-formed scenario stands for."""
    _check_trace(scenario.workload.trace, document)
    loaded = None
    if scenario.fleet.file:
        loaded = _fleet_file(str(file.parent / scenario.fleet.file))
    try:
        fleet, policy = build(scenario, loaded)
    except ScenarioFaults as found:
        for fault in found.faults:
            document.fault(fault.path, fault.message, fault.next_step)
        raise_if_bad(document)
        raise
    return Plan(
        name=file.stem,
        scenario=scenario,
        fleet=fleet,
        policy=policy,
        folder=str(file.parent.absolute()),
    )


def _check_trace(trace: TraceShape | None, document: Document) -> None:
    """A format that nobody knows, and keys that another format needs or has no use for."""
    if trace is None:
        return
    path, known = ("workload", "trace"), ["auto", *FORMATS, STATISTICS]
    if trace.format not in known:
        step = f"{did_you_mean(trace.format, known)}Use one of {listed(known)}."
        document.fault((*path, "format"), f"there is no format {trace.format!r}", step)
    elif trace.format == STATISTICS and not trace.lengths:
        step = "Give `lengths`: the table of token quantiles."
        document.fault(path, "client statistics are two tables", step)
    elif trace.format != STATISTICS:
        for key in ("lengths", "models"):
            if getattr(trace, key):
                step = f"Take it away, or set `format: {STATISTICS}`."
                document.fault((*path, key), "only client statistics have it", step)
    raise_if_bad(document)


def changed(base: Plan, change: Callable[[Scenario], Scenario]) -> Plan:
    """The same plan with another scenario; the fleet is built anew."""
    scenario = change(base.scenario)
    loaded = (base.fleet, base.policy) if scenario.fleet.file else None
    fleet, policy = build(scenario, loaded)
    return replace(base, scenario=scenario, fleet=fleet, policy=policy)


def _fleet_file(path: str) -> tuple[Fleet, Policy]:
    try:
        found = config.load(path, is_lenient=True)
    except config.ConfigErrors as errors:
        raise CannotSimulate(str(errors)) from None
    except OSError as error:
        raise CannotSimulate(f"cannot read {path}: {error.strerror or error}") from None
    return found.fleet, found.policy


def _set(data: dict[str, Any], change: str) -> None:
    """`workload.load=1.5`: the value is YAML."""
    path, equals, value = change.partition("=")
    if not equals:
        raise click.BadParameter(f"{change!r} is not KEY=VALUE", param_hint="--set")
    *parents, last = path.split(".")
    for parent in parents:
        inner = data.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise click.BadParameter(f"{parent!r} of {path!r} is no section", param_hint="--set")
        data = inner
    data[last] = parse(value, "--set").data
