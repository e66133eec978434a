"""How does Flyball's warning stand beside the usual detectors? Writes incidents.md and .json.

    python docs/results/make_incidents.py FOLDER --minutes 20 [--river PYTHON] [--tigramite PYTHON]

makes the folders that are missing below FOLDER and runs the detectors that were not run, as far as
the minutes go, then scores what is there; minutes 0 only scores. Thresholds of the baselines are
tuned on the tuning half (seeds below 100), all scores are of the judging half. PYTHON = one with
river, or tigramite, which Flyball does not depend on; without, their rows say so.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import run
from typing import Any, Literal

import msgspec
import numpy as np

from flyball.cli import incident_files as files
from flyball.cli.incident_run import OWN
from flyball.cli.incident_score import HEAD, cells
from flyball.diagnosis.signals import Signals
from flyball.sim.incidents import baselines, ours
from flyball.sim.incidents.neutrals import FLEETS, POOLS
from flyball.sim.incidents.scenario import Scenario, recorded
from flyball.sim.incidents.scenarios import PUBLISHED, RAMPS, STEPS
from flyball.sim.incidents.score import Case, Score, score

HERE = Path(__file__).parent
JUDGING, TUNING = 101, 1
# Of the time, for folders and Flyball's own findings; the rest is for the other detectors.
_FILL_SHARE = 0.6
COMMAND = "python docs/results/make_incidents.py FOLDER --minutes 20 --river P --tigramite P"
TITLES = {
    "all": "All",
    "published": "Published incidents I1-I20, on small plants (without I9, which is neutral)",
    "fleet": "Ramps and steps on the fleet whose structure the twin shares",
    "unlike": "Ramps on plants unlike the twin: discrete events, other queue laws, unknown loops",
}
NOTES = (
    "Small pools (I1-I20) and their loops files were written by the same hands as the detector:",
    "what a loops file states, a conflict found in it is no surprise, and such leads last from the",
    "first row on. The ramps say more. A step is told by the twin or the loops file at the moment",
    "before it is applied. Baselines with a tuned threshold got the least with no alarm in the",
    "tuning half's neutral scenarios, I9 left out; burn rate, ADWIN and PCMCI have their own.",
    "Neutral days are mostly of small pools, on which the twin has nothing to say: the fleet's own",
    "are told apart above. Programs (ADWIN, Page-Hinkley of river, PCMCI) ran on the large fleet",
    "alone, as far as the time went. Burn rate speaks after harm, if at all in the half hour kept.",
    "Not in the judged days: a calm discrete-event fleet of the tuning half, on which the probe of",
    "sensitivity alarmed falsely twice in five hours, and which is not mended; there it also names",
    "the wrong loop. Its threshold suits the other plants only. I2 is drift, which none of these",
    "detectors is for.",
)


Half = Literal["tuning", "judging"]


def wanted() -> Iterator[tuple[Scenario, int, Half]]:
    """Scenarios with seed and half, the most telling first."""
    for one in (*PUBLISHED, *POOLS):
        copies = 3 if one.plant == "pool" else 1
        for copy in range(copies):
            yield one, JUDGING + copy, "judging"
    for one in (*STEPS, *RAMPS):
        # Seed 101 of the discrete-event plant was looked at before the twin's rule was made.
        yield one, JUDGING + (one.plant == "events"), "judging"
    for one in (*POOLS, FLEETS[1]):
        yield one, TUNING, "tuning"
    for one in FLEETS:
        yield one, JUDGING + (one.plant == "events"), "judging"
    for one in (*RAMPS[:4], *STEPS, *FLEETS):
        yield one, JUDGING + 1, "judging"


def fill(place: Path, until: float) -> None:
    """Folders and Flyball's own findings, one after the other."""
    for scenario, seed, half in wanted():
        if time.monotonic() > until:
            return
        folder = place / f"{scenario.name}-{seed}"
        if not (folder / "truth.yaml").exists():
            made = recorded(scenario, seed, half)
            files.write_incident(folder, made, "csv")
        if half == "judging" and not files.findings_file(folder, "flyball").exists():
            shown = files.read_shown(folder)
            told = {
                name: ours.told(shown.signals, shown.graph, shown.announced, parts)
                for name, parts in OWN.items()
                if name != "flyball"
            }
            for name, some in told.items():
                files.keep_findings(folder, name, some)
            every = sorted((one for some in told.values() for one in some), key=lambda one: one.at)
            files.keep_findings(folder, "flyball", tuple(every))
            print(folder.name, len(every), flush=True)


