"""Does a sweep on a real Ray cluster keep the bytes that the processes of one machine keep?"""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from real.env import how_to_make, python_of
from support.worlds import data

SOURCE = Path(__file__).parents[2] / "src"
PYTHON = python_of("ray")
pytestmark = pytest.mark.skipif(PYTHON is None, reason=how_to_make("ray"))
# A cluster lets in only who knows its token: one for these tests alone.
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}
TRACE = "arrival_s,input_tokens,output_tokens\n" + "".join(f"{i},100,10\n" for i in range(11))


def sweep(folder: Path, where: str) -> subprocess.CompletedProcess[str]:
    """`flyball sweep` in the environment that has Ray."""
    assert PYTHON is not None
    said = ["--vary", "core=round_robin,least_request", "--seeds", "2", "--jobs", "2"]
    line = [PYTHON, "-m", "flyball", "sweep", folder / "small.yaml", *said, "--on", where]
    line += ["--out", folder / where.partition(":")[0]]
    env = {**os.environ, **QUIET, "PYTHONPATH": str(SOURCE)}
    return subprocess.run(line, capture_output=True, text=True, timeout=100, env=env)


def kept(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.glob("*.json")}


@pytest.mark.slow
def test_the_bytes_are_those_of_the_processes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TRACE)
    work = {"trace": {"file": "t.csv", "rate": 4}}
    (tmp_path / "small.yaml").write_text(json.dumps(data(duration_s=5, workload=work)))
    here, there = sweep(tmp_path, "here"), sweep(tmp_path, "ray")
    assert (here.returncode, there.returncode) == (0, 0), here.stderr + there.stderr
    assert len(kept(tmp_path / "here")) == 4
    assert kept(tmp_path / "here") == kept(tmp_path / "ray")
    assert here.stdout == there.stdout
    assert "4 runs, 4 of them kept" in sweep(tmp_path, "ray").stderr


@contextmanager
def cluster(port: int) -> Iterator[str]:
    """A head that clients reach over the network."""
    assert PYTHON is not None
    ray = str(PYTHON.with_name("ray"))
    env = {**os.environ, **QUIET}
    begin = [ray, "start", "--head", "--num-cpus=2", "--include-dashboard=false", "--block"]
    begin += [f"--port={port}", f"--ray-client-server-port={port + 1}"]
    head = subprocess.Popen(begin, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"ray://127.0.0.1:{port + 1}"
    finally:
        head.terminate()
        head.wait(30)


@pytest.mark.slow
def test_a_cluster_over_the_network_gives_them_too(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(json.dumps(data(duration_s=5)))
    here = sweep(tmp_path, "here")
    with cluster(26379) as address:
        there = sweep(tmp_path, address)
    assert there.returncode == 0, there.stderr
    assert kept(tmp_path / "here") == kept(tmp_path / "ray")
    assert here.stdout == there.stdout


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(json.dumps(data(duration_s=5)))
    lost = sweep(tmp_path, "ray://127.0.0.1:9")
    assert lost.returncode == 1
    assert "no Ray cluster" in lost.stderr and "--on here" in lost.stderr
    assert "Traceback" not in lost.stderr


@pytest.mark.slow
def test_a_trace_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TRACE + "x,1,1\n")
    work = {"trace": {"file": "t.csv"}}
    (tmp_path / "small.yaml").write_text(json.dumps(data(duration_s=5, workload=work)))
    lost = sweep(tmp_path, "ray")
    assert lost.returncode == 2, lost.stderr
    assert "arrival_s" in lost.stderr and "Traceback" not in lost.stderr
