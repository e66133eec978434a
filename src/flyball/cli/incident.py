"""`flyball incident`: how are incidents with known truth made, run and scored?"""

import click

from flyball.cli.group import LazyGroup

# name -> (file of this package, one-line help): a command's file is imported when it is run.
COMMANDS = {
    "list": ("incident_list", "List the scenarios that can be made."),
    "make": ("incident_make", "Make folders of recorded incidents, each with its truth."),
    "run": ("incident_run", "Run a detector over folders; it never sees the truth."),
    "score": ("incident_score", "Score what detectors told: lead, misses, false alarms, loops."),
}


@click.group("incident", cls=LazyGroup, files=COMMANDS)
def command() -> None:
    """Incidents with a known truth, to judge detectors by.

    A folder holds signals.csv (or .parquet), loops.yaml, a change-SECONDS.yaml for each change and
    truth.yaml. A detector reads the signals and writes a finding a line:
    {"at": 600, "kind": "gain margin", "loops": ["router"]}.
    """
