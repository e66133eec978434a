"""How is a run of the simulator shown, followed and kept? (Text, progress, JSON, Parquet.)"""

import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from flyball.sim.report import ENDS, ClassReport, Report
from flyball.sim.run import Result
from flyball.sim.sessions import ProgramReport
from flyball.units import MS_PER_S, Ratio

_COLUMNS = (
    ("class", 12), ("calls", 9), ("in time", 8), ("goodput/s", 10), ("ttft p50", 9),
    ("p99 ms", 9), ("tpot p50", 9), ("p99 ms", 8), ("e2e p50", 8), ("p99 s", 8), ("cached", 7),
    ("tries", 6), ("not served", 24),
)  # fmt: skip


def progress(label: str) -> Callable[[Ratio, int], None] | None:
    """Tells on stderr how far a run is and how long it will take; None = nobody looks."""
    if not sys.stderr.isatty():
        return None
    begun = time.monotonic()

    def show(share: Ratio, calls: int) -> None:
        spent = time.monotonic() - begun
        left = spent / share - spent if share > 0 else 0.0
        text = f"\r{label}: {share:6.1%}, {calls:,} calls, {max(0.0, left):,.0f} s left  "
        click.echo(text, err=True, nl=share >= 1.0)

    return show


def text(report: Report, wall_s: float) -> str:
    """The report for a person."""
    lines = [
        f"{report.name}: core {report.core}, load {report.load:g}, seed {report.seed}, "
        f"{report.measured_s:g} of {report.duration_s:g} s measured "
        f"({report.total.calls / wall_s:,.0f} calls/s simulated)",
        f"execution error: {report.execution_error_usd:.2f} USD = "
        f"{report.total.value_missed_usd:.2f} missed + {report.machine_usd:.2f} machines + "
        f"{report.energy_usd:.2f} energy; coherence {report.coherence.ratio:.1%}: value served in "
        f"time {report.total.value_usd:.2f} of {report.coherence.bound_usd:.2f} USD possible",
        "  ".join(name.rjust(width) for name, width in _COLUMNS).rstrip(),
    ]
    rows = [*report.classes, report.total] if len(report.classes) > 1 else [report.total]
    lines += [_row(one) for one in rows]
    for pool in report.pools:
        moved = pool.starts + pool.drains
        moves = f", {pool.starts} starts, {pool.drains} drains" if moved else ""
        lines.append(
            f"pool {pool.name}: {pool.replica_hours:.2f} replica-hours, "
            f"busy {pool.busy_ratio:.0%}, {pool.joules / 3.6e6:.3f} kWh, "
            f"{pool.usd + pool.energy_usd:.2f} USD, "
            f"{pool.preemptions} preemptions{moves}"
        )
    peaks = ", ".join(f"{site} {watts:,.0f} W" for site, watts in report.site_watts_peak.items())
    lines.append(
        f"peak power: {peaks}; {report.joules_per_output_token:.3f} J per answer token; "
        f"{report.boards} price boards"
    )
    lines += [_sessions(one) for one in report.programs]
    tried = report.retries
    if report.programs or tried.gateway or tried.sdk:
        lines.append(
            f"retries: {tried.gateway:,} by gateways, {tried.sdk:,} by SDKs, {tried.agent:,} by "
            f"agents, {tried.step:,} of broken steps; {report.token_usd:.2f} USD of tokens at list "
            "prices"
        )
    if report.breaches_count:
        lines.append(f"INVARIANTS BROKEN: {report.breaches_count}")
        lines += [f"  {breach}" for breach in report.breaches]
    return "\n".join(lines)


def _sessions(one: ProgramReport) -> str:
    spans = f" in {one.completed_p50_s:,.0f} s (p99 {one.completed_p99_s:,.0f})"
    return (
        f"sessions {one.name}: {one.begun:,} begun, {one.completed:,} complete"
        f"{spans if one.completed else ''}, {one.failed:,} failed, {one.broken:,} broken, "
        f"{one.open:,} open; {one.steps:,} steps, {one.steps_cut:,} from a cut context, "
        f"{one.steps_broken:,} broken; {one.tool_failures:,} tools failed, "
        f"{one.compactions:,} compactions; "
        f"{one.turned_away:,} turned away before their first step, "
        f"{one.stopped:,} stopped in a circle; {one.wasted_tokens:,} tokens wasted"
    )


def _row(one: ClassReport) -> str:
    ends = ", ".join(f"{one.ends[end]} {end}" for end in ENDS[1:] if one.ends[end])
    cells = (
        one.name,
        f"{one.calls:,}",
        f"{one.in_time_ratio:.2%}",
        f"{one.goodput_rps:,.2f}",
        f"{one.ttft_s.p50 * MS_PER_S:,.0f}",
        f"{one.ttft_s.p99 * MS_PER_S:,.0f}",
        f"{one.tpot_s.p50 * MS_PER_S:,.1f}",
        f"{one.tpot_s.p99 * MS_PER_S:,.1f}",
        f"{one.e2e_s.p50:,.2f}",
        f"{one.e2e_s.p99:,.2f}",
        f"{one.cached_ratio:.1%}",
        f"{one.tries_per_call:.2f}",
        ends,
    )
    return "  ".join(
        cell.rjust(width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True)
    ).rstrip()


def as_json(report: Report) -> str:
    """The report for a program: indented JSON; equal runs give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(report)).decode()


def keep(result: Result, out: Path) -> None:
    """Write every call to `out`: *.parquet (needs pyarrow), *.csv, or *.json for the report.

    Raises click.ClickException, with the remedy, where that cannot be done.
    """
    try:
        if out.suffix == ".json":
            out.write_text(as_json(result.report) + "\n")
        elif out.suffix == ".csv":
            _csv(result.columns, out)
        elif out.suffix == ".parquet":
            _parquet(result.columns, out)
        else:
            raise click.UsageError(f"--out {out}: end it in .json, .csv or .parquet")
    except OSError as error:
        raise click.ClickException(f"--out {out}: {error.strerror or error}") from None


def _csv(columns: dict[str, np.ndarray], out: Path) -> None:
    with out.open("w") as stream:
        stream.write(",".join(columns) + "\n")
        for row in zip(*(column.tolist() for column in columns.values()), strict=True):
            stream.write(",".join(map(repr, row)) + "\n")


def _parquet(columns: dict[str, np.ndarray], out: Path) -> None:
    if find_spec("pyarrow") is None:
        raise click.UsageError(f"--out {out}: Parquet needs pyarrow; pip install pyarrow, or .csv")
    import pyarrow  # pyright: ignore[reportMissingImports]
    from pyarrow import parquet  # pyright: ignore[reportMissingImports]

    table: Any = pyarrow.table(columns)
    parquet.write_table(table, out)
