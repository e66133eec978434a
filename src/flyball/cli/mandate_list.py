"""`flyball mandate list`: which mandates were granted here, and do they still hold?"""

import time
from pathlib import Path

import click
import msgspec

from flyball.cli.mandate_input import faults


@click.command("list")
@click.option(
    "--register", "register_file", required=True,
    type=click.Path(path_type=Path, dir_okay=False), help="The file that `grant` wrote.",
)  # fmt: skip
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(register_file: Path, output: str) -> None:
    """List the mandates granted here, newest last. Neither tokens nor keys are shown."""
    from flyball.serve.identity.register import Register

    with faults():
        entries = Register(register_file).entries
    at = time.time()
    if output == "json":
        shown = [
            {**msgspec.structs.asdict(one), "token": "", "is_opaque": bool(one.key_sha256)}
            for one in entries
        ]
        click.echo(msgspec.json.encode(shown))
        return
    for one in entries:
        left = one.expires_at - at
        state = f"{left / 3600:.1f} h left" if left > 0 else "expired"
        click.echo(f"{one.human}  {one.tenant or '-'}  {state}  {one.id}")
