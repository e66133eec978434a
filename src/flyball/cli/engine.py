"""How is an emulated engine started from the command line?"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import click

from flyball.dialects.profiles import catalogue, profile
from flyball.serve.emulator.app import Settings
from flyball.serve.emulator.faults import KINDS, parse_fault
from flyball.serve.emulator.process import run
from flyball.sim.engine import Engine
from flyball.units import seconds_from_ms


@click.command("engine")
@click.option(
    "--profile", "profile_name", default="h100/llama-3.1-8b", show_default=True,
    help="Accelerator and model whose timing to keep (--list shows all).",
)  # fmt: skip
@click.option("--list", "wants_list", is_flag=True, help="Print the names of all profiles.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8001, show_default=True, type=click.IntRange(0, 65535),
    help="Port to listen on; 0 = any free one.",
)  # fmt: skip
@click.option("--name", default="", help="Name used in ids and narration (default: the profile's).")
@click.option(
    "--served-model", "models", multiple=True,
    help="Model name to answer to; may be given again (default: the profile's model).",
)  # fmt: skip
@click.option(
    "--time-scale", default=1.0, show_default=True, type=click.FloatRange(min=0, min_open=True),
    help="10 = ten times as fast as the real thing.",
)  # fmt: skip
@click.option(
    "--rtt-ms", default=0.0, show_default=True, type=click.FloatRange(min=0),
    help="Stand this far away: round trip added to every answer.",
)  # fmt: skip
@click.option(
    "--fail", "fails", multiple=True, metavar="KIND[:RATIO]",
    help=f"Inject a fault into a share of the requests. Kinds: {', '.join(KINDS)}.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Decides lengths, words and faults.")
@click.option(
    "--waiting-max", default=4096, show_default=True, type=click.IntRange(min=1),
    help="Requests that may wait for admission; one more is answered with 503.",
)  # fmt: skip
@click.option("--no-prefix-cache", is_flag=True, help="Compute every prompt in full.")
def command(
    profile_name: str,
    wants_list: bool,
    host: str,
    port: int,
    name: str,
    models: tuple[str, ...],
    time_scale: float,
    rtt_ms: float,
    fails: tuple[str, ...],
    seed: int,
    waiting_max: int,
    no_prefix_cache: bool,
) -> None:
    """Emulate an inference engine: OpenAI and Anthropic APIs, vLLM's metrics, real timing.

    Prints its URL on stdout once it answers. POST /_emulator/fault injects faults while it runs.
    """
    if wants_list:
        click.echo("\n".join(catalogue()))
        return
    try:
        chosen = profile(profile_name)
        settings = Settings(
            profile=chosen,
            models=models or (chosen.model,),
            name=name or chosen.name.replace("/", "-"),
            time_scale=time_scale,
            rtt_s=seconds_from_ms(rtt_ms),
            seed=seed,
            prefix_cache=not no_prefix_cache,
            faults=tuple(parse_fault(text) for text in fails),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None

    def announce(url: str) -> None:
        click.echo(f"{settings.name}: {', '.join(settings.models)} at {url}", err=True)
        click.echo(url)
        sys.stdout.flush()

    plant = Engine(chosen, prefix_cache=settings.prefix_cache, max_waiting=waiting_max)
    try:
        _run_loop(lambda: run(plant, settings, host, port, announce))
    except OSError as error:
        click.echo(
            f"flyball engine: cannot listen on {host}:{port}: {error.strerror or error}. "
            "Choose another --port or --host.",
            err=True,
        )
        sys.exit(2)


def _run_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """On uvloop where it is installed (faster), else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())
