"""Does each source tell what it knows, and say what is wrong with it without a traceback?"""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flyball.cli import diagnose_input as sources
from flyball.cli.file_shape import CannotUse
from flyball.diagnosis.topology.topology import topology
from flyball.model.decision import LoopAction
from flyball.serve.log.store import LedgerStore
from support import records
from support.configs import changed


def fleet_file(folder: Path, more: str) -> str:
    path = folder / "fleet.yaml"
    path.write_text(changed(("version: v1\n", f"version: v1\n{more}")))
    return str(path)


def test_a_fleet_file_tells_its_loops_and_foreign_ones(tmp_path: Path) -> None:
    more = """\
loops:
  - {name: autoscaling, mode: enforce, scopes: [small], start_s: 90}
  - {name: power, mode: advise}
foreign_loops:
  - {name: hpa, law: hpa, actuator: pool.replicas, scope: small}
actuators:
  - actuator: pool.replicas
    scope: small
    kind: kubernetes
    url: "http://127.0.0.1:1"
    workload: prod/deployments/web
    token_file: t
"""
    told, workloads = sources.fleet(fleet_file(tmp_path, more))
    scaling, power, hpa = told.graph.members
    assert (scaling.scope, scaling.delay_s, scaling.is_acting) == ("small", 90.0, True)
    assert scaling.guard == pytest.approx(3.0) and not power.is_acting
    assert (hpa.actuator, hpa.scope) == ("pool.replicas", "small")
    assert workloads == {"prod/deployment/web": "small"}
    assert [one.code for one in topology(sources.joined([told]).graph)] == ["FB-101"]


def test_a_bad_fleet_file_is_told_as_check_tells_it(tmp_path: Path) -> None:
    with pytest.raises(CannotUse, match=r"fleet.yaml:2:1: error"):
        sources.fleet(fleet_file(tmp_path, "loopps: []\n"))
    with pytest.raises(CannotUse, match="cannot read"):
        sources.fleet(str(tmp_path / "none.yaml"))


def test_our_own_records_tell_who_moves_what(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path / "log")
    for number in range(8):
        act = LoopAction(
            id=f"act_{number}", at=1000.0 + 15.0 * number, loop="autoscaling",
            actuator="pool.replicas", scope="chat", old="3", new=str(4 + number % 2),
            reason="r", mode="enforce" if number else "advise",
        )  # fmt: skip
        store.append(act)
        store.append(records.intent(number))
    assert store.close() == 0
    told = sources.ledger(tmp_path / "log")
    (member,) = told.graph.members
    assert (member.name, member.scope, member.period_s) == ("autoscaling", "chat", 15.0)
    assert [one.code for one in told.findings] == ["FB-102"]
    with pytest.raises(CannotUse, match="no log"):
        sources.ledger(tmp_path / "none")


def event(second: int, writer: str, replicas: int) -> dict[str, Any]:
    return {
        "stage": "ResponseComplete", "verb": "patch", "responseStatus": {"code": 200},
        "user": {"username": f"system:serviceaccount:x:{writer}"},
        "objectRef": {"resource": "deployments", "namespace": "prod", "name": "web"},
        "requestObject": {"spec": {"replicas": replicas}},
        "stageTimestamp": f"2026-05-01T00:{second // 60:02d}:{second % 60:02d}Z",
    }  # fmt: skip


FIGHT = [event(10 * n, ("hpa", "argo")[n % 2], (5, 3)[n % 2]) for n in range(10)]


@pytest.mark.parametrize("is_packed", [False, True])
def test_an_audit_log_is_read_as_a_stream(tmp_path: Path, is_packed: bool) -> None:
    text = "\n".join([*(json.dumps(one) for one in FIGHT), "half a li"]) + "\n"
    path = tmp_path / ("audit.log.gz" if is_packed else "audit.log")
    path.write_bytes(gzip.compress(text.encode()) if is_packed else text.encode())
    said: list[str] = []
    told = sources.audit(path, {"prod/deployment/web": "small"}, said.append)
    (found,) = told.findings
    assert found.scope == "small" and set(found.loops) == {"hpa", "argo"}
    assert said == [f"{path}: 1 lines are no JSON"]


@pytest.mark.parametrize("text", ["", "no json\n", "[]\n"])
def test_what_is_no_audit_log(tmp_path: Path, text: str) -> None:
    path = tmp_path / "audit.log"
    path.write_text(text)
    with pytest.raises(CannotUse, match="no audit event"):
        sources.audit(path, {}, print)


def test_a_broken_or_missing_file_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "audit.log.gz"
    path.write_bytes(gzip.compress(b"x" * 1000)[:20])
    with pytest.raises(CannotUse, match="cannot read"):
        sources.audit(path, {}, print)
    with pytest.raises(CannotUse, match="cannot read"):
        sources.objects(tmp_path / "none")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CannotUse, match="UTF-8"):
        sources.objects(path)


def test_objects_tell_their_owners(tmp_path: Path) -> None:
    fields = {"f:spec": {"f:replicas": {}}}
    entries = [{"manager": name, "fieldsV1": fields} for name in ("hpa", "argo")]
    data = {
        "kind": "List",
        "items": [{"kind": "Deployment", "metadata": {"name": "w", "managedFields": entries}}],
    }
    path = tmp_path / "objects.json"
    path.write_text(json.dumps(data))
    assert [one.code for one in sources.objects(path).findings] == ["FB-102"]
    path.write_text(json.dumps({"items": [{"metadata": {"name": "w"}}]}))
    with pytest.raises(CannotUse, match="--show-managed-fields"):
        sources.objects(path)
    path.write_text("{")
    with pytest.raises(CannotUse, match="no JSON"):
        sources.objects(path)


def test_a_probe_gives_measured_effects(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    arms = rng.choice([-1, 1], 150)
    rows = [
        f"{arm},{2.0 * (1.0 + 0.02 * 0.8 * arm) + 0.004 * rng.standard_normal()}" for arm in arms
    ]
    path = tmp_path / "probe.csv"
    path.write_text("\n".join(["arm.pool.replicas@0.02,latency", *rows]))
    said: list[str] = []
    told = sources.probe(path, 20.0, said.append)
    (one,) = told.graph.effects
    assert one.is_measured and one.gain == pytest.approx(0.8, abs=0.1)
    assert said == [f"{path}: 1 of 1 pairs are shown by the probe"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a column arm"),
        ("a,b\n1,2\n", "a column arm"),
        ("arm.u@0.1,y\n1\n", ":2: 1 values for 2 columns"),
        ("arm.u@0.1,y\n1,x\n", ":2: not all values"),
        ("arm.u@0.1,y\n1,2\n", "blocks"),
        ("arm.u@0.1,y\n" + "0,2\n" * 40, "an arm is"),
        ("arm.u@0.1,y\n" + "1,nan\n" * 40, "gaps"),
    ],
)
def test_what_is_no_probe(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "probe.csv"
    path.write_text(text)
    with pytest.raises(CannotUse, match=words):
        sources.probe(path, 20.0, print)
