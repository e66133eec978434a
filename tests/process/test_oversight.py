"""Do people's orders reach every worker of a real gateway, and only theirs?"""

import json
import os
import re
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from flyball.authority.mandates.blocks import Limits
from flyball.authority.mandates.grant import grant
from flyball.authority.revocation.revocation import Stop
from flyball.authority.revocation.signer import Signer, key_text
from flyball.cli import main
from flyball.cli.oversight_call import Door
from flyball.model.acts import AdminCall, Oversight
from flyball.model.decision import Intent
from flyball.serve.log.reader import open_log
from support.mandates import ANNA, ROOT


def keys(folder: Path, *names: str) -> dict[str, Signer]:
    made = {name: Signer.new(name) for name in names}
    for name, key in made.items():
        path = folder / f"{name}.key"
        path.touch(mode=0o600)
        path.write_text(key.private_text())
    return made


def people(made: dict[str, Signer], **roles: str) -> str:
    listed = ", ".join(
        f'{name}: {{role: {role}, key: "{key_text(made[name].public)}"}}'
        for name, role in roles.items()
    )
    return f"oversight: {{site: gw, key: gw.key, port: 0, people: {{{listed}}}}}\n"


@pytest.mark.parametrize("workers", [1, 2])
def test_orders_reach_every_worker_until_the_person_is_taken_off(
    engines, gateway, tmp_path: Path, workers: int
) -> None:
    made = keys(tmp_path, "gw", "ada", "bob")
    machines = engines(2)
    extra = people(made, ada="admin", bob="viewer")
    found = gateway(machines, workers=workers, extra=extra)
    url = found.until(r"door-open: (http://127.0.0.1:\d+)")
    ada, bob = (Door(url, tmp_path / f"{name}.key") for name in ("ada", "bob"))
    order = Stop(
        id="s1", by="ada", reason="a test", made_at=time.time(), scope="model:m", is_stopped=True
    )
    told = ada.order(order)
    assert told["is_new"] and not ada.order(order)["is_new"]
    assert all(b"stopped" in found.ask() for _ in range(12))
    if workers == 2:
        os.kill(found.children()[0], signal.SIGKILL)
        found.until("worker-ended")
        time.sleep(1.5)
        assert len(found.children()) == 2, "it was started again"
        assert all(b"stopped" in found.ask() for _ in range(24)), "and knows what is stopped"
    with pytest.raises(SystemExit):
        bob.order(Stop(id="s2", by="bob", reason="r", made_at=time.time(), scope="all",
                       is_stopped=True))  # fmt: skip
    name = found.page("/v1/flyball/fleet")["endpoints"][0]["name"]
    body = {"id": "o1", "scope": f"endpoint:{name}", "to": "drained", "reason": "bad card"}
    ada.call("POST", "/flyball/overrides", json.dumps(body).encode())
    ada.order(Stop(id="s3", by="ada", reason="over", made_at=time.time(), scope="model:m",
                   is_stopped=False))  # fmt: skip
    before = machines[0].requests
    assert all(b"200 OK" in found.ask() for _ in range(12))
    assert machines[0].requests == before, "a drained endpoint gets nothing"
    found.write(machines, extra=people(made, bob="viewer"))
    found.signal(signal.SIGHUP)
    found.until("config-reloaded")
    with pytest.raises(SystemExit):
        ada.call("GET", "/flyball/oversight")
    assert found.end() == 0
    records = [one.record for one in open_log(found.log).records()]
    acts = [(one.act, one.scope, one.by) for one in records if isinstance(one, Oversight)]
    assert set(acts) == {
        ("stop", "model:m", "ada"),
        ("resume", "model:m", "ada"),
        ("override", f"endpoint:{name}=drained", "ada"),
    }
    calls = [one for one in records if isinstance(one, AdminCall)]
    assert [(one.by, one.allowed) for one in calls if not one.allowed] == [
        ("bob", False), ("", False),
    ]  # fmt: skip
    assert not re.search(r"ed25519:|Flyball [A-Za-z0-9]", str(records) + found.told)


