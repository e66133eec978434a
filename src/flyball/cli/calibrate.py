"""Which profile fits this benchmark log? (`flyball calibrate LOG`)"""

import sys
from pathlib import Path

import click
import msgspec
from msgspec.structs import replace

from flyball.cli.benchfiles import read_table, start_profile
from flyball.dialects import benchlog
from flyball.dialects.profiles import catalogue
from flyball.model.profile import Profile, StepCost
from flyball.sim.calibrate import Calibrated, to_points, to_requests, to_stages

REQUESTS_MAX = 5000
NEUTRAL_BASE = "h100/llama-3.1-8b"  # all that is timed is overridden
LOOSE = 0.3  # a coefficient of which the data told less than this is said to be the start's


@click.command("calibrate")
@click.argument("log", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--start",
    required=True,
    metavar="NAME",
    help="Profile of the catalogue, a JSON file, or ACCELERATOR:MODEL:COUNT:PRECISION:ENGINE.",
)
@click.option("--run", default="", help="Only this run of a per-request log.")
@click.option("--seqs-max", type=click.IntRange(1), help="The engine's limit of its batch.")
@click.option("--step-tokens-max", type=click.IntRange(1), help="The engine's tokens per step.")
@click.option("--name", default="", help="Name of the new profile.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it as JSON.")
def command(
    log: Path,
    start: str,
    run: str,
    seqs_max: int | None,
    step_tokens_max: int | None,
    name: str,
    out: Path | None,
) -> None:
    """Fit a profile to LOG: one row per request, per load stage, or per operating point.

    Prints each coefficient with one standard error, and the section to put under `pools.NAME` of a
    fleet file. The engine's limits matter more than any coefficient: give them. Exit code 2: the
    log could not be used.
    """
    try:
        file, rows = read_table(log)
        begin = start_profile(start, seqs_max, step_tokens_max)
        found, what = _calibrated(rows, file.name, begin, run)
    except ValueError as error:
        click.echo(f"flyball calibrate: {error}", err=True)
        sys.exit(2)
    fitted = replace(
        found.profile,
        name=name or f"{begin.name}-calibrated",
        source=f"fitted to {what} from {file.name}, from {begin.name}",
        error=f"median error on the rows of the fit {found.error:.1%}",
    )
    click.echo(f"{what}: median error {found.error:.1%}", err=True)
    for dial, (value, error, told) in found.dials.items():
        loose = "   (the log says little of it: the start's)" if told < LOOSE else ""
        click.echo(f"{dial:28} {value:10.3e} s ± {error:5.1%}{loose}", err=True)
    if out:
        try:
            out.write_bytes(msgspec.json.format(msgspec.json.encode(fitted), indent=1) + b"\n")
        except OSError as error:
            click.echo(f"flyball calibrate: --out {out}: {error.strerror}", err=True)
            sys.exit(2)
        click.echo(f"written to {out}", err=True)
    click.echo(fleet_section(fitted, start if start in catalogue() else NEUTRAL_BASE))


def _calibrated(
    rows: list[benchlog.Row], place: str, begin: Profile, run: str
) -> tuple[Calibrated, str]:
    kind = benchlog.kind_of(rows[0])
    if kind == "stages":
        stages = [row for row in benchlog.stage_rows(rows, place) if row.failed == 0]
        return to_stages(begin, stages), f"{len(stages)} load stages"
    if kind == "points":
        points = benchlog.point_rows(rows, place)
        return to_points(begin, points), f"{len(points)} operating points"
    if kind != "per-request":
        raise benchlog.BenchError(f"{place}: a table of layout {kind} says nothing of step costs")
    runs = benchlog.runs_of(benchlog.request_rows(rows, place))
    if run not in runs and (run or len(runs) > 1):
        raise benchlog.BenchError(f"{place}: choose one with --run: {', '.join(runs)}")
    own = (runs[run] if run else next(iter(runs.values())))[:REQUESTS_MAX]
    return to_requests(begin, own, [True] * len(own)), f"{len(own)} requests"


def fleet_section(profile: Profile, base: str) -> str:
    """The `profile` section of a pool in a fleet file; `base` = a name of the catalogue."""
    lines = [f"# {profile.source}", "profile:", f"  base: {base}"]
    for part, cost in (("decode", profile.decode), ("mixed", profile.mixed)):
        lines += [f"  {part}:", *(f"    {key}: {value:.6g}" for key, value in _figures(cost))]
    limits, power = profile.limits, profile.power
    lines += [
        f"  seqs_max: {limits.seqs_max}",
        f"  step_tokens_max: {limits.step_tokens_max}",
        f"  kv_tokens_max: {limits.kv_tokens_max}",
        f"  block_tokens: {limits.block_tokens}",
        f"  idle_watts: {power.idle_watts:.6g}",
        f"  full_watts: {power.full_watts:.6g}",
        f"  request_overhead_ms: {profile.request_overhead_s * 1e3:.6g}",
    ]
    return "\n".join(lines)


def _figures(cost: StepCost) -> list[tuple[str, float]]:
    return [
        ("base_ms", cost.base_s * 1e3),
        ("per_seq_us", cost.per_seq_s * 1e6),
        ("per_kv_token_ns", cost.per_kv_token_s * 1e9),
        ("per_prefill_token_us", cost.per_prefill_token_s * 1e6),
        ("per_prefill_context_ns", cost.per_prefill_context_s * 1e9),
    ]
