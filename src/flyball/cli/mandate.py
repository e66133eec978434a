"""`flyball mandate`: how is a mandate granted, narrowed, read, listed, revoked?"""

from importlib import import_module

import click

# name -> (file of this package, one-line help): a command's file is imported when it is run.
COMMANDS = {
    "login": ("mandate_login", "Log in at your identity provider, by device code."),
    "grant": ("mandate_grant", "Grant a mandate to a person, signed by a root key."),
    "attenuate": ("mandate_attenuate", "Pass on less than you have, offline."),
    "inspect": ("mandate_inspect", "Say what a mandate allows and who is in its chain."),
    "request-approval": ("mandate_request", "Ask a person to approve one action."),
    "list": ("mandate_list", "List the mandates granted here."),
    "revoke": ("mandate_revoke", "Revoke a mandate and all that descends from it."),
}


class MandateGroup(click.Group):
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


@click.group("mandate", cls=MandateGroup)
def command() -> None:
    """Delegation from a person to agents: tokens that are ordinary API keys.

    Keys of roots, approvers and holders are made by `flyball people new-key NAME`; a root's NAME is
    its number.
    """
