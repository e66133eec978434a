"""`flyball incident`: how are incidents with known truth made, run and scored?"""

from importlib import import_module

import click

# name -> (file of this package, one-line help): a command's file is imported when it is run.
COMMANDS = {
    "list": ("incident_list", "List the scenarios that can be made."),
    "make": ("incident_make", "Make folders of recorded incidents, each with its truth."),
    "run": ("incident_run", "Run a detector over folders; it never sees the truth."),
    "score": ("incident_score", "Score what detectors told: lead, misses, false alarms, loops."),
}


class IncidentGroup(click.Group):
    """A group that imports a command's file when the command is run, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return import_module(f"flyball.cli.{COMMANDS[cmd_name][0]}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group("incident", cls=IncidentGroup)
def command() -> None:
    """Incidents with a known truth, to judge detectors by.

    A folder holds signals.csv (or .parquet), loops.yaml, a change-SECONDS.yaml for each change and
    truth.yaml. A detector reads the signals and writes a finding a line:
    {"at": 600, "kind": "gain margin", "loops": ["router"]}.
    """
