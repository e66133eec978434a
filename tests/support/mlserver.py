"""How is a real MLServer run for a test, with a small model trained on the spot?

A context manager, so that a test may put a gateway in front of `url`.
"""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

MODEL = "iris"
SETOSA = [5.1, 3.5, 1.4, 0.2]
VIRGINICA = [6.7, 3.0, 5.2, 2.3]
_START_S_MAX = 60.0
_TRAIN = """
import joblib, sys
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
features, kinds = load_iris(return_X_y=True)
joblib.dump(LogisticRegression(max_iter=500).fit(features, kinds), sys.argv[1])
"""


class Server(Struct, frozen=True):
    """Where a running server answers: inference, and its metrics page."""

    url: str
    metrics_url: str


@contextmanager
def running(
    python: Path, folder: Path, host: str = "127.0.0.1", inside: Sequence[str] = ()
) -> Iterator[Server]:
    """Trained, started, ready; stopped at the end. Raises RuntimeError with its log if it fails.

    `inside` = the start of a command line that takes it to where `host` is its own address.
    """
    subprocess.run([python, "-c", _TRAIN, folder / "model.joblib"], check=True)
    ports = _free_ports(3)
    settings = dict(zip(("http_port", "grpc_port", "metrics_port"), ports, strict=True))
    _write(folder / "settings.json", {"host": host, "parallel_workers": 0, **settings})
    model = {"name": MODEL, "implementation": "mlserver_sklearn.SKLearnModel"}
    where = {"uri": "./model.joblib", "version": "v1"}
    _write(folder / "model-settings.json", {**model, "parameters": where})
    server = Server(f"http://{host}:{ports[0]}", f"http://{host}:{ports[2]}/metrics")
    with (folder / "log").open("wb") as log:
        command = [*inside, python, "-m", "mlserver.cli.main", "start", folder]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        _wait_ready(server, process, folder / "log")
        yield server
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_ready(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_S_MAX
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/v2/models/{MODEL}/ready", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError(f"mlserver did not start:\n{log.read_text()[-2000:]}")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _write(path: Path, fields: dict[str, object]) -> None:
    path.write_text(json.dumps(fields))
