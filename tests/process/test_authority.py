"""Do mandates, budgets and policies hold over real processes, whichever worker is asked?"""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from flyball.authority.mandates.blocks import Limits
from flyball.authority.mandates.grant import grant
from flyball.authority.revocation.signer import Signer, key_text
from flyball.cli import main
from flyball.model.decision import Intent, Outcome
from flyball.serve.log.reader import open_log
from support.mandates import ANNA, ROOT, jkt, proof

CALL = {
    "model": "m",
    "max_tokens": 4,
    "stream": True,
    "messages": [{"role": "user", "content": "hello"}],
}
POLICY = """\
@id("recorded-first") @obligation("record-before-release")
permit (principal, action, resource);
"""
FORBIDS = POLICY + '@id("frozen") forbid (principal, action == Action::"infer", resource);\n'


def send(port: int, key: str = "", dpop: str = "", **change: object) -> tuple[int, dict]:
    """One call on a connection of its own, so that any worker may get it."""
    fields = {"content-type": "application/json"}
    if dpop:
        fields["dpop"] = dpop
    if key:
        fields["authorization"] = f"Bearer {key}"
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    request = urllib.request.Request(url, json.dumps(CALL | change).encode(), fields)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()
            return answer.status, {}
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error"]


def token(budget: int | None = None) -> str:
    now = time.time()
    limits = Limits(expires_at=now + 600, budget_micro_usd=budget)
    return grant(ROOT, ANNA, limits, now - 1)


def section(folder: Path, text: str) -> str:
    policy = folder / "site.cedar"
    policy.write_text(text)
    return (
        "watch: true\n"
        "authority:\n"
        f'  policies: {{site: {{files: ["{policy}"]}}}}\n'
        f'  roots: {{"1": "{key_text(ROOT.public)}"}}\n'
    )


def records(folder: Path, kind: type) -> list:
    return [e.record for e in open_log(folder / "log").records() if isinstance(e.record, kind)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_mandate_is_let_in_within_its_budget_and_all_of_it_is_recorded(
    engines, gateway, tmp_path: Path, workers: int
) -> None:
    found = gateway(engines(2), workers=workers, extra=section(tmp_path, POLICY))
    assert send(found.port)[0] == 401
    assert send(found.port, token()[:-6])[1]["code"] == "mandate_invalid"
    limit = 40
    key = token(limit)
    answers = [send(found.port, key) for _ in range(40)]
    served = [status for status, _ in answers if status == 200]
    refused = {told["code"] for status, told in answers if status != 200}
    assert served and refused == {"budget_exhausted"}
    assert found.end() == 0
    folder = found.file.parent
    spent = [o.spent_micro_usd or 0 for o in records(folder, Outcome)]
    assert 0.3 * limit < sum(spent) <= limit, spent
    intents = records(folder, Intent)
    assert len(intents) == len(served)
    for intent in intents:
        assert intent.warrant.human == "https://idp.example|u|17"
        assert intent.warrant.policies == ("recorded-first",)
        assert intent.warrant.obligations == ("record-before-release",)
    log, policy = str(folder / "log"), tmp_path / "site.cedar"
    result = CliRunner().invoke(main, ["verify", log, "--bundle", str(policy)])
    assert result.exit_code == 0, result.output
    assert f"{len(intents)} answers are the same, 0 differ, of 0" in result.output
    explained = CliRunner().invoke(main, ["explain", intents[0].id, "--log", log])
    assert "https://idp.example|u|17 acted in person" in explained.output
    policy.write_text(FORBIDS)
    result = CliRunner().invoke(main, ["verify", log, "--bundle", str(policy)])
    assert result.exit_code == 0 and "name it too" in result.output, result.output


def test_a_proof_is_used_once_whichever_worker_is_shown_it(
    engines, gateway, tmp_path: Path
) -> None:
    found = gateway(engines(1), workers=2, extra=section(tmp_path, POLICY))
    now = time.time()
    key = Signer.new("k")
    bound = grant(ROOT, ANNA, Limits(expires_at=now + 600), now - 1, holder=jkt(key))
    url = f"http://127.0.0.1:{found.port}/v1/chat/completions"

    def shown(number: int) -> str:
        claims = {"htu": url, "iat": int(time.time()), "jti": f"proof-{number:04d}"}
        return proof(key, bound, **claims)

    seen = shown(0)
    assert send(found.port, bound, dpop=seen)[0] == 200
    codes = [send(found.port, bound, dpop=seen)[1].get("message", "") for _ in range(12)]
    assert all("proof_replayed" in text for text in codes), codes
    assert [send(found.port, bound, dpop=shown(n))[0] for n in range(1, 7)] == [200] * 6
    assert found.end() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_no_kill_makes_a_gateway_forget_what_was_spent(
    engines, gateway, tmp_path: Path, workers: int
) -> None:
    limit, lives = 40, 2
    key, two = token(limit), engines(2)
    extra = section(tmp_path, POLICY)
    served = 0
    for _ in range(lives):
        found = gateway(two, workers=workers, extra=extra)
        served += sum(send(found.port, key)[0] == 200 for _ in range(8))
        os.killpg(found.process.pid, signal.SIGKILL)
        found.process.wait(10)
    found = gateway(two, workers=workers, extra=extra)
    answers = [send(found.port, key) for _ in range(40)]
    served += sum(status == 200 for status, _ in answers)
    assert answers[-1][1].get("code") == "budget_exhausted"
    assert found.end() == 0
    costs = {one.spent_micro_usd for one in records(tmp_path, Outcome) if one.outcome == "served"}
    assert served > 3 and served * min(costs) <= limit, (served, costs)


def test_a_restart_in_peace_loses_no_part_of_a_budget(engines, gateway, tmp_path: Path) -> None:
    limit = 200
    key, two, extra = token(limit), engines(1), section(tmp_path, POLICY)
    for _ in range(2):
        found = gateway(two, extra=extra)
        assert send(found.port, key)[0] == 200
        assert found.end() == 0
    outcomes = [one for one in records(tmp_path, Outcome) if one.outcome == "served"]
    (told,) = (tmp_path / "log.budgets").read_text().split("\n")[-2:-1]
    assert int(told.split()[2]) == sum(one.spent_micro_usd for one in outcomes)


@pytest.mark.parametrize("workers", [1, 2])
def test_another_policy_comes_into_force_in_all_workers(
    engines, gateway, tmp_path: Path, workers: int
) -> None:
    found = gateway(engines(1), workers=workers, extra=section(tmp_path, POLICY))
    key = token()
    assert send(found.port, key)[0] == 200
    section(tmp_path, FORBIDS)
    found.signal(signal.SIGHUP)
    found.until("in force")
    for _ in range(12):
        status, told = send(found.port, key)
        assert (status, told.get("code")) == (403, "policy_denied"), told
        assert "frozen" in told["message"]
    section(tmp_path, POLICY + "permit (nonsense")
    found.signal(signal.SIGHUP)
    found.until("the old one stays in force")
    assert send(found.port, key)[0] == 403
