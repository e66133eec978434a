"""Does a real gateway start, drain, reload and end as promised, alone and with several workers?"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from flyball.ledger.verify import check_log
from flyball.model.decision import ConfigSet, Intent, Outcome
from flyball.serve.log.reader import open_log

WORKERS = [1, 2]


def checked(folder: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Intents and outcomes per request id, of a log without a fault."""
    log = open_log(folder)
    report = check_log(log.read)
    assert not report.problems, report.problems
    intents: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    for found in log.records():
        if isinstance(found.record, Intent):
            intents[found.record.id] = intents.get(found.record.id, 0) + 1
        elif isinstance(found.record, Outcome):
            outcomes[found.record.id] = outcomes.get(found.record.id, 0) + 1
    return intents, outcomes


@pytest.mark.parametrize("workers", WORKERS)
def test_a_drain_lets_a_running_stream_end(engines, gateway, workers: int) -> None:
    found = gateway(engines(2, gap_s=0.05), workers=workers)
    answers: list[bytes] = []
    stream = threading.Thread(target=lambda: answers.append(found.ask(tokens=20)))
    stream.start()
    while not any(
        load["in_flight"]["running"] for load in found.page("/v1/flyball/fleet")["endpoints"]
    ):
        time.sleep(0.01)
    found.signal(signal.SIGTERM)
    time.sleep(0.2)
    with pytest.raises(OSError):
        found.connect()
    stream.join(10)
    assert found.process.wait(10) == 0
    assert answers[0].count(b'"x"') == 20 and answers[0].endswith(b"0\r\n\r\n")
    intents, outcomes = checked(found.log)
    assert len(intents) == 1 and intents == outcomes


@pytest.mark.parametrize("workers", WORKERS)
def test_a_second_signal_stops_at_once(engines, gateway, workers: int) -> None:
    found = gateway(engines(1, gap_s=1.0), workers=workers)
    stream = threading.Thread(target=lambda: found.ask(tokens=20))
    stream.start()
    while not found.page("/v1/flyball/fleet")["endpoints"][0]["in_flight"]["running"]:
        time.sleep(0.01)
    found.signal(signal.SIGTERM)
    time.sleep(0.3)
    assert found.process.poll() is None, "it waits for the stream"
    begun = time.monotonic()
    found.signal(signal.SIGTERM)
    found.process.wait(10)
    assert time.monotonic() - begun < 2
    stream.join(5)
    intents, outcomes = checked(found.log)
    assert len(intents) == 1 and intents == outcomes


@pytest.mark.parametrize("workers", WORKERS)
def test_a_bad_file_keeps_the_old_one_and_a_good_one_comes_into_force(
    engines, gateway, workers: int
) -> None:
    one, two = engines(2)
    found = gateway([one], workers=workers)
    found.write([one], extra="mode: maybe\n")
    found.signal(signal.SIGHUP)
    found.until("config-refused")
    assert "fleet.yaml:9:7" in found.told and "old one stays in force" in found.told
    assert found.ask().count(b'"x"') == 1
    assert 'flyball_config_changes_total{result="refused"} 1' in found.page("/metrics")
    found.write([two])
    found.signal(signal.SIGHUP)
    found.until("config-reloaded")
    time.sleep(0.2)
    before = one.requests
    for _ in range(8):
        assert b"200 OK" in found.ask()
    assert one.requests == before and two.requests == 8
    assert found.end() == 0
    configs = [
        entry.record.in_force
        for entry in open_log(found.log).records()
        if isinstance(entry.record, ConfigSet)
    ]
    assert configs == [True, False, True]


def test_a_watched_file_comes_into_force_by_itself(engines, gateway) -> None:
    one, two = engines(2)
    found = gateway([one], extra="watch: true\n")
    found.write([two], extra="limits: {head_s_max: 5}\n")
    found.until("config-reloaded.*a restart is needed for: limits", seconds=10)
    found.ask()
    assert two.requests == 1
    found.write([one], extra="watch: true\n")
    time.sleep(2.5)
    assert found.told.count("config-reloaded") == 1, "watch was turned off by the second file"


@pytest.mark.parametrize("workers", WORKERS)
def test_all_workers_serve_and_pages_are_the_same_from_each(
    engines, gateway, worker_of, workers: int
) -> None:
    found = gateway(engines(2), workers=workers)
    seen = {worker_of(found.ask()) for _ in range(40)}
    assert seen == set(range(workers))
    assert found.page("/healthz") == {"alive": True}
    records = [entry.record.id for entry in open_log(found.log).records()]
    named = [name for name in records if not name.startswith("req_")]
    assert len(named) == len(set(named)), "each worker's own records have ids of their own"
    assert found.page("/readyz")["ready"] is True
    assert [model["id"] for model in found.page("/v1/models")["data"]] == ["m"]
    for _ in range(6):
        page = found.page("/v1/flyball/fleet")
        assert [endpoint["name"] for endpoint in page["endpoints"]] == ["p-0", "p-1"]
    assert found.page("/v1/flyball/prices")["mode"] == "enforce"
    ends = time.monotonic() + 5
    while "flyball_requests_total" not in found.page("/metrics") and time.monotonic() < ends:
        time.sleep(0.1)
    assert "flyball_requests_total" in found.page("/metrics")


def serve(*words: object) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", "from flyball.cli import main; main()", "serve", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("workers", WORKERS)
def test_a_taken_port_is_said_and_exit_2(engines, gateway, tmp_path: Path, workers: int) -> None:
    first = gateway(engines(1), workers=workers)
    code, out, err = serve(first.file, "--port", first.port, "--log", tmp_path / "other")
    assert (code, out) == (2, "") and "--port" in err and "Traceback" not in err
    code, _, err = serve(first.file, "--port", first.port, "--log", tmp_path / "o", "--workers", 2)
    assert code == 2 and "in use" in err.lower()
    assert first.ask().count(b'"x"') == 1, "the first is unhurt"


@pytest.mark.parametrize("workers", WORKERS)
def test_a_log_in_use_is_said_and_exit_2(engines, gateway, workers: int) -> None:
    first = gateway(engines(1))
    code, _, err = serve(first.file, "--port", 0, "--workers", workers)
    assert code == 2 and "being written by process" in err and "--log" in err
    assert "Traceback" not in err


def test_all_errors_of_a_file_at_once_and_exit_1(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("version: v1\nsites: {}\npools: 7\nmoed: enforce\n")
    code, out, err = serve(file)
    assert (code, out) == (1, "")
    assert "bad.yaml:2:" in err and "bad.yaml:3:" in err and "'mode'" in err
    code, _, err = serve(tmp_path / "none.yaml")
    assert code == 2 and "none.yaml" in err and "Traceback" not in err


def test_a_second_gateway_can_not_slip_into_the_port_of_one_with_workers(gateway, engines) -> None:
    first = gateway(engines(1), workers=2)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError):
            other.bind(("127.0.0.1", first.port))
            other.listen(1)
    assert os.getpgid(first.process.pid) == first.process.pid
