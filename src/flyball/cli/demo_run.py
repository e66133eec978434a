"""How is one fleet of the demo started, loaded and, on the way, wounded?

Separate processes: one emulated engine per replica, the gateway in front of them. The clients are
this process's: they wait so long for a first token, then try again as OpenAI's SDK does.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import click

from flyball.cli.demo_fleet import (
    API_KEY,
    CLIENT_RETRIES,
    MODEL,
    PATIENCE_RATIO,
    PROMISES,
    REPLICAS,
    fleet_file,
)
from flyball.dialects.traces.row import TraceRow
from flyball.serve.load.report import Answer, Report

READY_S_MAX = 20.0
PRICES_EVERY_S = 1.0
VICTIM = "frankfurt-l40s-2"


class DemoFault(click.ClickException):
    """The demo could not be carried out; the message says which part and what to do."""

    exit_code = 2


class Fleet:
    """One running fleet: its gateway's URL, its ledger, and what its clients saw."""

    def __init__(self, stack: ExitStack, folder: Path, mode: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ledger = folder / "ledger"
        self.engines = start_engines(stack, folder)
        urls = {name: url for name, (_, url) in self.engines.items()}
        self.url = start_gateway(stack, folder, urls, mode)
        self.answers: list[Answer] = []
        self.boards: list[tuple[float, dict[str, float]]] = []
        self.report: Report | None = None

    async def drive(
        self, rows: Sequence[TraceRow], kill_after_s: float | None, progress: Callable[..., None]
    ) -> None:
        """Send the load; watch the prices; kill the victim on the way."""
        from flyball.serve.load.generator import Target, run_load

        watch = asyncio.create_task(_watch_prices(self.url, self.boards))
        kill = asyncio.create_task(_kill_later(self.engines[VICTIM][0], kill_after_s))
        target = Target(
            url=self.url,
            api_key=API_KEY,
            model=MODEL,
            promises=PROMISES,
            timeout_s=60.0,
            retries=CLIENT_RETRIES,
            patience_s={name: PATIENCE_RATIO * one.ttft_s for name, one in PROMISES.items()},
        )
        try:
            self.report = await run_load(rows, target, progress, self.answers.append)
        finally:
            watch.cancel()
            kill.cancel()


def start_engines(stack: ExitStack, folder: Path) -> dict[str, tuple["subprocess.Popen[str]", str]]:
    """One process per replica; each prints its URL when it answers."""
    started: dict[str, subprocess.Popen[str]] = {}
    for replica in REPLICAS:
        command_line = ["engine", "--profile", replica.profile, "--port", "0"]
        command_line += ["--name", replica.name, "--served-model", MODEL]
        command_line += ["--rtt-ms", str(replica.rtt_ms)]
        started[replica.name] = spawn(stack, command_line, folder / f"{replica.name}.log")
    return {name: (process, url_of(process, name, folder)) for name, process in started.items()}


def spawn(stack: ExitStack, words: list[str], log: Path) -> "subprocess.Popen[str]":
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


def url_of(process: "subprocess.Popen[str]", name: str, folder: Path) -> str:
    line = process.stdout.readline().strip() if process.stdout else ""
    if not line:
        raise DemoFault(f"the engine {name} did not start: see {folder / (name + '.log')}")
    return line


def start_gateway(stack: ExitStack, folder: Path, urls: dict[str, str], mode: str) -> str:
    """Write the fleet file and wait until the gateway is ready behind it."""
    port = free_port()
    (folder / "fleet.yaml").write_text(fleet_file(urls, port, folder / "ledger", mode))
    return await_gateway(stack, folder, port)


def await_gateway(stack: ExitStack, folder: Path, port: int) -> str:
    """Start a gateway with the fleet file there; its URL, once it is ready."""
    process = spawn(stack, ["serve", str(folder / "fleet.yaml")], folder / "gateway.log")
    url = f"http://127.0.0.1:{port}"
    give_up_at = time.monotonic() + READY_S_MAX
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            break
        if _answers(url + "/readyz"):
            return url
        time.sleep(0.05)
    raise DemoFault(f"the gateway did not become ready: see {folder / 'gateway.log'}")


def free_port() -> int:
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


async def _kill_later(victim: "subprocess.Popen[str]", after_s: float | None) -> None:
    if after_s is None:
        return
    await asyncio.sleep(after_s)
    os.kill(victim.pid, signal.SIGKILL)


async def _watch_prices(url: str, boards: list[tuple[float, dict[str, float]]]) -> None:
    """The board once a second, in a thread: the demo needs no client library for it."""
    begun = time.monotonic()
    while True:
        found = await asyncio.to_thread(board, url)
        if found:
            boards.append((time.monotonic() - begun, found))
        await asyncio.sleep(PRICES_EVERY_S)


def board(url: str) -> dict[str, float]:
    import json
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(url + "/v1/flyball/prices", timeout=1.0) as answer:
            pools = json.load(answer)["board"]["pools"]
    except (URLError, OSError, ValueError, KeyError):
        return {}
    return {pool["pool"]: pool["usd_per_gpu_second"] for pool in pools}
