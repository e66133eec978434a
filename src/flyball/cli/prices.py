"""Which prices are in force at a gateway, how old are they, and may they still be acted on?"""

import json
import sys
import time
import urllib.error
import urllib.request
from typing import Any

import click

TIMEOUT_S = 5.0
WATCH_S = 1.0


@click.command(name="prices")
@click.option(
    "--url", default="http://127.0.0.1:8080", show_default=True, help="Base URL of the gateway."
)
@click.option("--watch", is_flag=True, help="Show them again each second, until Ctrl-C.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json = one object per reading, on a line.",
)
def command(url: str, watch: bool, output: str) -> None:
    """Show the prices now in force.

    Exit codes: 0 the prices may be acted on, 1 there are none or they are too old, 2 the gateway
    cannot be reached.
    """
    try:
        while True:
            page = _fetch(url)
            _show(page, output)
            if not watch:
                sys.exit(0 if page["valid"] else 1)
            time.sleep(WATCH_S)
    except KeyboardInterrupt:
        sys.exit(0)


def _fetch(url: str) -> dict[str, Any]:
    """The gateway's page; ends the command with code 2 where there is none."""
    address = f"{url.rstrip('/')}/v1/flyball/prices"
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:
            page = json.load(answer)
        if not isinstance(page, dict) or "board" not in page:
            raise ValueError("the answer is no page of prices")
        return page
    except urllib.error.HTTPError as fault:
        reason = f"it answers {fault.code} {fault.reason}"
    except (urllib.error.URLError, TimeoutError, ValueError, OSError) as fault:
        reason = str(getattr(fault, "reason", "") or fault)
    click.echo(
        f"flyball: no prices from {address}: {reason}.\n"
        "    Is a gateway running there? Start one with `flyball serve`, or give --url.",
        err=True,
    )
    sys.exit(2)


def _show(page: dict[str, Any], output: str) -> None:
    if output == "json":
        click.echo(json.dumps(page, separators=(",", ":")))
        return
    from rich.console import Console

    console = Console()
    console.print(summary(page), highlight=False)
    if page["board"]["pools"]:
        console.print(_table(page))
    if page.get("objectives"):
        console.print(_contracts(page["objectives"]))


def summary(page: dict[str, Any]) -> str:
    """One line: version, age, validity, gap, mode. `page` is the gateway's JSON."""
    board = page["board"]
    if not board["version"]:
        return "no plan yet: live prices alone decide (a plan needs demand, and a few seconds)"
    left_s = board["valid_until"] - page["at"]
    state = f"valid for {left_s:.1f} s more" if page["valid"] else f"expired {-left_s:.1f} s ago"
    return (
        f"board {board['version']}, {page['age_s']:.1f} s old, {state}, "
        f"gap {board['gap']:.1e}, mode {page['mode']}"
    )


def _contracts(found: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for title in ("objective", "requests", "missed", "budget left", "burn 1h", "kept", "broken"):
        table.add_column(title, justify="right")
    for one in found:
        table.add_row(
            one["class"],
            f"{one['objective']:.3%}",
            str(one["requests"]),
            str(one["missed"]),
            f"{one['budget_left_ratio']:.0%}",
            f"{one['burn']['1h']:.2f}",
            str(one["kept"]),
            str(one["broken"]),
        )
    return table


def _table(page: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("pool")
    for title in ("load", "USD/GPU-hour", "USD/M KV-token-hour", "USD/kWh"):
        table.add_column(title, justify="right")
    for pool in page["board"]["pools"]:
        table.add_row(
            pool["pool"],
            f"{pool['load']:.0%}",
            f"{pool['usd_per_gpu_second'] * 3600:.4f}",
            f"{pool['usd_per_kv_token_second'] * 3600 * 1e6:.6f}",
            f"{pool['usd_per_joule'] * 3.6e6:.4f}",
        )
    return table
