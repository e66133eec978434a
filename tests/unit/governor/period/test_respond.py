"""In mode enforce, which loop is held for a finding, and is it let go again?"""

from flyball.diagnosis.codes.codes import finding
from flyball.diagnosis.finding import Evidence, Finding
from flyball.governor.commands import Command
from flyball.governor.events import HoldSet
from flyball.governor.period.respond import WHO, respond
from flyball.model.loop import LoopPolicy
from support.watched import Watched, holds

LOOPS = tuple(
    LoopPolicy(name=name, mode="enforce") for name in ("autoscaling", "consolidation", "power")
)


def found(code: str, *loops: str) -> Finding:
    return finding(
        code,
        at=100.0,
        loops=loops,
        actuators=(),
        evidence=[Evidence(what="a number", value=1.0)],
        confidence=0.9,
        summary="so it is",
    )


def responded(play: Watched, *standing: Finding) -> list[Command]:
    state, out = play.core.state, []
    state.watching.standing = {str(number): one for number, one in enumerate(standing)}
    respond(state, play.at, out)
    return out


def test_the_loop_named_is_held_for_its_code_and_let_go() -> None:
    play = Watched(mode="enforce", loops=LOOPS)
    state = play.core.state
    (act,) = holds(responded(play, found("FB-104", "hpa", "power", "autoscaling")))
    assert (act.loop, act.new) == ("power", "held"), "the first of ours"
    assert "FB-104" in act.reason and state.watching.held == {"power": "FB-104"}
    assert state.modes.effective("power", play.at) == "observe"
    assert not responded(play, found("FB-104", "hpa", "power", "autoscaling"))
    (act,) = holds(responded(play))
    assert (act.loop, act.new) == ("power", "free") and "gone" in act.reason
    assert state.modes.effective("power", play.at) == "enforce"


def test_too_little_room_holds_what_takes_capacity_not_what_brings_it() -> None:
    play = Watched(mode="enforce", loops=LOOPS)
    (act,) = holds(responded(play, found("FB-509", "retry", "autoscaling")))
    assert act.loop == "consolidation"


def test_cuts_that_do_not_save_hold_the_context_loop() -> None:
    play = Watched(mode="enforce")
    (act,) = holds(responded(play, found("FB-503", "context", "retry")))
    assert act.loop == "context"


def test_safety_loops_foreign_ones_and_advising_ones_are_left_alone() -> None:
    advising = (LoopPolicy(name="power", mode="advise"),)
    play = Watched(mode="enforce", loops=advising)
    for one in (
        found("FB-104", "retry", "hpa"),
        found("FB-107", "power"),
        found("FB-510", "retry"),
    ):
        assert not responded(play, one)


def test_other_modes_do_nothing() -> None:
    for mode in ("observe", "advise"):
        assert not responded(Watched(mode=mode, loops=LOOPS), found("FB-104", "power"))


def test_what_a_person_holds_or_takes_over_stays_theirs() -> None:
    play = Watched(mode="enforce", loops=LOOPS)
    play.core.handle(HoldSet(play.at, "power", True, None, "ada", "a deploy"))
    assert not responded(play, found("FB-104", "power"))
    play.core.handle(HoldSet(play.at, "power", False))
    responded(play, found("FB-104", "power"))
    hold = play.core.state.modes.hold_of("power", play.at)
    assert hold is not None and hold.who == WHO
    play.core.handle(HoldSet(play.at, "power", True, None, "ada", "mine now"))
    assert not responded(play)
    hold = play.core.state.modes.hold_of("power", play.at)
    assert hold is not None and hold.who == "ada"
