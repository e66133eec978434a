"""Which keys may a fleet file have? (The JSON Schema, for editors and other tools.)"""

import click

from flyball.serve.config.schema import schema_text


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of the fleet file.

    Editors use it when the file begins with
    `# yaml-language-server: $schema=PATH/flyball.v1.json`.
    """
    click.echo(schema_text(), nl=False)
