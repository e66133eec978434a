"""Can an operator hold a loop of a running gateway with several workers, and nobody else?"""

import json
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner

from flyball.cli.advise import command as advise
from flyball.cli.hold import command as hold
from flyball.cli.loops_page import KEY_ENV
from flyball.model.decision import LoopAction
from flyball.serve.log.reader import open_log
from support.live import KEY, live_fleet

LOOPS = """
listen: {workers: 2}
admin: {key_env: OPS_KEY}
loops:
  - {name: autoscaling, mode: enforce, period_s: 1, start_s: 1, limit_low: 1}
  - {name: priority, mode: advise, period_s: 1}
"""


def ask(url: str) -> None:
    body = {"model": "llama-3.1-8b", "messages": [{"role": "user", "content": "hi"}]}
    fields = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    data = json.dumps({**body, "max_tokens": 5}).encode()
    urlopen(Request(f"{url}/v1/chat/completions", data, fields)).read()


def ran(command: object, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(words))  # type: ignore[arg-type]
    return result.exit_code, result.output


def test_hold_and_release_reach_the_plan_and_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_KEY", "ops")
    monkeypatch.delenv(KEY_ENV, raising=False)
    with live_fleet(tmp_path, {"a": "h100/llama-3.1-8b"}, extra=LOOPS) as live:
        code, out = ran(hold, "autoscaling", "--url", live.url)
        assert code == 1 and KEY_ENV in out
        monkeypatch.setenv(KEY_ENV, "ops")
        words = ("autoscaling", "--for", "600", "--reason", "a deploy", "--url", live.url)
        code, out = ran(hold, *words)
        assert code == 0 and out.startswith("autoscaling: held for 600 s more")
        for _ in range(5):
            ask(live.url)
        until = time.monotonic() + 20.0
        while time.monotonic() < until:
            _, out = ran(advise, "--all", "--url", live.url)
            if "autoscaling" in out:
                break
            time.sleep(0.2)
        assert "[observe" in out, "held, it says what it would do"
        code, out = ran(hold, "--release", "--url", live.url)
        assert code == 0 and "autoscaling: enforce" in out
        for process in live.processes.values():
            process.terminate()
            process.wait(20)
        found = [one.record for one in open_log(live.ledger).records()]
        done = [one for one in found if isinstance(one, LoopAction)]
    held = [(one.loop, one.new) for one in done if one.actuator == "loop.hold"]
    assert held == [("autoscaling", "held"), ("all", "free")]
