"""Which of two is better, and is that more than chance? (`flyball compare A B`)"""

from collections.abc import Callable, Sequence
from pathlib import Path

import click
import msgspec

from flyball.cli import sim_input, sim_plot, sim_pool
from flyball.sim import tables
from flyball.sim.capacity import Interval, interval
from flyball.sim.report import Report

FIGURES: dict[str, Callable[[Report], float]] = {
    "in time": lambda report: report.total.in_time_ratio,
    "goodput, calls/s": lambda report: report.total.goodput_rps,
    "TTFT p50, s": lambda report: report.total.ttft_s.p50,
    "TTFT p99, s": lambda report: report.total.ttft_s.p99,
    "TPOT p50, s": lambda report: report.total.tpot_s.p50,
    "TPOT p99, s": lambda report: report.total.tpot_s.p99,
    "E2E p99, s": lambda report: report.total.e2e_s.p99,
    "cached share": lambda report: report.total.cached_ratio,
    "tries per call": lambda report: report.total.tries_per_call,
    "machines, USD": lambda report: report.machine_usd,
    "energy, kWh": lambda report: sum(pool.joules for pool in report.pools) / 3.6e6,
    "execution error, USD": lambda report: report.execution_error_usd,
}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both, and the paired difference B - A with its 95 % interval."""

    figure: str
    a: float
    b: float
    difference: Interval

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves out zero (and there was more than one seed)."""
        one = self.difference
        return len(one.values) > 1 and (one.low > 0.0 or one.high < 0.0)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two scenarios, as they were asked for, and every figure of both over paired seeds."""

    a: str
    b: str
    seeds: int
    differences: tuple[Difference, ...]

    def _repr_html_(self) -> str:
        """Tables for a notebook; they need nothing else."""
        caption = f"A = {self.a}, B = {self.b}: {self.seeds} paired seeds"
        head = ("figure", "A", "B", "B - A", "95 % low", "high", "more than chance")
        rows = [
            [
                one.figure, f"{one.a:.4g}", f"{one.b:.4g}", f"{one.difference.mean:.4g}",
                f"{one.difference.low:.4g}", f"{one.difference.high:.4g}",
                "yes" if one.is_sure else "no",
            ]
            for one in self.differences
        ]  # fmt: skip
        return tables.table(caption, head, rows)


@click.command("compare")
@click.argument("a")
@click.argument("b")
@click.option("--seeds", type=click.IntRange(1, 31), default=3, show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=None, help="At a time [all cores].")
@sim_plot.option
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(a: str, b: str, seeds: int, jobs: int | None, plot: Path | None, output: str) -> None:
    """Run A and B on the same seeds and tell their paired differences.

    Each is a scenario file, and may change keys of it: FILE:core=least_request,workload.load=1.2
    """
    sides = [parted(a), parted(b)]
    seeds_of = [sim_input.load(path, changes).scenario.seed for path, changes in sides]
    reports: dict[tuple[int, int], Report] = {}
    with sim_pool.pool(jobs or sim_pool.jobs_default()) as workers:
        tasks = [
            ((side, i), sim_pool.run_one, (path, (*changes, f"seed={seeds_of[side] + i}")))
            for i in range(seeds)
            for side, (path, changes) in enumerate(sides)
        ]
        for place, report in sim_pool.each(workers, tasks):
            reports[place] = sim_pool.read(report)
            click.echo(f"{len(reports)}/{len(tasks)} runs", err=True)
    found = differences(
        [reports[0, i] for i in range(seeds)], [reports[1, i] for i in range(seeds)]
    )
    result = Comparison(a=a, b=b, seeds=seeds, differences=tuple(found))
    if plot is not None:
        bars = [(one.figure, one.a, one.difference, one.is_sure) for one in found]
        sim_plot.write(plot, f"{b} against {a}", result, lambda it: sim_plot.compare(it, bars))
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        click.echo(shown(result))


def parted(text: str) -> tuple[str, tuple[str, ...]]:
    """`FILE:KEY=VALUE,KEY=VALUE` -> (file, changes)."""
    path, colon, changes = text.partition(":")
    return path, tuple(changes.split(",")) if colon else ()


def differences(a: Sequence[Report], b: Sequence[Report]) -> list[Difference]:
    """Figure by figure, over runs paired by place."""
    found: list[Difference] = []
    for name, figure in FIGURES.items():
        ours, theirs = [figure(one) for one in a], [figure(one) for one in b]
        paired = [other - own for own, other in zip(ours, theirs, strict=True)]
        found.append(
            Difference(
                figure=name,
                a=interval(ours).mean,
                b=interval(theirs).mean,
                difference=interval(paired),
            )
        )
    return found


def shown(result: Comparison) -> str:
    """The table for a person; `*` = more than chance (95 %)."""
    lines = [
        f"A = {result.a}",
        f"B = {result.b}",
        f"{result.seeds} paired seeds; * = the 95 % interval leaves out 0",
        f"{'':22}{'A':>12}{'B':>12}{'B - A':>12}  95 % interval",
    ]
    for one in result.differences:
        gap = one.difference
        mark = " *" if one.is_sure else ""
        lines.append(
            f"{one.figure:22}{one.a:12.4g}{one.b:12.4g}{gap.mean:12.4g}  "
            f"[{gap.low:.4g}, {gap.high:.4g}]{mark}"
        )
    return "\n".join(lines)
