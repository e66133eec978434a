"""Is what a real Prometheus recorded of a real fleet diagnosed, by its dump and over HTTP?"""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from msgspec import Struct

from support.live import KEY, Live, live_fleet

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
pytestmark = pytest.mark.skipif(
    not (PROMETHEUS and PROMTOOL), reason="Debian's prometheus is not installed"
)
SECONDS = 12.0
PROFILES = {"fast": "h100/llama-3.1-8b", "slow": "a100/llama-3.1-8b"}
BODY = {"model": "llama-3.1-8b", "max_tokens": 24, "messages": [{"role": "user", "content": "Hi"}]}


class Recorded(Struct):
    """The fleet, and where the Prometheus that scrapes it answers."""

    fleet: Live
    address: str
    folder: Path


def config(fleet: Live) -> str:
    jobs = [("gateway", "", fleet.url)]
    jobs += [("engines", pool, url) for pool, url in fleet.engines.items()]
    lines = ["global: {scrape_interval: 1s, scrape_timeout: 900ms}", "scrape_configs:"]
    for job, pool, url in jobs:
        labels = f", labels: {{pool: {pool}}}" if pool else ""
        host = url.removeprefix("http://")
        lines.append(
            f"  - {{job_name: {job}{pool}, static_configs: [{{targets: ['{host}']{labels}}}]}}"
        )
    return "\n".join(lines) + "\n"


def work(url: str, until: float) -> int:
    done = 0
    while time.monotonic() < until:
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        request = Request(url + "/v1/chat/completions", json.dumps(BODY).encode(), headers)
        with suppress(URLError), urlopen(request, timeout=20) as answer:
            answer.read()
            done += 1
    return done


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("recorded")
    assert PROMETHEUS
    with live_fleet(folder, PROFILES) as fleet:
        (folder / "prometheus.yml").write_text(config(fleet))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            [
                PROMETHEUS,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=error",
            ],
            stderr=subprocess.DEVNULL,
        )
        try:
            until = time.monotonic() + SECONDS
            with ThreadPoolExecutor(6) as pool:
                done = sum(pool.map(lambda _: work(fleet.url, until), range(6)))
            assert done > 20
            yield Recorded(fleet, f"http://127.0.0.1:{port}", folder)
        finally:
            process.terminate()
            process.wait(20)


def diagnose(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "flyball", "diagnose", *words], capture_output=True, text=True
    )


def check(result: "subprocess.CompletedProcess[str]") -> None:
    assert result.returncode in (0, 1), result.stderr
    lacking = {one["signal"] for one in json.loads(result.stdout)["lacking"]}
    assert "loop.power.setpoint" in lacking and "fast.replicas" in lacking
    told = {"plant.attempts_per_s", "plant.fresh_per_s", "plant.spend_per_s", "fast.queue"}
    told |= {"fast.latency_s", "slow.queue", "loop.router.setpoint"}
    assert not told & lacking, result.stderr


def test_over_http_what_is_there_and_what_lacks_is_told(recorded: Recorded) -> None:
    check(
        diagnose("--prometheus", recorded.address, "--hours", "0.05", "--step", "1", "-o", "json")
    )


def test_the_ledger_beside_it_tells_the_context(recorded: Recorded) -> None:
    place = str(recorded.fleet.ledger)
    result = diagnose("--log", place, "--step", "1", "-o", "json")
    lacking = {one["signal"] for one in json.loads(result.stdout)["lacking"]}
    assert "attempts" in result.stderr and "loop.cost.setpoint" not in lacking


def test_its_dump_is_read_too(recorded: Recorded, tmp_path: Path) -> None:
    assert PROMTOOL
    copy = tmp_path / "tsdb"
    shutil.copytree(recorded.folder / "tsdb", copy)
    (copy / "lock").unlink(missing_ok=True)
    page = tmp_path / "dump.txt"
    with page.open("w") as out:
        subprocess.run([PROMTOOL, "tsdb", "dump", str(copy)], stdout=out, check=True)
    check(diagnose("--dump", str(page), "--step", "1", "-o", "json"))
    lines = page.read_text().splitlines()
    lines[len(lines) // 2] = lines[len(lines) // 2][:30]
    page.write_text("\n".join(lines))
    result = diagnose("--dump", str(page))
    assert result.returncode == 2 and f"{page}:{len(lines) // 2 + 1}: " in result.stderr
    assert "Traceback" not in result.stderr
