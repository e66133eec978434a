"""An emulated engine as a process of its own, for the tests that talk to it as clients do."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MODEL = "llama-3.1-8b"


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., str]]:
    """Starts engines; each call gives a URL. All are stopped, and must stop well, at the end."""
    running: list[subprocess.Popen[str]] = []
    flyball = str(Path(sys.executable).with_name("flyball"))

    def begin(*options: str) -> str:
        process = subprocess.Popen(
            [flyball, "engine", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), url
        return url

    yield begin
    for process in running:
        process.terminate()
    for process in running:
        assert process.wait(timeout=10) == 0


@pytest.fixture(scope="module")
def url(start: Callable[..., str]) -> str:
    """One engine, fifty times as fast as the real thing."""
    return start("--time-scale", "50")
