"""How does the outcome depend on settings? (`flyball sweep SCENARIO --vary KEY=A,B,C`)"""

import itertools
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
import msgspec

from flyball import __version__
from flyball.cli import sim_input, sim_plot, sim_pool, sim_ray
from flyball.sim import tables
from flyball.sim.report import Report

Setting = tuple[str, ...]

_FIGURES = (
    "calls", "in_time", "goodput_rps", "ttft_p50_s", "ttft_p99_s", "tpot_p99_s", "e2e_p99_s",
    "tries_per_call", "machine_usd", "kwh", "execution_error_usd", "digest",
)  # fmt: skip


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of a sweep with its report, in the same order."""

    scenario: str
    settings: tuple[Setting, ...]
    reports: tuple[Report, ...]

    def _repr_html_(self) -> str:
        """A table for a notebook; it needs nothing else."""
        head = (*keys(self.settings[0]), *_FIGURES)
        rows = [
            (*values(setting), *figures(report))
            for setting, report in zip(self.settings, self.reports, strict=True)
        ]
        return tables.table(f"{self.scenario}: {len(rows)} runs", head, rows)


@click.command("sweep")
@click.argument("scenario", type=click.Path(dir_okay=False))
@click.option("--vary", multiple=True, help="KEY=A,B,C; several: every combination.")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--jobs", type=click.IntRange(1), default=None, help="At a time [all cores].")
@click.option(
    "--on", "where", default=sim_ray.HERE, show_default=True, callback=sim_ray.checked,
    help="here, ray, or ray://HOST:PORT; needs the extra `ray`.",
)  # fmt: skip
@sim_plot.option
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(
    scenario: str,
    vary: tuple[str, ...],
    seeds: int,
    out: Path,
    jobs: int | None,
    where: str,
    plot: Path | None,
    output: str,
) -> None:
    """Run SCENARIO under every combination of settings; a CSV table on stdout.

    Each run's report is kept in the folder --out. A sweep that was interrupted goes on where it
    stopped when it is started again; a changed scenario or version begins anew.
    """
    base = sim_input.load(scenario)
    settings = combinations(vary, base.scenario.seed, seeds)
    for setting in settings:  # a wrong key is told before the first run, not after an hour
        sim_input.load(scenario, setting)
    out.mkdir(parents=True, exist_ok=True)
    content = Path(scenario).read_bytes()
    places = {setting: out / f"{key(content, setting)}.json" for setting in settings}
    missing = [setting for setting in settings if not places[setting].exists()]
    kept = len(settings) - len(missing)
    click.echo(f"{len(settings)} runs, {kept} of them kept in {out}", err=True)
    begun = time.monotonic()
    for number, (setting, report) in enumerate(runs(scenario, missing, jobs, where), 1):
        _write(places[setting], report)
        left_s = (time.monotonic() - begun) / number * (len(missing) - number)
        text = f"{kept + number}/{len(settings)} {' '.join(setting)} ({left_s:.0f} s left)"
        click.echo(text, err=True)
    reports = tuple(sim_pool.read(places[one].read_bytes()) for one in settings)
    result = Sweep(scenario=base.name, settings=tuple(settings), reports=reports)
    if plot is not None:
        sim_plot.write(plot, base.name, result, lambda it: _draw(it, result))
    click.echo(as_json(result) if output == "json" else table(settings, reports))


def runs(
    scenario: str, settings: Sequence[Setting], jobs: int | None, where: str
) -> Iterator[tuple[Setting, bytes]]:
    """(setting, its report as JSON) as the runs end; the bytes do not depend on `where`."""
    if not settings:
        return
    if where == sim_ray.HERE:
        with sim_pool.pool(jobs or sim_pool.jobs_default()) as workers:
            here = [(one, sim_pool.run_one, (scenario, one)) for one in settings]
            yield from sim_pool.each(workers, here)
        return
    plans = [sim_input.load(scenario, one) for one in settings]
    files: dict[tuple[str, ...], Any] = {}
    with sim_ray.pool(where, jobs) as machines:
        for plan in plans:
            if plan.files() not in files:
                files[plan.files()] = machines.share(sim_ray.contents(plan))
        there = [
            (one, sim_ray.run_shipped, (plan, files[plan.files()]))
            for one, plan in zip(settings, plans, strict=True)
        ]
        yield from sim_pool.each(machines, there)


def _draw(figure: Any, result: Sweep) -> None:
    """The four figures that say most, over the settings."""
    shown: dict[str, list[float]] = {
        "in time": [one.total.in_time_ratio for one in result.reports],
        "goodput, calls/s": [one.total.goodput_rps for one in result.reports],
        "TTFT p99, s": [one.total.ttft_s.p99 for one in result.reports],
        "execution error, USD": [one.execution_error_usd for one in result.reports],
    }
    sim_plot.sweep(figure, result.settings, shown)


def combinations(vary: Sequence[str], seed: int, seeds: int) -> list[Setting]:
    """Every combination of the values, with each seed. UsageError for a form that is wrong."""
    axes: list[list[str]] = []
    for text in vary:
        name, equals, values = text.partition("=")
        if not equals or not values:
            raise click.UsageError(f"--vary {text!r} is not KEY=A,B,C")
        axes.append([f"{name}={value}" for value in values.split(",")])
    axes.append([f"seed={seed + i}" for i in range(seeds)])
    return list(itertools.product(*axes))


def key(content: bytes, setting: Setting) -> str:
    """The name of a run's file: equal only for an equal scenario, setting and version."""
    told = "\n".join([__version__, *setting]).encode()
    return sha256(content + b"\0" + told).hexdigest()[:20]


def _write(place: Path, report: bytes) -> None:
    """Whole or not at all: a run cut off while it is written is run again."""
    part = place.with_suffix(".part")
    part.write_bytes(report)
    part.replace(place)


def keys(setting: Setting) -> list[str]:
    """The keys that a setting sets."""
    return [part.partition("=")[0] for part in setting]


def values(setting: Setting) -> list[str]:
    """What it sets them to."""
    return [part.partition("=")[2] for part in setting]


def table(settings: Sequence[Setting], reports: Sequence[Report]) -> str:
    """CSV: the settings, then the figures."""
    lines = [",".join([*keys(settings[0]), *_FIGURES])]
    for setting, report in zip(settings, reports, strict=True):
        lines.append(",".join([*values(setting), *figures(report)]))
    return "\n".join(lines)


def as_json(result: Sweep) -> str:
    """A list of runs for a program: what was set, and the whole report."""
    told = [
        {"set": dict(zip(keys(setting), values(setting), strict=True)), "report": report}
        for setting, report in zip(result.settings, result.reports, strict=True)
    ]
    return msgspec.json.format(msgspec.json.encode(told)).decode()


def figures(report: Report) -> list[str]:
    """One run's figures, in the order of the table's columns."""
    total = report.total
    numbers = (
        total.in_time_ratio,
        total.goodput_rps,
        total.ttft_s.p50,
        total.ttft_s.p99,
        total.tpot_s.p99,
        total.e2e_s.p99,
        total.tries_per_call,
        report.machine_usd,
        sum(pool.joules for pool in report.pools) / 3.6e6,
        report.execution_error_usd,
    )
    return [str(total.calls), *(f"{number:.6g}" for number in numbers), report.digest[:12]]