def tuned(tables: list[Signals], name: str) -> float:
    """The least threshold with no alarm in these."""
    one = baselines.BASELINES[name]
    if one.is_given or not tables:
        return one.threshold
    values = [one.statistic(table) for table in tables]
    known = np.concatenate(values)
    known = known[np.isfinite(known)]
    for threshold in np.quantile(known, np.linspace(0.5, 1.0, 400)):
        if not any(baselines.begins(some, float(threshold)) for some in values):
            return float(threshold)
    return float(known.max())


def baseline_rows(judging: list[Path], tuning: list[Path], until: float) -> dict[str, float]:
    """Runs the baselines, on one copy of the neutral pools; returns their thresholds."""
    # I9 harms users from outside: alarming there is what an SLO alarm is for.
    calm = [folder for folder in tuning if not folder.name.startswith("I9")]
    tables = [files.read_signals(files.signals_file(folder)) for folder in calm]
    thresholds = {name: tuned(tables, name) for name in baselines.BASELINES}
    print(thresholds, flush=True)
    for folder in judging:
        if time.monotonic() > until:
            break
        is_again = folder.name.startswith("N") and not folder.name.endswith(f"-{JUDGING}")
        if is_again or all(files.findings_file(folder, name).exists() for name in thresholds):
            continue
        table = files.read_signals(files.signals_file(folder))
        for name, limit in thresholds.items():
            files.keep_findings(folder, name, baselines.told(name, table, limit))
    return thresholds


def programs(judging: list[Path], line: str, name: str, until: float) -> None:
    """A detector that is a program, by the command that any other is run with; on the large
    fleet alone, as they are slow."""
    for folder in judging:
        if not folder.name.startswith(("S", "step", "I8", "Q")):
            continue
        if time.monotonic() < until and not files.findings_file(folder, name).exists():
            words = ["flyball", "incident", "run", str(folder), "--detector", line, "--name", name]
            run([sys.executable, "-m", *words], check=True, capture_output=True)


def cases(folders: list[Path], name: str, spans: dict[Path, tuple[float, float]]) -> list[Case]:
    """What is scored of a detector: the folders where it was run."""
    return [
        Case(
            truth=files.read_truth(folder),
            begin_s=spans[folder][0],
            end_s=spans[folder][1],
            told=files.read_findings(folder, name),
        )
        for folder in folders
        if files.findings_file(folder, name).exists()
    ]


def group(case: Case) -> str:
    """Which table a harmed case belongs to."""
    if case.truth.name.startswith("I"):
        return "published"
    return "fleet" if case.truth.plant == "batching" else "unlike"


def scored(folders: list[Path]) -> dict[str, list[Score]]:
    """Per table the scores of every detector; neutral cases count in "all" alone."""
    spans = {folder: files.read_span(files.signals_file(folder)) for folder in folders}
    tables: dict[str, list[Score]] = {title: [] for title in TITLES}
    for name in files.detectors_of(folders):
        every = cases(folders, name, spans)
        for title, rows in tables.items():
            some = [one for one in every if title == "all" or group(one) == title]
            harmed = [one for one in some if one.truth.form != "neutral"]
            if harmed:
                rows.append(score(name, some if title == "all" else harmed))
    fleets = [one for one in folders if one.name.startswith("Q-")]
    tables["fleet neutral"] = [score("flyball", cases(fleets, "flyball", spans))]
    return tables


def order(one: Score) -> tuple[bool, float]:
    """Flyball's rows first, then by what was found."""
    every = one.forms["all"]
    return not one.detector.startswith("flyball"), -(every.share or 0.0)


