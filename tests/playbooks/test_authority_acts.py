"""People act on what runs: a revocation or a stop lets nothing in and cuts what is running."""

import pytest

from flyball.governor.commands import Abort, Forward, Hold, Notice, Record, Reject
from flyball.governor.events import FirstByte, RequestArrived, Revoked, StopSet, Tick
from flyball.governor.governor import Governor
from flyball.model.acts import Oversight, RevocationSet
from flyball.model.decision import Intent, Outcome
from support import fleets
from support.authority import mandate
from support.playbook import Playbook, a


def arrive(at: float = 1.0, request_id: str = "r1", **head: object) -> RequestArrived:
    return RequestArrived(at=at, request_id=request_id, head=fleets.head(**head), draw=0.5)


def outcomes(commands: list) -> dict[str, Outcome]:
    records = [c.record for c in commands if isinstance(c, Record)]
    return {one.id: one for one in records if isinstance(one, Outcome)}


def test_a_revocation_cuts_streams_under_the_block_and_its_descendants() -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    for name, held in (
        ("own", mandate("b0", "b1")),
        ("child", mandate("b0", "b1", "b2")),
        ("sibling", mandate("b0", "b3")),
        ("opaque", None),
    ):
        core.handle(arrive(request_id=name, mandate=held))
        core.handle(FirstByte(1.1, name))
    commands = core.handle(Revoked(2.1, "hq", 7, ("b1",), "ann", "stolen", made_at=2.0))
    ended = outcomes(commands)
    assert {name: (o.outcome, o.code) for name, o in ended.items()} == {
        "own": ("cancelled", "mandate_revoked"),
        "child": ("cancelled", "mandate_revoked"),
    }
    assert all(o.output_tokens > 0 for o in ended.values())
    aborts = [c for c in commands if isinstance(c, Abort)]
    assert {c.refusal.code for c in aborts if c.refusal} == {"mandate_revoked"}
    act = next(
        c.record for c in commands if isinstance(c, Record) and isinstance(c.record, RevocationSet)
    )
    assert (act.feed, act.sequence, act.ids, act.cut) == ("hq", 7, ("b1",), 2)
    assert act.effect_s == pytest.approx(0.1)
    assert set(core.state.flights) == {"sibling", "opaque"}
    assert sum(e.running for e in core.state.view.endpoints) == 2


def test_a_request_that_waits_is_refused_when_its_mandate_goes() -> None:
    core = Governor(fleets.fleet(h100=1, l40s=0), fleets.policy())
    for number in range(200):
        core.handle(arrive(1.0, f"big{number}", prompt_bytes=8_000, body_digest=number))
    core.handle(Tick(at=1.0))
    waits = arrive(1.0, "second", mandate=mandate(), class_hint="batch", body_digest=0)
    assert any(isinstance(c, Hold) for c in core.handle(waits))
    commands = core.handle(Revoked(2.0, "hq", 1, ("b0",), "ann", "gone"))
    refused = {c.request_id: c.refusal.code for c in commands if isinstance(c, Reject)}
    assert refused == {"second": "mandate_revoked"}
    assert outcomes(commands)["second"].outcome == "refused"


@pytest.mark.parametrize(
    "scope",
    [
        "all",
        "class:chat",
        "model:m",
        "principal:agent-7",
        "session:https:%2F%2Fid.example|ann/agent-7/s",
    ],
)
def test_a_stop_ends_what_it_names_until_it_is_lifted(scope: str) -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    play = Playbook(core)
    head = {"mandate": mandate(), "session_hint": "s"}
    core.handle(arrive(**head))
    core.handle(FirstByte(1.1, "r1"))
    (
        play
        >> StopSet(2.0, scope, True, by="ann", reason="harm", made_at=1.9)
        << a(Abort, refusal=lambda r: r.code == "stopped" and "by ann: harm" in r.detail)
        << a(Record, record=a(Outcome, outcome="cancelled", code="stopped"))
        << a(Record, record=a(Oversight, act="stop", scope=scope, cut=1, by="ann"))
    )
    play.done()
    (refused,) = [c for c in core.handle(arrive(3.0, "r2", **head)) if isinstance(c, Reject)]
    assert refused.refusal.code == "stopped"
    core.handle(StopSet(4.0, scope, False, by="ann", reason="over"))
    assert any(isinstance(c, Forward) for c in core.handle(arrive(5.0, "r3", **head)))


def test_a_stopped_site_is_closed_and_the_others_go_on() -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    core.handle(arrive(request_id="us"))
    core.handle(arrive(request_id="eu", class_hint="eu-chat"))
    commands = core.handle(
        StopSet(2.0, "site:us-central", True, by="ann", reason="fire", until=9.0)
    )
    assert set(outcomes(commands)) == {"us"}
    (act,) = [
        c.record for c in commands if isinstance(c, Record) and isinstance(c.record, Oversight)
    ]
    assert act.cut == 1
    for at, pool in ((3.0, "small"), (10.0, "big")):
        core.handle(Tick(at))
        commands = core.handle(arrive(at + 0.1, f"r{at}"))
        records = [c.record for c in commands if isinstance(c, Record)]
        assert next(r for r in records if isinstance(r, Intent)).pool == pool


def test_a_scope_that_is_none_is_said_to_be_so() -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    play = Playbook(core)
    play >> StopSet(2.0, "galaxy:m31", True, by="ann", reason="?") << a(Notice, code="stop-refused")
    play.done()


def test_each_worker_records_what_it_cut_and_the_control_the_act() -> None:
    event = Revoked(2.0, "hq", 1, ("b0",), "ann", "gone")
    worker = Governor(fleets.fleet(), fleets.policy(role="worker", workers=2))
    assert not worker.handle(event)
    busy = Governor(fleets.fleet(), fleets.policy(role="worker", workers=2))
    busy.handle(arrive(mandate=mandate()))
    control = Governor(fleets.fleet(), fleets.policy(role="control", workers=2))
    for core, cut in ((busy, 1), (control, 0)):
        records = [c.record for c in core.handle(event) if isinstance(c, Record)]
        assert next(r for r in records if isinstance(r, RevocationSet)).cut == cut


def test_who_was_revoked_as_a_person_stands_apart_from_blocks() -> None:
    core = Governor(fleets.fleet(), fleets.policy())
    event = Revoked(9.0, "hq", 8, ("b1",), "ann", "left", made_at=8.5, subjects=("human:i|eve",))
    records = [c.record for c in core.handle(event) if isinstance(c, Record)]
    act = next(r for r in records if isinstance(r, RevocationSet))
    assert (act.ids, act.subjects, act.made_at) == (("b1",), ("human:i|eve",), 8.5)
