"""Are the command line's settings applied, the port claimed, and is it said what is served?"""

import socket
from pathlib import Path

import pytest

from flyball.serve.config import load
from flyball.serve.process.run import Overrides, PortTaken, announcement, claim, serve

FILE = """
version: v1
listen: {host: 127.0.0.1, port: 8080, workers: 2}
sites: {edge: {jurisdiction: NO}}
pools:
  p: {site: edge, engine: vllm, profile: h100/llama-3.1-8b, models: [m, n],
      endpoints: [http://127.0.0.1:1]}
ledger: {folder: log}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(FILE)
    return path


def test_nothing_said_changes_nothing(file: Path) -> None:
    config = load(file)
    assert Overrides().apply(config) == config


def test_what_the_command_line_says_counts(file: Path, tmp_path: Path) -> None:
    said = Overrides(host="0.0.0.0", port=9, workers=3, mode="observe", log=tmp_path / "x")
    config = said.apply(load(file))
    assert (config.listen.host, config.listen.port) == ("0.0.0.0", 9)
    assert (config.workers, config.policy.workers) == (3, 3)
    assert config.policy.mode == "observe" and config.ledger.folder == str(tmp_path / "x")


def test_a_claimed_port_can_be_shared_by_workers_and_by_no_one_else() -> None:
    with claim("127.0.0.1", 0) as claimed:
        port = claimed.getsockname()[1]
        with socket.socket() as worker:
            worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            worker.bind(("127.0.0.1", port))
            worker.listen(1)
            with pytest.raises(PortTaken, match=f"127.0.0.1:{port}"):
                claim("127.0.0.1", port)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1"])
def test_an_address_that_is_not_ours_is_said(host: str) -> None:
    with pytest.raises(PortTaken, match="cannot listen on"):
        claim(host, 0)


def test_the_announcement_names_what_is_served(file: Path) -> None:
    text = announcement(load(file), 4321)
    for words in (
        "http://127.0.0.1:4321/v1 (enforce",
        "p: m, n on 1 x h100/llama-3.1-8b (vllm)",
        "edge (NO)",
        "no key asked for",
        "workers   2",
        "/log",
        ":4321/metrics",
    ):
        assert words in text


@pytest.mark.parametrize("workers", [1, 2])
def test_a_door_that_cannot_be_opened_ends_the_start(
    file: Path, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    file.write_text(file.read_text() + "oversight: {site: north, key: none.key}\n")
    assert serve(file, Overrides(port=0, workers=workers)) == 2
    told = capsys.readouterr().err
    assert "oversight: " in told and "flyball people new-key north" in told
