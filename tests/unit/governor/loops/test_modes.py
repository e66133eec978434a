"""Modes, holds and fall-backs: freedom is only ever taken away, and always with its reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.loops.modes import NAMES_MAX, LoopModes
from flyball.model.loop import LoopMode, LoopPolicy

ORDER = {"observe": 0, "advise": 1, "enforce": 2}
MODES: list[LoopMode] = ["observe", "advise", "enforce"]


def test_a_loop_enforces_unless_told_otherwise() -> None:
    modes = LoopModes((LoopPolicy(name="autoscaling", mode="advise"),))
    assert modes.effective("autoscaling", 0.0) == "advise"
    assert modes.effective("health", 0.0) == "enforce"
    assert modes.why("health", 0.0) == ""


def test_a_mode_set_at_run_time_outlives_a_reload_and_can_be_taken_back() -> None:
    modes = LoopModes((LoopPolicy(name="x", mode="advise"),))
    modes.set_by_operator("x", "enforce")
    modes.adopt((LoopPolicy(name="x", mode="observe"),), "enforce")
    assert modes.effective("x", 0.0) == "enforce"
    modes.set_by_operator("x", None)
    assert modes.effective("x", 0.0) == "observe"


def test_a_gateway_that_observes_lets_no_loop_act() -> None:
    modes = LoopModes((), "observe")
    modes.set_by_operator("x", "enforce")
    assert modes.effective("x", 0.0) == "observe"
    assert modes.why("x", 0.0) == "the gateway only observes"


def test_a_hold_freezes_one_loop_till_its_end() -> None:
    modes = LoopModes()
    modes.hold("x", 10.0, "a deploy", "ada")
    assert [modes.effective("x", at) for at in (0.0, 9.9, 10.0)] == ["observe"] * 2 + ["enforce"]
    assert modes.why("x", 0.0) == "held by ada: a deploy"
    assert modes.effective("y", 0.0) == "enforce"


def test_a_hold_of_all_leaves_safety_alone_unless_it_is_named() -> None:
    modes = LoopModes()
    modes.hold("", None, "", "")
    assert modes.effective("x", 1e9) == "observe"
    assert modes.effective("health", 1e9) == "enforce"
    modes.hold("health", None, "", "")
    assert modes.effective("health", 0.0) == "observe"
    modes.release("")
    assert modes.effective("x", 0.0) == modes.effective("health", 0.0) == "enforce"


def test_a_fall_back_says_when_it_begins_and_ends() -> None:
    modes = LoopModes()
    assert modes.fall_back("x", "stale") and not modes.fall_back("x", "still stale")
    assert modes.effective("x", 0.0) == "observe"
    assert modes.why("x", 0.0) == "fell back: still stale"
    assert modes.fall_back("x", "") and not modes.fall_back("x", "")
    assert modes.effective("x", 0.0) == "enforce"


def test_names_are_bounded() -> None:
    modes = LoopModes()
    for number in range(NAMES_MAX + 5):
        modes.hold(f"loop {number}", None, "", "")
        modes.set_by_operator(f"loop {number}", "observe")
    assert modes.effective(f"loop {NAMES_MAX + 1}", 0.0) == "enforce"


acts = st.lists(
    st.one_of(
        st.tuples(st.just("hold"), st.sampled_from(["", "a", "b"])),
        st.tuples(st.just("release"), st.sampled_from(["", "a", "b"])),
        st.tuples(st.just("fall"), st.sampled_from(["a", "b"])),
        st.tuples(st.just("rise"), st.sampled_from(["a", "b"])),
    )
)


@given(acts, st.sampled_from(MODES), st.sampled_from(["enforce", "observe"]))
def test_nothing_gives_a_loop_more_than_its_operator_did(
    done: list[tuple[str, str]], mode: LoopMode, gateway: str
) -> None:
    modes = LoopModes((LoopPolicy(name="a", mode=mode), LoopPolicy(name="b", mode=mode)), gateway)
    for what, name in done:
        if what == "hold":
            modes.hold(name, None, "", "")
        elif what == "release":
            modes.release(name)
        else:
            modes.fall_back(name, "because" if what == "fall" else "")
    for name in ("a", "b"):
        found = modes.effective(name, 0.0)
        assert ORDER[found] <= ORDER[mode]
        assert bool(modes.why(name, 0.0)) == (found != mode) or found == mode == "observe"


@pytest.mark.parametrize("mode", MODES)
def test_released_and_risen_it_is_as_before(mode: LoopMode) -> None:
    modes = LoopModes((LoopPolicy(name="a", mode=mode),))
    modes.hold("", None, "", "")
    modes.fall_back("a", "x")
    modes.release("")
    modes.fall_back("a", "")
    assert modes.effective("a", 0.0) == mode