def test_a_hold_in_a_persons_name_waits_for_the_second_one(
    engines, gateway, tmp_path: Path
) -> None:
    made = keys(tmp_path, "gw", "ada", "bob")
    extra = people(made, ada="operator", bob="approver").replace(
        "port: 0,", 'port: 0, two_persons: ["override loop:all"],'
    )
    loops = "loops:\n  - {name: priority, mode: advise, period_s: 1}\n"
    found = gateway(engines(1), workers=2, extra=extra + loops)
    url = found.until(r"door-open: (http://127.0.0.1:\d+)")
    ada, bob = (["--key", str(tmp_path / f"{name}.key")] for name in ("ada", "bob"))
    words = ["hold", "--door", url, "--reason", "a deploy"]

    def ran(*more: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, [*words, *more])
        return result.exit_code, result.output

    def is_held() -> bool:
        return any(one["held"] for one in found.page("/v1/flyball/loops")["loops"])

    assert ran("priority", *ada)[0] == 0 and is_held()
    assert ran("priority", "--release", *ada)[0] == 0 and not is_held()
    code, said = ran("priority", *bob)
    assert code == 1 and "may not override" in said
    code, said = ran(*ada)
    assert code == 0 and "waits for a second person" in said and not is_held()
    order = said.split()[-1]
    assert CliRunner().invoke(main, ["people", "confirm", order, "--url", url, *bob]).exit_code == 0
    assert is_held()
    assert found.end() == 0
    records = [one.record for one in open_log(found.log).records()]
    acts = [(one.scope, one.by, one.seconded_by) for one in records if isinstance(one, Oversight)]
    assert acts == [
        ("loop:priority=hold", "ada", ""),
        ("loop:priority=release", "ada", ""),
        ("loop:all=hold", "ada", "bob"),
    ]
    calls = {(one.by, one.allowed) for one in records if isinstance(one, AdminCall)}
    assert calls >= {("ada", True), ("bob", False), ("bob", True)}


def test_a_mandate_is_revoked_by_one_command_and_explain_names_who(
    engines, gateway, tmp_path: Path
) -> None:
    made = keys(tmp_path, "gw", "ada")
    roots = f'authority:\n  roots: {{"1": "{key_text(ROOT.public)}"}}\n'
    found = gateway(engines(1), workers=2, extra=people(made, ada="admin") + roots)
    url = found.until(r"door-open: (http://127.0.0.1:\d+)")
    now = time.time()
    token = grant(ROOT, ANNA, Limits(expires_at=now + 600), now - 1)
    (tmp_path / "mandate").write_text(token)

    def ask() -> int:
        body = {"model": "m", "max_tokens": 2, "messages": [{"role": "user", "content": "hi"}]}
        fields = {"content-type": "application/json", "authorization": f"Bearer {token}"}
        request = urllib.request.Request(
            f"http://127.0.0.1:{found.port}/v1/chat/completions", json.dumps(body).encode(), fields
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    assert [ask() for _ in range(6)] == [200] * 6
    words = ["mandate", "revoke", "--mandate", str(tmp_path / "mandate"), "--reason", "left",
             "--url", url, "--key", str(tmp_path / "ada.key")]  # fmt: skip
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0 and "in force" in result.output, result.output
    assert [ask() for _ in range(12)] == [403] * 12
    assert found.end() == 0
    log = open_log(found.log)
    intent = next(one.record for one in log.records() if isinstance(one.record, Intent))
    said = CliRunner().invoke(main, ["explain", intent.id, "--log", str(found.log)]).output
    assert "https://idp.example|u|17 acted in person" in said
    assert "ada revoked the mandate at" in said and "after it was placed: left" in said
    assert CliRunner().invoke(main, ["verify", str(found.log)]).exit_code == 0
