"""Do the load generator and the mock engine count what was really answered?"""

import http.client
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
BENCH = Path(__file__).parents[2] / "bench"
STREAM_CHUNKS = 200


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[object]:
    """The benchmarks' rig, with its programs compiled into a folder of the test's own."""
    monkeypatch.syspath_prepend(str(BENCH))
    import rig

    monkeypatch.setattr(rig, "BINARIES", tmp_path / "bin")
    yield rig
    for name in ("rig", "bodies"):
        sys.modules.pop(name, None)


def test_a_closed_loop_counts_whole_answers(rig, tmp_path: Path) -> None:
    import bodies

    body = bodies.whole(tmp_path)
    with rig.engines(2) as (pid, ports):
        run = rig.load(ports[1], body, 0.3, 4, pid=pid)
    assert run.ok > 50 and run.other == run.faults == 0
    assert run.body_bytes == run.ok * 576
    assert run.cpu_s > 0 and 0 < run.p50_us <= run.p99_us


def test_an_open_loop_keeps_its_rate_and_waits_for_the_last(rig, tmp_path: Path) -> None:
    import bodies

    with rig.engines(1, interval_us=500) as (_, ports):
        run = rig.load(ports[0], bodies.stream(tmp_path), 0.5, 64, rate=200.0, good_s=0.05)
    assert 60 <= run.ok <= 140  # 100 due, Poisson
    assert run.good == 0  # 200 chunks, 0.5 ms apart, take 0.1 s
    assert run.other == run.faults == 0


def test_a_stream_has_its_chunks_and_its_end(rig, tmp_path: Path) -> None:
    import bodies

    body = bodies.stream(tmp_path)
    with rig.engines(1) as (_, ports):
        connection = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=10)
        connection.request("POST", "/v1/chat/completions", body.read_bytes())
        text = connection.getresponse().read()
        connection.close()
    assert text.count(b"data: {") == STREAM_CHUNKS
    assert text.endswith(b"data: [DONE]\n\n")


def test_errors_are_not_counted_as_answers(rig, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_text("{}")
    with rig.engines(1) as (_, ports):
        connection = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=10)
        # The head alone: the engine answers and closes without waiting for a body.
        connection.putrequest("POST", "/")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        assert connection.getresponse().status == 411
        connection.close()
    with pytest.raises(rig.RigFault, match="connect"):
        rig.load(ports[0], body, 0.1, 1)