def page(tables: dict[str, list[Score]], thresholds: dict[str, float], absent: list[str]) -> str:
    """incidents.md."""
    own = next(one for one in tables["all"] if one.detector == "flyball")
    quiet = tables["fleet neutral"][0]
    text = ["# Incidents with known truth: how early, how falsely, how rightly?", ""]
    text += [f"Made by `{COMMAND}`. Scored on the judging half (seeds from 101 on).", ""]
    text += ["Lead in minutes before harm (over 2 % of tasks bad for ten minutes), a miss as 0;"]
    text += ["`ramps` = median (10 %) and found; `steps quick` = before applied or within two loop"]
    text += ["periods; `upper` = 95 % bound of false alarms per 30 system-days.", ""]
    text += ["## Flyball against its aims, all judged scenarios", "", *aims(own), ""]
    for title, words in TITLES.items():
        text += [f"## {words}", "", line(*HEAD), line(*("---" for _ in HEAD))]
        text += [line(*cells(one)) for one in sorted(tables[title], key=order)]
        text += [""]
    bound = f"{quiet.false_alarms} false alarms of Flyball in {quiet.quiet_days:.1f} days of the "
    text += [
        bound + f"neutral four-loop fleet (upper {quiet.bound or 0:.0f} per 30: few days).",
        "",
    ]
    text += [f"Missed by Flyball: {', '.join(own.missed) or 'none'}.", ""]
    text += [f"False alarms of Flyball: {', '.join(own.alarmed) or 'none'}.", ""]
    limits = ", ".join(f"{name} {limit:.3g}" for name, limit in thresholds.items())
    text += [f"Thresholds of the baselines: {limits}.", *absent, "", *NOTES]
    return "\n".join(text) + "\n"


def aims(own: Score) -> Iterator[str]:
    """What was to be reached, and whether it was."""
    ramps, every = own.forms["ramp"], own.forms["all"]
    rows = (
        ("ramps: median lead, min", ramps.median_min, ">= 60", (ramps.median_min or 0) >= 60),
        ("ramps: 10 % quantile, min", ramps.low_min, ">= 20", (ramps.low_min or 0) >= 20),
        ("found before harm", every.share, ">= 0.95", (every.share or 0) >= 0.95),
        ("false alarms per 30 days, upper bound", own.bound, "<= 1", (own.bound or 9) <= 1),
        ("steps told in time", own.quick / max(own.steps, 1), "all", own.quick == own.steps),
        ("first loop right", own.loop_right, ">= 0.95", (own.loop_right or 0) >= 0.95),
        ("kind right", own.kind_right, ">= 0.90", (own.kind_right or 0) >= 0.90),
    )
    yield from (line("aim", "reached", "asked", "met"), line(*("---" for _ in range(4))))
    for words, value, asked, is_met in rows:
        yield line(words, f"{value or 0.0:.3g}", asked, "yes" if is_met else "no")


def line(*parts: str) -> str:
    """A row of a table."""
    return f"| {' | '.join(parts)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("place", type=Path)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--river")
    parser.add_argument("--tigramite")
    asked = parser.parse_args()
    begin = time.monotonic()
    until = begin + 60.0 * asked.minutes
    fill(asked.place, begin + _FILL_SHARE * 60.0 * asked.minutes)
    folders = files.incident_folders((asked.place,))
    halves: dict[str, list[Path]] = {"tuning": [], "judging": []}
    for folder in folders:
        halves[files.read_truth(folder).half].append(folder)
    kept = HERE / "incidents.json"
    thresholds = baseline_rows(halves["judging"], halves["tuning"], until)
    absent = []
    for name, python, script in (
        ("adwin", asked.river, f"{HERE / 'detect_river.py'} adwin"),
        ("page-hinkley-river", asked.river, f"{HERE / 'detect_river.py'} page-hinkley"),
        ("pcmci", asked.tigramite, str(HERE / "detect_pcmci.py")),
    ):
        if python:
            programs(halves["judging"], f"{python} {script}", name, until)
        else:
            absent.append(f"{name}: not run, its library is not installed here.")
    tables = scored(halves["judging"])
    data: dict[str, Any] = {"command": COMMAND, "thresholds": thresholds}
    data["tables"] = msgspec.to_builtins(tables)
    kept.write_text(json.dumps(data, indent=1) + "\n")
    (HERE / "incidents.md").write_text(page(tables, thresholds, absent))


if __name__ == "__main__":
    main()
