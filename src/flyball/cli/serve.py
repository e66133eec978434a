"""How is the governed gateway started from a shell?"""

import sys
from pathlib import Path

import click


@click.command(name="serve")
@click.argument("fleet", type=click.Path(path_type=Path), metavar="FLEET.YAML")
@click.option("--host", help="Address to listen on, instead of the file's.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="Port, instead of the file's; 0 = any free one."
)
@click.option("--workers", type=click.IntRange(1, 128), help="Processes that share the port.")
@click.option(
    "--mode",
    type=click.Choice(["observe", "enforce"]),
    help="observe = decide and record, but let the baseline place the work.",
)
@click.option(
    "--log",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the ledger, instead of the file's.",
)
def command(
    fleet: Path,
    host: str | None,
    port: int | None,
    workers: int | None,
    mode: str | None,
    log: Path | None,
) -> None:
    """Run the governed gateway in front of a fleet.

    It serves until SIGTERM or Ctrl-C, then lets running requests end (a second signal stops at
    once). SIGHUP reads the file again; a bad file changes nothing.

    Exit codes: 0 ended as asked, 1 the file is bad or records were lost, 2 it could not start.
    """
    try:
        from flyball.serve.process.run import Overrides, serve
    except ModuleNotFoundError as missing:
        click.echo(
            f"flyball: serving needs {missing.name}, which is not installed.\n"
            "    Install it: pip install 'flyball[serve]'",
            err=True,
        )
        sys.exit(2)
    overrides = Overrides(host=host, port=port, workers=workers, mode=mode, log=log)
    sys.exit(serve(fleet, overrides))
