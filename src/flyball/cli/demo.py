"""How does the whole thing run on this machine, on real traffic, in under a minute?

Separate processes: one emulated engine per replica at three sites, the gateway in front of them,
and this one, which sends the load, kills an engine on the way, and shows what became of it.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import click

from flyball.cli.demo_fleet import API_KEY, MODEL, PROMISES, REPLICAS, fleet_file
from flyball.dialects.traces.row import TraceRow

READY_S_MAX = 20.0
PRICES_EVERY_S = 1.0
KILL_AT_SHARE = 0.6


class DemoFault(click.ClickException):
    """The demo could not be carried out; the message says which part and what to do."""

    exit_code = 2


@click.command()
@click.option("--trace", type=click.Path(path_type=Path), help="A recorded trace to send instead "
              "of the generated one (Azure, Mooncake, BurstGPT, Bailian, OTel spans).")  # fmt: skip
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(2, 600),
              help="How long load is sent.")  # fmt: skip
@click.option("--rate", default=18.0, show_default=True, type=click.FloatRange(0.1, 500),
              help="Requests per second in the mean.")  # fmt: skip
@click.option("--seed", default=7, show_default=True, help="Of the generated trace.")
@click.option("--folder", default=Path(".flyball/demo"), show_default=True,
              type=click.Path(path_type=Path), help="Fleet file, log and ledger.")  # fmt: skip
@click.option("--kill/--no-kill", "kills", default=True, show_default=True,
              help="Kill one engine on the way.")  # fmt: skip
def command(
    trace: Path | None, seconds: float, rate: float, seed: int, folder: Path, kills: bool
) -> None:
    """Run a fleet, the gateway and real traffic on this machine, in under a minute.

    Three sites, two jurisdictions, four unlike replicas as processes; no GPU, no network.
    """
    rows = _rows(trace, seconds, rate, seed)
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.time()
    with ExitStack() as stack:
        engines = _start_engines(stack, folder)
        url = _start_gateway(stack, folder, {name: found for name, (_, found) in engines.items()})
        _say(f"gateway: {url}/v1 (fleet file {folder / 'fleet.yaml'})")
        from flyball.cli.demo_output import calls, show

        for line in calls(url, API_KEY, MODEL):
            _say(f"  {line}")
        victim = engines["frankfurt-l40s-2"][0] if kills else None
        report, boards = asyncio.run(_drive(url, rows, seconds, victim))
        show(report, boards, folder / "ledger", begun)
    _say(f"The ledger stays in {folder / 'ledger'}. Next:")
    _say(f"  flyball explain --last-refused --log {folder / 'ledger'}")
    _say(f"  flyball serve {folder / 'fleet.yaml'}   # then point any OpenAI client at it")


def _rows(trace: Path | None, seconds: float, rate: float, seed: int) -> list[TraceRow]:
    """The trace given, compressed to the time and thinned to the rate; else a generated one."""
    if trace is None:
        from flyball.sim.workload import generate

        mix = {"chat": 0.5, "dialog": 0.2, "agent": 0.15, "edge": 0.15}
        rows = generate(seed, seconds, rate, mix)
        _say(f"load: {len(rows)} requests generated from published statistics (seed {seed})")
        return rows
    from flyball.dialects.traces import scale
    from flyball.dialects.traces.row import Tally, TraceError
    from flyball.serve.load import tracefile

    count = int(seconds * rate)
    try:
        form = tracefile.detect(trace)
        found = list(scale.head(tracefile.rows(trace, form, Tally()), count))
    except (TraceError, OSError) as error:
        raise DemoFault(str(error)) from None
    if not found:
        raise DemoFault(f"{trace} holds no request. Give another --trace.")
    begin, span = found[0].at_s, max(1e-9, found[-1].at_s - found[0].at_s)
    _say(f"load: the first {len(found)} requests of {trace} ({form}), {span / seconds:.1f}x faster")
    return [_moved(row, (row.at_s - begin) * seconds / span) for row in found]


def _moved(row: TraceRow, at_s: float) -> TraceRow:
    from msgspec.structs import replace

    return replace(row, at_s=at_s)


def _start_engines(
    stack: ExitStack, folder: Path
) -> dict[str, tuple["subprocess.Popen[str]", str]]:
    """One process per replica; each prints its URL when it answers."""
    started: dict[str, subprocess.Popen[str]] = {}
    for replica in REPLICAS:
        command_line = ["engine", "--profile", replica.profile, "--port", "0"]
        command_line += ["--name", replica.name, "--served-model", MODEL]
        command_line += ["--rtt-ms", str(replica.rtt_ms)]
        started[replica.name] = _spawn(stack, command_line, folder / f"{replica.name}.log")
    return {name: (process, _url_of(process, name, folder)) for name, process in started.items()}


def _spawn(stack: ExitStack, words: list[str], log: Path) -> "subprocess.Popen[str]":
    narration: IO[str] = stack.enter_context(log.open("w"))
    process = subprocess.Popen(
        [sys.executable, "-m", "flyball", *words],
        stdout=subprocess.PIPE,
        stderr=narration,
        text=True,
        start_new_session=True,
    )
    stack.callback(_stop, process)
    return process


def _stop(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
    if process.stdout is not None:
        process.stdout.close()


def _url_of(process: "subprocess.Popen[str]", name: str, folder: Path) -> str:
    line = process.stdout.readline().strip() if process.stdout else ""
    if not line:
        raise DemoFault(f"the engine {name} did not start: see {folder / (name + '.log')}")
    return line


def _start_gateway(stack: ExitStack, folder: Path, urls: dict[str, str]) -> str:
    """Write the fleet file and wait until the gateway is ready behind it."""
    port = _free_port()
    path = folder / "fleet.yaml"
    path.write_text(fleet_file(urls, port, folder / "ledger"))
    process = _spawn(stack, ["serve", str(path)], folder / "gateway.log")
    url = f"http://127.0.0.1:{port}"
    give_up_at = time.monotonic() + READY_S_MAX
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            break
        if _answers(url + "/readyz"):
            return url
        time.sleep(0.05)
    raise DemoFault(f"the gateway did not become ready: see {folder / 'gateway.log'}")


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(url: str) -> bool:
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=1.0) as answer:
            return answer.status == 200
    except (URLError, OSError):
        return False


async def _drive(
    url: str, rows: Iterable[TraceRow], seconds: float, victim: "subprocess.Popen[str] | None"
):
    """Send the load; watch the prices; kill the victim on the way."""
    from flyball.cli.replay_output import show_progress
    from flyball.serve.load.generator import Target, run_load

    boards: list[tuple[float, dict[str, float]]] = []
    watch = asyncio.create_task(_watch_prices(url, boards))
    kill = asyncio.create_task(_kill_later(victim, seconds * KILL_AT_SHARE))
    target = Target(url=url, api_key=API_KEY, model=MODEL, promises=PROMISES, timeout_s=60.0)
    try:
        with show_progress(seconds) as progress:
            report = await run_load(rows, target, progress)
    finally:
        watch.cancel()
        kill.cancel()
    return report, boards


async def _kill_later(victim: "subprocess.Popen[str] | None", after_s: float) -> None:
    if victim is None:
        return
    await asyncio.sleep(after_s)
    _say("killing the engine frankfurt-l40s-2 (SIGKILL): its work goes on elsewhere, or is told so")
    os.kill(victim.pid, signal.SIGKILL)


async def _watch_prices(url: str, boards: list[tuple[float, dict[str, float]]]) -> None:
    """The board once a second, in a thread: the demo needs no client library for it."""
    begun = time.monotonic()
    while True:
        found = await asyncio.to_thread(_board, url)
        if found:
            boards.append((time.monotonic() - begun, found))
        await asyncio.sleep(PRICES_EVERY_S)


def _board(url: str) -> dict[str, float]:
    import json
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(url + "/v1/flyball/prices", timeout=1.0) as answer:
            pools = json.load(answer)["board"]["pools"]
    except (URLError, OSError, ValueError, KeyError):
        return {}
    return {pool["pool"]: pool["usd_per_gpu_second"] for pool in pools}


def _say(text: str) -> None:
    click.echo(text, err=True)
