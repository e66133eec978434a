"""Does `flyball prices` tell the board, its age and validity, and what to do when there is none?"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from flyball.cli.prices import command, summary
from flyball.governor.objectives import Objectives
from flyball.model.prices import NO_BOARD, PoolPrice, PriceBoard
from flyball.model.request import RequestClass
from flyball.serve.process.pages import prices_page

BOARD = PriceBoard(
    version=7,
    made_at=100.0,
    valid_until=130.0,
    gap=1e-6,
    pools=(PoolPrice(pool="edge", usd_per_gpu_second=0.001, usd_per_joule=1e-7, load=0.42),),
)


@pytest.fixture
def gateway() -> Iterator[tuple[str, list[tuple[int, bytes]]]]:
    answers: list[tuple[int, bytes]] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[0] if self.path == "/v1/flyball/prices" else (404, b"{}")
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", answers
    server.shutdown()
    server.server_close()


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(command, list(words))
    return result.exit_code, result.stdout, result.stderr


def test_a_valid_board_is_a_table_and_exit_0(gateway) -> None:
    url, answers = gateway
    answers.append((200, prices_page(BOARD, 110.0, "enforce")))
    code, out, _ = run("--url", url)
    assert code == 0
    assert "board 7, 10.0 s old, valid for 20.0 s more" in out
    row = next(line for line in out.splitlines() if line.startswith("edge"))
    assert row.split() == ["edge", "42%", "3.6000", "0.000000", "0.3600"]


def test_the_classes_contracts_stand_below(gateway) -> None:
    url, answers = gateway
    contracts = Objectives([RequestClass(name="chat", objective=0.99)]).read(110.0)
    answers.append((200, prices_page(BOARD, 110.0, "enforce", contracts)))
    _, out, _ = run("--url", url)
    row = next(line for line in out.splitlines() if line.startswith("chat"))
    assert row.split() == ["chat", "99.000%", "0", "0", "100%", "0.00", "0", "0"]


def test_an_expired_board_is_exit_1_and_json_is_the_page(gateway) -> None:
    url, answers = gateway
    answers.append((200, prices_page(BOARD, 140.0, "enforce")))
    code, out, _ = run("--url", url + "/", "-o", "json")
    assert code == 1 and json.loads(out)["board"]["version"] == 7
    assert "expired 10.0 s ago" in summary(json.loads(out))


def test_no_board_yet_is_said(gateway) -> None:
    url, answers = gateway
    answers.append((200, prices_page(NO_BOARD, 1.0, "enforce")))
    code, out, _ = run("--url", url)
    assert code == 1 and "no plan yet" in out


@pytest.mark.parametrize("answer", [(500, b"{}"), (200, b"nonsense"), (200, b"[]")])
def test_what_is_no_gateway_is_exit_2(gateway, answer: tuple[int, bytes]) -> None:
    url, answers = gateway
    answers.append(answer)
    code, out, err = run("--url", url)
    assert code == 2 and out == "" and "flyball serve" in err and url in err


def test_nobody_there_is_exit_2_with_the_next_step() -> None:
    code, _, err = run("--url", "http://127.0.0.1:1")
    assert code == 2 and "Is a gateway running there?" in err
