"""What does a running gateway say of its loops, and how is it told what an operator wants?"""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import click

TIMEOUT_S = 5.0
PATH = "/v1/flyball/loops"
KEY_ENV = "FLYBALL_ADMIN_KEY"


def fetch(url: str) -> dict[str, Any]:
    """The gateway's page of loops; ends the command with code 2 where there is none."""
    return _ask(url, None)


def tell(url: str, act: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out an operator's act, with the key of `KEY_ENV` if it is set; the page afterwards."""
    return _ask(url, act)


def _ask(url: str, act: Mapping[str, Any] | None) -> dict[str, Any]:
    address = f"{url.rstrip('/')}{PATH}"
    request = urllib.request.Request(address)
    if act is not None:
        request.data = json.dumps(act).encode()
        request.add_header("content-type", "application/json")
        if key := os.environ.get(KEY_ENV):
            request.add_header("authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            page = json.load(answer)
        if not isinstance(page, dict) or "loops" not in page:
            raise ValueError("the answer is no page of loops")
        return page
    except urllib.error.HTTPError as fault:
        _end_refused(address, fault)
    except (urllib.error.URLError, TimeoutError, ValueError, OSError) as fault:
        reason = str(getattr(fault, "reason", "") or fault)
        click.echo(
            f"flyball: nothing of its loops from {address}: {reason}.\n"
            "    Is a gateway running there? Start one with `flyball serve`, or give --url.",
            err=True,
        )
    sys.exit(2)


def _end_refused(address: str, fault: urllib.error.HTTPError) -> None:
    """The gateway understood and refused (1), or is none of this version (2)."""
    try:
        said = json.load(fault)["error"]
        text = said if isinstance(said, str) else said["message"]
    except (ValueError, KeyError, TypeError):
        text = f"it answers {fault.code} {fault.reason}"
    step = f" Set {KEY_ENV} to the operators' key." if fault.code == 403 else ""
    click.echo(f"flyball: {address} refused: {text}.{step}", err=True)
    sys.exit(1)
