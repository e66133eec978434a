"""How is a command found among its siblings, without importing the others?"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

Files = Mapping[str, tuple[str, str]]
"""name -> (file of this package, one-line help)"""


class LazyGroup(click.Group):
    """A group that imports a command's file when the command is run, not before."""

    def __init__(self, *given: Any, files: Files, **options: Any) -> None:
        super().__init__(*given, **options)
        self._files = files

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._files)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._files:
            return None
        return import_module(f"flyball.cli.{self._files[cmd_name][0]}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._files.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self._files and not name.startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(name, self._files, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)
