"""How does a named person call a governor's oversight door, and what if it says no?"""

import json
import secrets
import ssl
import stat
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from flyball.authority.revocation.revocation import Event
    from flyball.authority.revocation.signer import Signer

TIMEOUT_S = 10.0
URL = "http://127.0.0.1:8090"
KEY_ENV = "FLYBALL_PERSON_KEY"


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Who calls, which governor, and in which form the answer is printed."""
    for one in (
        click.option(
            "-o", "--output", type=click.Choice(["text", "json"]), default="text",
            show_default=True, help="json = the door's answer.",
        ),
        click.option(
            "--ca", type=click.Path(dir_okay=False), help="PEM file: CA of an https URL."
        ),
        click.option(
            "--url", default=URL, show_default=True, envvar="FLYBALL_OVERSIGHT_URL",
            help="The governor's oversight door.",
        ),
        click.option(
            "--key", "key_file", envvar=KEY_ENV, type=click.Path(path_type=Path, dir_okay=False),
            help=f"Your key file, as `flyball people new-key` made it (or {KEY_ENV}).",
        ),
    ):  # fmt: skip
        command = one(command)
    return command


class Door:
    """A governor's door as one person sees it. Faults end the command with a message."""

    def __init__(self, url: str, key_file: Path | None, ca: str | None = None) -> None:
        self._url = url.rstrip("/")
        self.signer = signer(key_file)
        self._tls = ssl.create_default_context(cafile=ca) if ca else None
        self._site = ""

    @property
    def site(self) -> str:
        """The governor's site, as it says."""
        if not self._site:
            about = self._send(urllib.request.Request(f"{self._url}/flyball/about"))
            self._site = str(about.get("site", ""))
        return self._site

    def call(self, method: str, target: str, body: bytes = b"") -> dict[str, Any]:
        """A call signed by this person; the answer."""
        from flyball.authority.revocation.calls import sign_call

        call_id = secrets.token_hex(16)
        said = sign_call(self.signer, call_id, self.site, method, target, body, time.time())
        fields = {"authorization": said, "content-type": "application/json"}
        data = body if method == "POST" else None
        address = f"{self._url}{target}"
        return self._send(urllib.request.Request(address, data, fields, method=method))

    def order(self, event: "Event") -> dict[str, Any]:
        """Give a signed order; what became of it."""
        from flyball.authority.revocation.revocation import EventError, sign_event

        try:
            raw = sign_event(event, self.signer)
        except EventError as error:
            fail(f"{error}.", 2)
        return self.call("POST", "/flyball/orders", raw)

    def _send(self, request: urllib.request.Request) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=self._tls) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as fault:
            fail(f"{request.full_url} refused: {_said(fault)}.", 1)
        except (urllib.error.URLError, ValueError, OSError) as fault:
            reason = getattr(fault, "reason", "") or fault
            step = "Is its `oversight` door open there? Give --url."
            fail(f"nothing from {request.full_url}: {reason}. {step}", 2)
        if not isinstance(found, dict):
            fail(f"{request.full_url} is no oversight door. Give --url.", 2)
        return found


def signer(key_file: Path | None) -> "Signer":
    """The person's key; ends the command with code 2 if there is none to be used."""
    from flyball.authority.revocation.signer import KeyTextError, Signer

    if key_file is None:
        raise click.UsageError(f"name your key file with --key or {KEY_ENV}.")
    try:
        if key_file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            fail(f"{key_file} can be read by others: chmod 600 it.", 2)
        return Signer.parse(key_file.read_text())
    except (KeyTextError, UnicodeDecodeError) as error:
        fail(f"{key_file} is no key file: {error}.", 2)
    except OSError as error:
        fail(f"{key_file} cannot be read: {error.strerror}. `flyball people new-key` makes one.", 2)


def show(answer: dict[str, Any], output: str) -> None:
    """What became of an order, on stdout."""
    if output == "json":
        click.echo(json.dumps(answer, separators=(",", ":")))
        return
    waits = answer.get("waits_for_second_person")
    if waits is not None:
        left = max(0.0, waits["ends_at"] - time.time())
        click.echo(
            f"{waits['act']} {waits['scope']} waits for a second person, {left:.0f} s more:\n"
            f"  flyball people confirm {waits['id']}"
        )
        return
    effect = f", {answer['cut']} cut within {answer['effect_s']:.2f} s so far"
    again = "" if answer["is_new"] else " (was already)"
    click.echo(
        f"{answer['act']} {answer['scope']} in force{again}: order {answer['id']}"
        + (effect if answer["act"] in ("stop", "revoke") else "")
    )


def fail(text: str, code: int) -> NoReturn:
    """End the command."""
    click.echo(f"flyball: {text}", err=True)
    sys.exit(code)


def _said(fault: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(fault)["error"])
    except (ValueError, KeyError, TypeError):
        return f"it answers {fault.code} {fault.reason}"
