"""A live fleet of real processes: `flyball engine` replicas and `flyball serve` in front."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.request import urlopen

from msgspec import Struct

KEY = "test-key"


class Live(Struct):
    """What runs, and where."""

    url: str
    engines: dict[str, str]
    processes: dict[str, "subprocess.Popen[str]"]
    ledger: Path
    fleet_file: Path


def spawn(
    stack: ExitStack, words: list[str], stderr: int = subprocess.DEVNULL
) -> "subprocess.Popen[str]":
    """A `flyball` process that ends with the stack; its first line of stdout can be read."""
    process = subprocess.Popen(
        [sys.executable, "-m", "flyball", *words],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )

    def stop() -> None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        if process.stdout:
            process.stdout.close()

    stack.callback(stop)
    return process


@contextmanager
def live_fleet(
    folder: Path,
    profiles: dict[str, str],
    time_scale: float = 20.0,
    extra: str = "",
    model: str = "llama-3.1-8b",
) -> Iterator[Live]:
    """`profiles` maps a replica's name to its profile; one pool each, all at one site in the EU."""
    with ExitStack() as stack:
        processes = {
            name: spawn(
                stack,
                f"engine --profile {profile} --port 0 --name {name} --served-model {model} "
                f"--time-scale {time_scale}".split(),
            )
            for name, profile in profiles.items()
        }
        urls = {name: _first_line(process) for name, process in processes.items()}
        url = serve_file(stack, folder, _fleet(profiles, urls, model, extra), processes)
        yield Live(url, urls, processes, folder / "ledger", folder / "fleet.yaml")


def serve_file(
    stack: ExitStack,
    folder: Path,
    text: str,
    processes: "dict[str, subprocess.Popen[str]] | None" = None,
) -> str:
    """A gateway with this fleet file; its URL, once it is ready."""
    path = folder / "fleet.yaml"
    path.write_text(text)
    port = _free_port()
    log = stack.enter_context((folder / "gateway.log").open("w"))
    gateway = spawn(stack, ["serve", str(path), "--port", str(port)], log.fileno())
    if processes is not None:
        processes["gateway"] = gateway
    url = f"http://127.0.0.1:{port}"
    _wait_ready(gateway, url, folder / "gateway.log")
    return url


def _first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    line = process.stdout.readline().strip()
    assert line.startswith("http"), f"the engine did not start: {line!r}"
    return line


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_ready(process: "subprocess.Popen[str]", url: str, log: Path) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        assert process.poll() is None, f"the gateway ended at once: {log.read_text()}"
        try:
            with urlopen(url + "/readyz", timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the gateway did not become ready")


def _fleet(profiles: dict[str, str], urls: dict[str, str], model: str, extra: str) -> str:
    pools = "\n".join(
        f"  {name}: {{site: here, engine: vllm, profile: {profile}, models: [{model}], "
        f"surfaces: [openai, anthropic], endpoints: [{{name: {name}-1, url: {urls[name]!r}}}]}}"
        for name, profile in profiles.items()
    )
    return (
        "version: v1\n"
        "sites: {here: {jurisdiction: EU}}\n"
        f"pools:\n{pools}\n"
        "classes: {chat: {value_usd: 0.01}}\n"
        f"principals: {{test: {{key_sha256: {sha256(KEY.encode()).hexdigest()}}}}}\n"
        "ledger: {folder: ledger}\n" + extra
    )
