"""Which command was asked for? Each command is one file here, imported only when it is used."""

import click

from flyball import __version__
from flyball.cli.group import LazyGroup

# name -> one-line help: kept here so that `flyball --help` imports nothing else.
COMMANDS = {
    "demo": "Run two fleets on the same real traffic here, one governed: 85 seconds.",
    "serve": "Run the governed gateway in front of a fleet.",
    "engine": "Emulate an inference engine over HTTP, with a real engine's timing.",
    "check": "Check a fleet file: all errors at once, with file:line:column.",
    "replay": "Send a recorded trace as live load and report latency and goodput.",
    "sim": "Run a scenario in the simulated world: the same governor, simulated engines.",
    "sweep": "Run a scenario under every combination of settings; resumable.",
    "capacity": "Find the largest load at which every class keeps its promise.",
    "plan": "Place demand on sites and accelerators, and price what is scarce.",
    "compare": "Run two scenarios on the same seeds and tell what differs beyond chance.",
    "explain": "Say why a request was placed, held or refused, price by price.",
    "policy": "Check, test, explain and compare policies written in Cedar.",
    "bundle": "Build, sign, verify, push and pull policy bundles, which travel with the work.",
    "verify": "Verify a log offline, by files and public keys alone.",
    "audit": "Make, or check, a signed package of evidence with a report for people.",
    "log": "Export a log in other formats; seal and open texts that it commits to.",
    "erase": "Destroy the keys of a subject's sealed texts, on record.",
    "mandate": "Grant, narrow, read, list and revoke mandates: delegation from a person to agents.",
    "approve": "Allow one action of an agent, once, as a named person.",
    "conformance": "Run a public conformance suite from a folder in its published layout.",
    "witness": "Vouch for logs: cosign checkpoints that extend what was seen before.",
    "prices": "Show the prices now in force.",
    "advise": "Show the set-points that the loops recommend, and why.",
    "hold": "Freeze a loop's set-points, or all, in one command; release them again.",
    "stop": "Stop work at once, as a named person: nothing new, what runs is cut.",
    "resume": "Let stopped work go on.",
    "override": "Take a loop or an endpoint into your own hands, as a named person.",
    "people": "Keys of people, confirming as the second one, and what the feeds know.",
    "diagnose": "Find loops that are in conflict, also before a change is applied.",
    "incident": "Make incidents with known truth, run detectors over them, and score them.",
    "calibrate": "Fit a profile's step costs to a benchmark log, with their uncertainty.",
    "validate": "Judge the twin on measurements: median and worst error of every row.",
    "schema": "Print the JSON Schema of the fleet file.",
}


@click.group(
    cls=LazyGroup,
    files={name: (name, text) for name, text in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="flyball")
def main() -> None:
    """Flyball governs fleets that serve AI inference.

    Results go to stdout, narration to stderr. Exit codes: 0 yes, 1 the check said no or the run
    failed its aim, 2 the command could not be carried out.
    """
