"""How does the outcome depend on settings? (`flyball sweep SCENARIO --vary KEY=A,B,C`)"""

import itertools
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import click

from flyball import __version__
from flyball.cli import sim_input, sim_pool
from flyball.sim.report import Report

Setting = tuple[str, ...]

_FIGURES = (
    "calls", "in_time", "goodput_rps", "ttft_p50_s", "ttft_p99_s", "tpot_p99_s", "e2e_p99_s",
    "tries_per_call", "machine_usd", "kwh", "execution_error_usd", "digest",
)  # fmt: skip


@click.command("sweep")
@click.argument("scenario", type=click.Path(dir_okay=False))
@click.option("--vary", multiple=True, help="KEY=A,B,C; several: every combination.")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--jobs", type=click.IntRange(1), default=None, help="At a time [all cores].")
def command(scenario: str, vary: tuple[str, ...], seeds: int, out: Path, jobs: int | None) -> None:
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
    with sim_pool.pool(jobs or sim_pool.jobs_default()) as workers:
        tasks = [(one, sim_pool.run_one, (scenario, one)) for one in missing]
        for number, (setting, report) in enumerate(sim_pool.each(workers, tasks), 1):
            _write(places[setting], report)
            left_s = (time.monotonic() - begun) / number * (len(missing) - number)
            text = f"{kept + number}/{len(settings)} {' '.join(setting)} ({left_s:.0f} s left)"
            click.echo(text, err=True)
    click.echo(table(settings, [sim_pool.read(places[one].read_bytes()) for one in settings]))


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


def table(settings: Sequence[Setting], reports: Sequence[Report]) -> str:
    """CSV: the settings, then the figures."""
    names = [part.partition("=")[0] for part in settings[0]]
    lines = [",".join([*names, *_FIGURES])]
    for setting, report in zip(settings, reports, strict=True):
        values = [part.partition("=")[2] for part in setting]
        lines.append(",".join([*values, *figures(report)]))
    return "\n".join(lines)


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
