"""Is a log behind an HTTP address read file by file, and is what fails told?"""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball.ledger.verify import check_log
from flyball.serve.log.remote import RemoteLog
from flyball.serve.log.store import LedgerStore
from flyball.serve.log.writer import LedgerError
from support import records


class Served(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.endswith("/broken"):
            self.send_error(500)
            return
        super().do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    store = LedgerStore(tmp_path / "eu" / "log")
    for number in range(300):
        it = records.intent(number)
        store.append(it)
        store.append(records.outcome(it))
    assert store.close() == 0
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *a: Served(*a, directory=str(tmp_path))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/eu/log/"
    server.shutdown()
    server.server_close()


def test_a_whole_log_is_checked_over_http(address: str) -> None:
    log = RemoteLog(address)
    report = check_log(log.read, record_ids=[records.intent(299).id])
    assert report.is_sound and report.size == 600
    assert log.read("tile/0/999") is None
    log.close()
    assert log.read("checkpoint")  # an idle connection that was closed is opened again
    log.close()


def test_an_answer_that_is_none_is_told(address: str) -> None:
    with pytest.raises(LedgerError, match="answered with 500"):
        RemoteLog(address).read("broken")


def test_nobody_there_is_told() -> None:
    with pytest.raises(LedgerError, match="Connection refused"):
        RemoteLog("http://127.0.0.1:9/log").read("checkpoint")


@pytest.mark.parametrize("url", ["ftp://x/log", "http:///log", "log"])
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(LedgerError, match="is no http"):
        RemoteLog(url)
