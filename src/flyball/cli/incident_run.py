"""`flyball incident run`: what does a detector tell of these folders, without seeing the truth?"""

import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import click

from flyball.cli import incident_files as files
from flyball.cli.file_shape import CannotUse
from flyball.sim.incidents import baselines, ours
from flyball.sim.incidents.folder import LOOPS, Told, told_of, told_text

OWN = {"flyball": ours.PARTS} | {
    f"flyball-{part.replace(' ', '-')}": (part,) for part in ours.PARTS
}
_SHOWN_ERROR_CHARS = 400


@click.command("run")
@click.argument(
    "places", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option(
    "--detector",
    required=True,
    help=f"One of {', '.join((*OWN, *baselines.BASELINES))}; else a command line, which is given "
    "the path of the signals file and prints findings.",
)
@click.option("--name", default="", help="Under which the findings are kept; default: its own.")
@click.option("--threshold", type=float, help="Of a baseline, in place of its own.")
@click.option("--timeout-s", type=click.FloatRange(min=1.0), default=600.0, show_default=True)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(
    places: tuple[Path, ...],
    detector: str,
    name: str,
    threshold: float | None,
    timeout_s: float,
    output: str,
) -> None:
    """Run a detector over incidents' folders (or folders of them) and keep what it tells.

    A command line runs in a folder of its own that holds the signals, loops.yaml and the changes,
    never the truth.
    """
    is_program = detector not in OWN and detector not in baselines.BASELINES
    if threshold is not None and detector not in baselines.BASELINES:
        raise click.UsageError("--threshold is for a baseline only.")
    name = name or (Path(shlex.split(detector)[-1]).stem if is_program else detector)
    if "/" in name or not name:
        raise click.UsageError(f"--name {name!r} cannot be a file's name.")
    for folder in files.incident_folders(places):
        if is_program:
            told = _by_program(folder, detector, timeout_s)
        else:
            told = _own(folder, detector, threshold)
        files.keep_findings(folder, name, told)
        if output == "json":
            click.echo(told_text(told), nl=False)
        else:
            first = f", first at {told[0].at:.0f} s: {_text(told[0])}" if told else ""
            click.echo(f"{folder.name}: {len(told)} findings{first}")


def _text(one: Told) -> str:
    return f"{one.kind} {' '.join(one.loops)}".strip()


def _own(folder: Path, detector: str, threshold: float | None) -> tuple[Told, ...]:
    shown = files.read_shown(folder)
    if detector in OWN:
        return ours.told(shown.signals, shown.graph, shown.announced, OWN[detector])
    try:
        return baselines.told(detector, shown.signals, threshold)
    except KeyError as error:
        raise CannotUse(f"{folder}: {detector} needs more: {error.args[0]}") from None


def _by_program(folder: Path, line: str, timeout_s: float) -> tuple[Told, ...]:
    table = files.signals_file(folder)
    shown = [table, *(file for _, file in files.changes(folder))]
    if (folder / LOOPS).is_file():
        shown.append(folder / LOOPS)
    with tempfile.TemporaryDirectory() as place:
        for file in shown:
            shutil.copy(file, place)
        words = [*shlex.split(line), str(Path(place) / table.name)]
        try:
            done = subprocess.run(
                words, cwd=place, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except FileNotFoundError:
            raise CannotUse(
                f"no program {words[0]}; --detector takes {', '.join(OWN)}, a baseline, or a "
                "command line"
            ) from None
        except subprocess.TimeoutExpired:
            raise CannotUse(f"{folder}: {words[0]} took longer than {timeout_s:g} s") from None
    if done.returncode:
        tail = done.stderr.strip()[-_SHOWN_ERROR_CHARS:]
        raise CannotUse(f"{folder}: {words[0]} failed with {done.returncode}: {tail}")
    try:
        return told_of(done.stdout)
    except ValueError as error:
        raise CannotUse(f"{folder}: what {words[0]} printed is no finding: {error}") from None
