"""Three governors as real processes that follow each other's feeds, and one engine behind them."""

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from flyball.authority.revocation.revocation import Event, Stop
from flyball.authority.revocation.signer import Signer, key_text
from flyball.cli.oversight_call import Door
from support.live import spawn

NAMES: tuple[str, ...] = ("north", "south", "east")
MODEL = "llama-3.1-8b"


class Sites:
    """What runs. `doors` and `ports` are by name of the site."""

    def __init__(self, folder: Path, extra: str = "", workers: int = 1) -> None:
        self._stack = ExitStack()
        self._folder = folder
        self._extra = extra
        self._workers = workers
        self._keys = {name: Signer.new(name) for name in (*NAMES, "ada")}
        for name, key in self._keys.items():
            path = folder / f"{name}.key"
            path.touch(mode=0o600)
            path.write_text(key.private_text())
        ports = _free_ports(2 * len(NAMES))
        self.ports = dict(zip(NAMES, ports, strict=False))
        self._door_ports = dict(zip(NAMES, ports[len(NAMES) :], strict=True))
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self._engine = ""

    def start(self, time_scale: float = 1.0) -> None:
        """The engine and all three."""
        words = f"engine --profile h100/{MODEL} --port 0 --served-model {MODEL}"
        engine = spawn(self._stack, [*words.split(), "--time-scale", str(time_scale)])
        assert engine.stdout
        self._engine = engine.stdout.readline().strip()
        for name in NAMES:
            self.start_one(name)
        for name in NAMES:
            self.ready(name)

    def start_one(self, name: str) -> None:
        """One governor, not waited for."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        (folder / "fleet.yaml").write_text(self._file(name))
        log = self._stack.enter_context((folder / "told").open("a"))
        self.processes[name] = spawn(
            self._stack, ["serve", str(folder / "fleet.yaml")], log.fileno()
        )

    def ready(self, name: str) -> None:
        """Its port answers, and its door does."""
        port = self.ports[name]
        until(lambda: _status(port, "/readyz") == 200, 30.0, f"{name}: {self.told(name)}")
        until(lambda: _status(self._door_ports[name], "/flyball/about") == 200, 10.0, name)

    def told(self, name: str) -> str:
        """What it said on stderr."""
        return (self._folder / name / "told").read_text()

    def door(self, name: str) -> Door:
        """Its door, as ada sees it."""
        return Door(f"http://127.0.0.1:{self._door_ports[name]}", self._folder / "ada.key")

    def feeds(self, name: str) -> dict[str, dict[str, Any]]:
        """What it knows of the feeds, by name."""
        page = self.door(name).call("GET", "/flyball/oversight")
        return {feed["feed"]: feed for feed in page["feeds"]}

    def stop(self, name: str, is_stopped: bool = True, scope: str = "class:c") -> float:
        """Ada stops (or lets go on) everywhere, from that site; when she gave the order."""
        event = Stop(
            id=secrets.token_hex(8), by="ada", reason="a test", made_at=time.time(), scope=scope,
            is_stopped=is_stopped,
        )  # fmt: skip
        return self.order(name, event)

    def order(self, name: str, event: Event) -> float:
        """Give an order at that site; when it was given (monotonic s)."""
        door = self.door(name)
        assert door.site == name
        begun = time.monotonic()
        door.order(event)
        return begun

    def ask(self, name: str, tokens: int = 1, **fields: str) -> tuple[int, str]:
        """A chat request there: status, and the code of the error or ""."""
        status, body = _post(self.ports[name], tokens, fields)
        return status, "" if status == 200 else str(json.loads(body)["error"]["code"])

    def kill(self, name: str) -> None:
        """SIGKILL, to all its processes."""
        process = self.processes[name]
        for pid in (*_children(process.pid), process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(10)

    def signal(self, name: str, number: signal.Signals) -> None:
        """To the process and its workers."""
        pid = self.processes[name].pid
        for one in (pid, *_children(pid)):
            os.kill(one, number)

    def close(self) -> None:
        """End everything."""
        for name, process in self.processes.items():
            if process.poll() is None:
                self.signal(name, signal.SIGCONT)
        self._stack.close()

    def _file(self, name: str) -> str:
        others = [one for one in NAMES if one != name]
        feeds = "".join(
            f'    {one}: {{url: "http://127.0.0.1:{self._door_ports[one]}", '
            f'key: "{key_text(self._keys[one].public)}"}}\n'
            for one in others
        )
        return (
            "version: v1\n"
            "sites: {s: {jurisdiction: NO}}\n"
            "pools:\n"
            f"  p: {{site: s, engine: vllm, profile: h100/{MODEL}, models: [{MODEL}],\n"
            f'      endpoints: ["{self._engine}"]}}\n'
            "classes: {c: {value_usd: 0.01}, s: {value_usd: 0.01, data_class: special}}\n"
            f"listen: {{port: {self.ports[name]}, workers: {self._workers}}}\n"
            f"oversight:\n  site: {name}\n  key: ../{name}.key\n"
            f"  port: {self._door_ports[name]}\n"
            f'  people: {{ada: {{role: admin, key: "{key_text(self._keys["ada"].public)}"}}}}\n'
            f"  feeds:\n{feeds}{self._extra}"
        )


class Stream:
    """A long streamed answer on a thread; `ended_at` (monotonic s) when it was over."""

    def __init__(self, port: int, tokens: int = 4000, **fields: str) -> None:
        self.chunks = 0
        self.ended_at = 0.0
        self._port, self._tokens = port, tokens
        self._fields = _FIELDS | fields
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        with suppress(OSError, http.client.HTTPException):
            connection.request(
                "POST", "/v1/chat/completions", _body(self._tokens, True), self._fields
            )
            answer = connection.getresponse()
            while answer.read1(4096):
                self.chunks += 1
        self.ended_at = time.monotonic()
        connection.close()

    def join(self, seconds: float) -> bool:
        """Whether it ended in that time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()


@contextmanager
def three_sites(
    folder: Path, time_scale: float = 1.0, extra: str = "", workers: int = 1
) -> Iterator[Sites]:
    """Three governors that have heard each other."""
    sites = Sites(folder, extra, workers)
    try:
        sites.start(time_scale)
        for name in NAMES:
            until(lambda name=name: all_heard(sites, name), 10.0, f"{name} hears nobody")
        yield sites
    finally:
        sites.close()


def all_heard(sites: Sites, name: str) -> bool:
    """Whether that site heard both others."""
    return all(feed["age_s"] is not None for feed in sites.feeds(name).values())


def until(holds: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for it; fails if it does not come."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, f"it did not happen within {seconds:g} s: {what}"
        time.sleep(0.01)


_FIELDS: dict[str, str] = {"content-type": "application/json"}


def _body(tokens: int, stream: bool) -> bytes:
    messages = [{"role": "user", "content": "hello"}]
    asked = {"model": MODEL, "messages": messages, "max_tokens": tokens, "stream": stream}
    return json.dumps({**asked, "ignore_eos": True, "min_tokens": tokens}).encode()


def _post(port: int, tokens: int, fields: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        given = {**_FIELDS, **{name.replace("_", "-"): value for name, value in fields.items()}}
        connection.request("POST", "/v1/chat/completions", _body(tokens, False), given)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += [int(one) for one in (thread / "children").read_text().split()]
    return found


def _free_ports(count: int) -> Sequence[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
