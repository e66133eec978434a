"""Does `flyball diagnose --live` tell what a gateway found, and what to do when there is none?"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from flyball.cli.diagnose import command
from flyball.governor.commands import Diagnosed
from flyball.serve.process.pages import FINDINGS, findings_page
from support.watched import Watched, looks


@pytest.fixture
def gateway() -> Iterator[tuple[str, list[bytes]]]:
    answers: list[bytes] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == FINDINGS else 404)
            self.end_headers()
            self.wfile.write(answers[0])

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", answers
    server.shutdown()
    server.server_close()


def seen(rate: float) -> Diagnosed:
    play = Watched()
    play.rates = {"chat": rate}
    return looks(play.ticks(100))[-1]


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(command, list(words))
    return result.exit_code, result.stdout, result.stderr


def test_findings_are_told_with_margins_and_what_is_missing(
    gateway: tuple[str, list[bytes]],
) -> None:
    url, answers = gateway
    answers.append(findings_page(seen(5000.0), 205.0, "advise"))
    code, out, told = run("--live", url)
    assert code == 1 and "FB-509 error: retry: there is room for 0.0" in out
    assert "margin of " in told and "not seen: margins of each loop's gain" in told
    code, out, _ = run("--live", url, "-o", "json")
    assert code == 1 and [one["code"] for one in json.loads(out)["findings"]] == ["FB-509"]


def test_a_fleet_with_room_is_no_fault(gateway: tuple[str, list[bytes]]) -> None:
    url, answers = gateway
    answers.append(findings_page(seen(5.0), 205.0, "advise"))
    assert run("--live", url)[0] == 0


def test_a_gateway_that_has_not_looked_says_so(gateway: tuple[str, list[bytes]]) -> None:
    url, answers = gateway
    answers.append(findings_page(None, 5.0, "off"))
    code, _, told = run("--live", url)
    assert code == 0 and "has not looked yet (diagnosis mode: off)" in told


def test_no_gateway_or_another_server_is_told_with_the_next_step(
    gateway: tuple[str, list[bytes]],
) -> None:
    url, answers = gateway
    answers.append(b'{"board": 1}')
    code, _, told = run("--live", url)
    assert code == 2 and "no page of findings" in told
    code, _, told = run("--live", url + "/elsewhere")
    assert code == 2 and "404" in told
    code, _, told = run("--live", "http://127.0.0.1:1")
    assert code == 2 and "flyball serve" in told
