"""Is a Prometheus asked for everything once, and its refusal told with a next step?"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest

from flyball.serve.telemetry.query import NAMES_MAX, POINTS_MAX, QueryError, pages


class Prometheus(BaseHTTPRequestHandler):
    asked: list[dict[str, str]] = []
    status, body = 200, b'{"status":"success"}'

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["content-length"]))
        words = {key: values[0] for key, values in parse_qs(data.decode()).items()}
        self.asked.append(words | {"path": self.path, "auth": self.headers["authorization"] or ""})
        self.send_response(self.status)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def server() -> Iterator[tuple[str, type[Prometheus]]]:
    kind = type("Fresh", (Prometheus,), {"asked": []})
    found = HTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_port}", kind
    found.shutdown()
    found.server_close()


def test_time_and_names_go_in_pages_without_gap_or_overlap(
    server: tuple[str, type[Prometheus]],
) -> None:
    address, kind = server
    names = [f"m{i}" for i in range(NAMES_MAX + 1)]
    end = 1e9 + 10.0 * (2 * POINTS_MAX - 1)
    assert len(list(pages(address + "/", names, 1e9, end, 10.0, "secret"))) == 4
    first, second = kind.asked[:2]
    assert first["path"] == "/api/v1/query_range" and first["auth"] == "Bearer secret"
    assert first["query"].startswith('{__name__=~"m0|m1|')
    assert float(second["start"]) == float(first["end"]) + 10.0 and float(second["end"]) == end


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, json.dumps({"error": "bad step"}).encode(), "answers 400: bad step"),
        (401, b"who?", "Give --token-file"),
        (404, b"<html>", "Is it a Prometheus?"),
    ],
)
def test_a_refusal_is_told(
    server: tuple[str, type[Prometheus]], status: int, body: bytes, words: str
) -> None:
    address, kind = server
    kind.status, kind.body = status, body
    with pytest.raises(QueryError, match=words.replace("?", r"\?")):
        list(pages(address, ["m"], 1e9, 1e9, 10.0))


@pytest.mark.parametrize("address", ["ftp://x", "http://127.0.0.1:1"])
def test_an_address_that_cannot_be_asked(address: str) -> None:
    with pytest.raises(QueryError, match=address):
        list(pages(address, ["m"], 1e9, 1e9, 10.0))
