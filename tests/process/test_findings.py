"""Are findings of a gateway with workers told in its pages, metrics and ledger, and over --live?"""

import json
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner

from flyball.cli.diagnose import command as diagnose
from flyball.model.acts import FindingSet
from flyball.serve.log.reader import open_log
from support.live import KEY, live_fleet

FILE = """
listen: {workers: 2}
loops: [{name: autoscaling, mode: enforce, period_s: 1, start_s: 1, limit_low: 1}]
foreign_loops: [{name: hpa, law: hpa, actuator: pool.replicas, period_s: 15}]
diagnosis: {interval_s: 0.5}
pricing: {tick_ms: 250}
"""
WAIT_S = 30.0


def page(url: str, path: str) -> bytes:
    with urlopen(url + path, timeout=5.0) as answer:
        return answer.read()


def ask(url: str) -> None:
    body = {"model": "llama-3.1-8b", "messages": [{"role": "user", "content": "hi"}]}
    fields = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    urlopen(Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), fields)).read()


def settled_page(url: str) -> dict[str, Any]:
    """The page once a finding stands."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        found = json.loads(page(url, "/v1/flyball/findings"))
        if found["findings"]:
            return found
        time.sleep(0.2)
    pytest.fail("no finding came")


def test_two_writers_of_one_actuator_are_told_everywhere(tmp_path: Path) -> None:
    with live_fleet(tmp_path, {"a": "h100/llama-3.1-8b"}, extra=FILE) as live:
        ask(live.url)
        found = settled_page(live.url)
        assert found["mode"] == "advise" and found["age_s"] < WAIT_S
        first = next(one for one in found["findings"] if one["code"] == "FB-101")
        assert set(first["loops"]) == {"autoscaling", "hpa"}
        assert any("fluid twin" in one for one in found["missing"])
        metrics = page(live.url, "/metrics").decode()
        assert 'flyball_finding{code="FB-101"' in metrics
        result = CliRunner().invoke(diagnose, ["--live", live.url])
        assert result.exit_code == 1 and "FB-101 error" in result.output
    assert "finding: FB-101" in (tmp_path / "gateway.log").read_text()
    records = [one.record for one in open_log(live.ledger).since(0.0)]
    kept = [one for one in records if isinstance(one, FindingSet)]
    assert [one.stands for one in kept if one.code == "FB-101"] == [True]
