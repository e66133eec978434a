"""Do people's orders reach every worker of a real gateway, and only theirs?"""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from flyball.authority.revocation import Stop
from flyball.authority.signer import Signer, key_text
from flyball.cli.oversight_call import Door
from flyball.model.acts import AdminCall, Oversight
from flyball.serve.log.reader import open_log


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
