"""Which margins and findings does a live fleet show, by which loop, and what could not be seen?"""

import pytest

from flyball.governor.period.findings import CONTEXT_GAIN_MIN, TWIN, look
from flyball.model.loop import ForeignLoop, LoopPolicy
from support import fleets
from support.watched import Watched, settled

SDK = ForeignLoop(name="openai-sdk", law="sdk-retry", actuator="client.retries", gain=0.5)
HPA = ForeignLoop(name="hpa", law="hpa", actuator="pool.replicas", period_s=15.0)
SCALE = LoopPolicy(name="autoscaling", mode="enforce", scopes=("big",))
RATES = {"chat": 5000.0}


def test_too_little_room_names_who_retries_then_who_could_help() -> None:
    play = Watched(foreign_loops=(SDK,), loops=(SCALE,))
    play.rates = RATES
    play.ticks(60)
    found = look(play.core.state, play.at).wanted
    (one,) = [found[key] for key in found if key.startswith("FB-509")]
    assert one.loops[0] == "openai-sdk" and one.actuators[0] == "client.retries"
    assert ("autoscaling" in one.loops) == (one.scope == "big")
    assert one.evidence[0].value < 1.0 and one.lead_s == 0.0 and one.confidence > 0.9


def test_with_room_there_is_a_margin_and_no_finding() -> None:
    play = Watched()
    play.ticks(60)
    seen = look(play.core.state, play.at)
    assert seen.wanted == {}
    (name, evidence), *_ = seen.margins
    assert name in ("big", "small") and evidence.value > 2.0


def test_retries_that_feed_on_themselves_are_told_and_few_are_not() -> None:
    failed = settled(outcome="client-gone", in_time=False)
    again = settled(outcome="client-gone", in_time=False, is_retry=True)
    storm = Watched()
    storm.ticks(60, [failed, again, again])
    found = look(storm.core.state, storm.at).wanted
    (one,) = [found[key] for key in found if key.startswith("FB-510")]
    assert one.loops == ("retry",) and one.evidence[0].value == pytest.approx(2 / 3, rel=0.02)
    calm = Watched()
    calm.ticks(60, [settled(), settled(), again])
    assert not any(key.startswith("FB-510") for key in look(calm.core.state, calm.at).wanted)


def test_cuts_that_come_back_as_retries_are_told_where_the_arms_are_counted() -> None:
    klass = fleets.CHAT
    from msgspec.structs import replace

    context = replace(klass.context, allow_truncation=True)
    classes = (replace(klass, context=context),)
    play = Watched(classes=classes)
    play.ticks(12)
    assert any("context gain of class chat" in one for one in play.core.state.watching.missing)
    loop = play.core.state.context_loops["chat"]
    for arm, repeats in ((0, 400), (1, 100)):
        for _ in range(1000):
            loop.note_answered(arm, 0.001, 0.0002)
        for _ in range(repeats):
            loop.note_repeat(arm)
    seen = look(play.core.state, play.at)
    (one,) = [seen.wanted[key] for key in seen.wanted if key.startswith("FB-503")]
    assert one.loops == ("context", "retry") and one.scope == "chat"
    assert one.evidence[0].high is not None and one.evidence[0].high < CONTEXT_GAIN_MIN
    control = Watched(classes=classes, role="control")
    control.ticks(12)
    assert any("the workers" in one for one in look(control.core.state, control.at).missing)


def test_conflicts_with_a_foreign_loop_are_told_and_looked_for_once_per_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from flyball.diagnosis.topology import topology

    play = Watched(loops=(SCALE,), foreign_loops=(HPA,))
    calls: list[float] = []
    real = topology.topology

    def counted(graph: object, at: float = 0.0) -> object:
        calls.append(at)
        return real(graph, at)  # type: ignore[arg-type]

    monkeypatch.setattr(topology, "topology", counted)
    play.ticks(60)
    found = look(play.core.state, play.at).wanted
    (one,) = [found[key] for key in found if key.startswith("FB-101")]
    assert set(one.loops) == {"autoscaling", "hpa"} and one.actuators == ("pool.replicas",)
    assert len(calls) <= 2, "a set-point that meets its limit is a change, a quiet look is not"


def test_what_the_twin_would_need_is_said() -> None:
    play = Watched()
    play.ticks(12)
    missing = play.core.state.watching.missing
    assert TWIN in missing and any(one.startswith("load margin") for one in missing)
