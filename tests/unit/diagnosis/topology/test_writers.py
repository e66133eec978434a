"""Are owners and fights read out of Kubernetes' own records, and deploys left in peace?"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.diagnosis.topology.writers import (
    OTHER_HAND,
    Fights,
    Write,
    actuator_of,
    audited,
    contested,
    is_person,
    moves,
    owners,
)


def managed(*entries: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"namespace": "prod", "name": "web", "managedFields": list(entries)},
    }


def owned(manager: str, fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "manager": manager, "operation": "Update", "time": "2026-05-01T00:00:00Z",
        "fieldsV1": fields, **more,
    }  # fmt: skip


REPLICAS = {"f:spec": {"f:replicas": {}}}


def test_two_owners_of_one_field() -> None:
    data = managed(
        owned("kube-controller-manager", REPLICAS, subresource="scale"),
        owned("argocd-controller", {"f:spec": {"f:replicas": {}, "f:paused": {}}}),
    )
    (one,) = owners([data])
    assert (one.target, one.field) == ("prod/deployment/web", "spec.replicas")
    (found,) = contested([one], at=5.0)
    assert found.code == "FB-102" and found.actuators == ("pool.replicas",)
    assert found.scope == "prod/deployment/web" and found.evidence[0].value == 2.0


def test_items_of_lists_are_named_by_their_key() -> None:
    requests = {"f:resources": {"f:requests": {"f:cpu": {}, ".": {}}}}
    fields = {
        "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"app"}': requests}}}}
    }
    (one,) = owners([managed(owned("vpa", fields), owned("helm-x", fields))])
    assert one.field == 'spec.template.spec.containers.[{"name":"app"}].resources.requests.cpu'
    assert actuator_of(one.field) == "pool.requests_cpu"


@pytest.mark.parametrize(
    "entries",
    [
        (owned("hpa", REPLICAS),),
        (owned("hpa", REPLICAS), owned("kubelet", REPLICAS, subresource="status")),
        (owned("hpa", REPLICAS), owned("argo", {"f:metadata": {"f:labels": {"f:x": {}}}})),
    ],
)
def test_one_owner_is_no_contest(entries: tuple[dict[str, Any], ...]) -> None:
    assert not list(owners([managed(*entries)]))


def test_two_people_are_no_contest() -> None:
    some = owners([managed(owned("kubectl-edit", REPLICAS), owned("kubectl", REPLICAS))])
    assert not list(contested(some))
    assert is_person("kubectl-client-side-apply") and not is_person("kube-controller-manager")


def event(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "stage": "ResponseComplete",
        "verb": "update",
        "user": {"username": "system:serviceaccount:kube-system:horizontal-pod-autoscaler"},
        "userAgent": "kube-controller-manager/v1.33",
        "objectRef": {
            "resource": "deployments", "namespace": "prod", "name": "web", "subresource": "scale",
        },
        "responseStatus": {"code": 200},
        "requestObject": {"kind": "Scale", "spec": {"replicas": 7}},
        "stageTimestamp": "2026-05-01T00:00:10.5Z",
    }  # fmt: skip
    return base | changes


def test_an_audit_event_names_writer_field_and_value() -> None:
    (one,) = audited(event())
    assert one == Write(
        at=1777593610.5,
        writer="horizontal-pod-autoscaler",
        target="prod/deployment/web",
        field="spec.replicas",
        value="7",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"stage": "RequestReceived"},
        {"verb": "get"},
        {"responseStatus": {"code": 409}},
        {"requestObject": None},
        {"objectRef": {"resource": "deployments", "name": "web", "subresource": "status"}},
    ],
)
def test_what_changed_nothing_is_no_write(changes: dict[str, Any]) -> None:
    assert not list(audited(event(**changes)))


def test_a_person_is_known_by_the_tool() -> None:
    by_hand = event(user={"username": "anna@corp"}, userAgent="kubectl/v1.33 (linux)")
    assert [one.writer for one in audited(by_hand)] == ["kubectl"]


# Odd parts of two levels; deeper ones are made of them by hand, as recursion draws slowly.
odd = st.sampled_from([None, True, -1, "", "spec", "f:spec", [], {}, ["x", None], {"spec": None}])
odd_objects = st.dictionaries(
    st.sampled_from(["spec", "replicas", "f:spec", "f:", "k:{", "name", "code", ""]),
    odd | st.dictionaries(st.sampled_from(["f:replicas", "spec", "."]), odd, max_size=2),
    max_size=3,
)


@given(st.dictionaries(st.sampled_from(sorted(event())), odd | odd_objects, max_size=4))
def test_no_event_however_odd_breaks_the_reading(changes: dict[str, Any]) -> None:
    for one in audited(event(**changes)):
        assert one.field.startswith("spec")
    entries = [changes, {"fieldsV1": changes}, owned("hpa", changes), changes.get("requestObject")]
    list(contested(owners([changes, {"metadata": {"managedFields": entries}}])))


def fought(*writes: tuple[float, str, str]) -> Fights:
    fights = Fights()
    for at, writer, value in writes:
        fights.add(Write(at=at, writer=writer, target="t", field="spec.replicas", value=value))
    return fights


BACK_AND_FORTH = (
    (0.0, "hpa", "5"), (10.0, "argo", "3"), (15.0, "hpa", "5"), (25.0, "argo", "3"),
    (30.0, "hpa", "6"), (40.0, "argo", "3"),
)  # fmt: skip


def test_a_field_set_back_and_forth() -> None:
    (found,) = fought(*BACK_AND_FORTH).findings()
    assert set(found.loops) == {"hpa", "argo"} and found.scope == "t"
    assert found.evidence[0].value == 2.0 and found.evidence[1].unit == "s"


@pytest.mark.parametrize(
    "writes",
    [
        [(15.0 * n, "hpa", str(n % 4)) for n in range(20)],
        [*[(15.0 * n, "hpa", str(n)) for n in range(9)], (31.0, "argo", "3")],
        [(10.0 * n, ("hpa", "argo")[n % 2], "5") for n in range(20)],
        [(1.0 * n, ("kubectl", "k9s")[n % 2], str(n)) for n in range(20)],
        [(0.0, "hpa", "1"), (1.0, "argo", "2"), (2.0, "hpa", "3")],
    ],
    ids=["alone", "one deploy", "agreed", "people", "once"],
)
def test_what_is_no_fight(writes: list[tuple[float, str, str]]) -> None:
    assert not list(fought(*writes).findings())


def test_who_steers_is_a_loop_with_its_pace() -> None:
    steered = fought(
        *[(15.0 * n, "hpa", str(n % 4)) for n in range(20)], (7.0, "argo", "3"), (9.0, "argo", "3")
    )
    (member,) = steered.members().members
    assert (member.name, member.actuator, member.period_s) == ("hpa", "pool.replicas", 15.0)
    assert member.seen == ("20 writes",)


def test_fields_beyond_the_bound_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyball.diagnosis.topology.writers.FIELDS_MAX", 1)
    fights = Fights()
    for target in "ab":
        fights.add(Write(at=0.0, writer="w", target=target, field="f", value="1"))
    assert fights.skipped == 1


def test_another_hand_shows_in_our_own_records() -> None:
    acts = [
        (0.0, "autoscaling", "pool.replicas", "chat", "3", "4"),
        (15.0, "autoscaling", "pool.replicas", "chat", "3", "4"),
        (30.0, "autoscaling", "pool.replicas", "chat", "3", "4"),
        (45.0, "autoscaling", "pool.replicas", "chat", "3", "5"),
    ]
    fights = Fights()
    for write in moves(acts):
        fights.add(write)
    (found,) = fights.findings()
    assert set(found.loops) == {"autoscaling", OTHER_HAND} and found.scope == "chat"
    quiet = [
        (at, loop, u, scope, str(n), str(n + 1))
        for n, (at, loop, u, scope, _, _) in enumerate(acts)
    ]
    assert {one.writer for one in moves(quiet)} == {"autoscaling"}
    assert [one.name for one in fights.members(is_own=True).members] == ["autoscaling"]
