"""`flyball incident score`: how early, how falsely and how rightly did detectors tell?"""

from pathlib import Path

import click
import msgspec

from flyball.cli import incident_files as files
from flyball.cli.file_shape import CannotUse
from flyball.sim.incidents.score import Case, Lead, Score, score

HEAD = (
    *("detector", "found", "lead min", "10 %", "ramps", "steps quick"),
    *("false", "days", "/30 d", "upper", "loop", "kind"),
)


@click.command("score")
@click.argument(
    "places", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option("--detector", multiple=True, help="Only these; default: all whose findings are kept.")
@click.option("--half", type=click.Choice(["tuning", "judging"]), help="Only folders of this half.")
@click.option("--misses", is_flag=True, help="Name what was missed and what alarmed falsely.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(
    places: tuple[Path, ...],
    detector: tuple[str, ...],
    half: str | None,
    misses: bool,
    output: str,
) -> None:
    """Score the findings kept in incidents' folders against their truths.

    Lead = minutes from the first finding to harm, a miss counting as 0; median and 10 % quantile
    over all that harmed, and the median over ramps. Steps quick = told before they were applied or
    within two loop periods. /30 d = false alarms per 30 system-days, upper = its 95 % bound.
    """
    folders = files.incident_folders(places)
    truths = {folder: files.read_truth(folder) for folder in folders}
    chosen = [one for one in folders if half is None or truths[one].half == half]
    if not chosen:
        raise CannotUse(f"none of {len(folders)} folders is of the {half} half")
    names = list(detector) or files.detectors_of(chosen)
    if not names:
        raise CannotUse("no detector was run here: `flyball incident run FOLDER --detector NAME`")
    spans = {one: files.read_span(files.signals_file(one)) for one in chosen}
    scores = [
        score(
            name,
            [
                Case(
                    truth=truths[one],
                    begin_s=spans[one][0],
                    end_s=spans[one][1],
                    told=files.read_findings(one, name),
                )
                for one in chosen
            ],
        )
        for name in names
    ]
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(scores), indent=1).decode())
        return
    click.echo(table(scores))
    for one in scores if misses else ():
        click.echo(f"\n{one.detector}\n  missed: {', '.join(one.missed) or 'none'}")
        click.echo(f"  false alarms: {', '.join(one.alarmed) or 'none'}")


def table(scores: list[Score]) -> str:
    """A row for each detector."""
    rows = [HEAD, *(cells(one) for one in scores)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def cells(one: Score) -> tuple[str, ...]:
    """One detector's row, as texts."""
    every, ramps = one.forms["all"], one.forms.get("ramp")
    return (
        one.detector,
        f"{every.found}/{every.harmed}",
        _figure(every.median_min),
        _figure(every.low_min),
        _ramps(ramps),
        f"{one.quick}/{one.steps}",
        str(one.false_alarms),
        _figure(one.quiet_days),
        _figure(one.rate, 1),
        _figure(one.bound, 1),
        _percent(one.loop_right),
        _percent(one.kind_right),
    )


def _ramps(lead: Lead | None) -> str:
    if lead is None:
        return "-"
    return f"{_figure(lead.median_min)} ({_figure(lead.low_min)}) {lead.found}/{lead.harmed}"


def _figure(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
