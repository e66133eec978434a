"""Is the first model found, and each way of not finding one told with the next step?"""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from flyball.serve.load import modelnames


@contextmanager
def _serving(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(f"{self.path} {self.headers.get('authorization')}")
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_first_model_with_key() -> None:
    with _serving(200, b'{"object":"list","data":[{"id":"a"},{"id":"b"}]}') as (url, seen):
        assert modelnames.first(f"{url}/v1", "k") == "a"
    assert seen == ["/v1/models Bearer k"]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"{}", "answers 401. Give --api-key"),
        (200, b"<html>", "is no list of models"),
        (200, b'{"data":[]}', "serves no model"),
    ],
)
def test_no_model(status: int, body: bytes, said: str) -> None:
    with _serving(status, body) as (url, _), pytest.raises(ValueError, match=said):
        modelnames.first(url)


def test_nothing_there() -> None:
    with pytest.raises(ValueError, match="flyball serve"):
        modelnames.first("http://127.0.0.1:9", timeout_s=2.0)
