"""`flyball mandate`: how is a mandate granted, narrowed, read, listed, revoked?"""

import click

from flyball.cli.group import LazyGroup

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


@click.group("mandate", cls=LazyGroup, files=COMMANDS)
def command() -> None:
    """Delegation from a person to agents: tokens that are ordinary API keys.

    Keys of roots, approvers and holders are made by `flyball people new-key NAME`; a root's NAME is
    its number.
    """
