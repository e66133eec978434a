"""Does a guarantee hold over real processes, whichever worker the request reaches?"""

import json
import re
import time
import urllib.error
import urllib.request

import pytest

from flyball.model.decision import Outcome
from flyball.serve.log.reader import open_log

QUESTION = {"model": "m", "input_tokens": 50, "output_tokens": 8, "deadline_ms": 5000}
CALL = {"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "hello"}]}
HEADERS = {"content-type": "application/json"}


def send(found, path: str, body: dict, **fields: str) -> tuple[int, dict, dict]:
    """One POST on a connection of its own, so that any worker may get it."""
    url = f"http://127.0.0.1:{found.port}{path}"
    request = urllib.request.Request(url, json.dumps(body).encode(), HEADERS | fields)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), _json(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), _json(error.read())


def _json(body: bytes) -> dict:
    return json.loads(body) if body.startswith(b"{") else {}


def ask(found, **change: object) -> tuple[int, dict]:
    """Ask until the engines have been read: before that nothing can be promised."""
    until = time.monotonic() + 30  # longer than an error is held against a prediction (10 s)
    while True:
        status, _, told = send(found, "/v1/flyball/quote", QUESTION | change)
        if "view of the fleet" not in json.dumps(told) or time.monotonic() > until:
            return status, told
        time.sleep(0.05)


def use(found, quote: str) -> tuple[int, str]:
    """(status, which worker answered)."""
    status, fields, _ = send(found, "/v1/chat/completions", CALL, **{"x-flyball-quote": quote})
    return status, fields["x-flyball-request-id"][15:17]


@pytest.mark.parametrize("workers", [1, 3])
def test_quotes_are_used_once_wherever_they_are_used(engines, gateway, workers: int) -> None:
    found = gateway(engines(2), workers=workers)
    made, answered = set(), set()
    for _ in range(30):
        status, quote = ask(found)
        assert status == 200, quote
        row = int(quote["id"].removeprefix("quote_")[:6], 16)
        made.add(row // 1024)
        status, worker = use(found, quote["id"])
        assert status == 200
        answered.add((row // 1024, int(worker, 16)))
        again, _ = use(found, quote["id"])
        assert again == 409, "good for one request"
    assert len(made) == workers
    if workers > 1:
        assert any(owner != worker for owner, worker in answered), "none was used elsewhere"
    assert found.end() == 0
    outcomes = [r.record for r in open_log(found.log).records() if isinstance(r.record, Outcome)]
    kept = [one for one in outcomes if one.quote and one.outcome == "served"]
    assert len(kept) == 30
    assert all(one.promised_s == 5.0 and one.penalty_usd == 0.0 for one in kept)


def test_what_cannot_be_promised_is_refused_with_what_would_help(engines, gateway) -> None:
    found = gateway(engines(1))
    status, told = ask(found, deadline_ms=1)
    assert status == 429 and told["error"]["code"] == "deadline_unreachable"
    soonest = told["error"]["flyball"]["would_help"]["deadline_ms"]
    status, _ = ask(found, deadline_ms=1.5 * soonest)
    assert status == 200
    status, told = ask(found, output_tokens=0)
    assert (status, told["error"]["param"]) == (400, "output_tokens")


def test_kept_and_broken_promises_are_counted(engines, gateway) -> None:
    found = gateway(engines(1, gap_s=0.2), extra="promises: {quote_s: 5}\n")
    _, quote = ask(found, deadline_ms=1400)  # 8 tokens, 0.2 s apart, take 1.6 s
    status, _ = use(found, quote["id"])
    assert status == 200
    deadline = time.monotonic() + 5
    burn = re.compile(r'flyball_objective_burn_ratio\{class="c",window="5m"\} (\d\S+)')
    while time.monotonic() < deadline:
        page = found.page("/metrics")
        if (told := burn.search(page)) and float(told[1]):
            break
        time.sleep(0.1)
    assert told and float(told[1]) == pytest.approx(100.0)
    assert 'flyball_promises_total{class="c",result="broken"} 1' in page
    assert 'flyball_promise_penalty_usd_total{class="c"} 0.01' in page
    (row,) = found.page("/v1/flyball/prices")["objectives"]
    assert (row["class"], row["requests"], row["missed"]) == ("c", 1, 1)
