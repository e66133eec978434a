"""Are sessions counted as live, resting and over in time, and is a session half-way worth more?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor import programs as module
from flyball.governor.programs import ClassPrograms, Program, Programs
from flyball.model.request import RequestClass, SessionRules

RULES = SessionRules(idle_s_max=600.0)


def group(value_usd: float = 0.05, **rules: object) -> ClassPrograms:
    made = SessionRules(**{"idle_s_max": 600.0, **rules})
    return ClassPrograms(RequestClass(name="coder", value_usd=value_usd, sessions=made), made)


def begin(found: ClassPrograms, key: str, at: float, tokens: int = 1000) -> Program:
    program = found.find(key, at)
    found.admit(program, tokens)
    return program


def worth(found: ClassPrograms, done: int) -> float:
    return found.step_value(done, found.survival.left(done))


def test_a_first_step_is_worth_one_answer_and_later_ones_more() -> None:
    found = group()
    values = [worth(found, done) for done in (0, 10, 40, 100)]
    assert values[0] == pytest.approx(0.05)
    assert values == sorted(values)
    assert values[-1] < found.value_usd


def test_the_nearer_its_end_the_more_a_step_is_worth() -> None:
    short = group(value_usd=1.0, steps=((0.0, 20.0), (1.0, 24.0)))
    assert worth(short, 18) > 2 * worth(short, 2)


def test_a_silent_session_rests_and_then_has_ended() -> None:
    found = group()
    program = begin(found, "a", 0.0)
    program.done = 3
    found.expire(found.away_s - 0.1)
    assert "a" in found.live
    found.expire(found.away_s)
    assert "a" in found.resting
    assert found.context_live == 0
    found.expire(601.0)
    assert not found.resting
    assert found.survival.learnt == 1.0


def test_one_that_comes_back_is_the_same_session() -> None:
    found = group()
    program = begin(found, "a", 0.0)
    found.expire(300.0)
    assert found.find("a", 310.0) is program
    assert found.context_live == 1000


def test_an_answer_under_way_is_a_sign_of_life() -> None:
    found = group()
    begin(found, "a", 0.0).in_flight = 1
    found.expire(5000.0)
    assert "a" in found.live


def test_the_pause_after_which_it_rests_is_learnt() -> None:
    found = group()
    program = begin(found, "a", 0.0)
    for step in range(2000):
        found.find("a", 2.0 * (step + 1))
    found.expire(4001.0)
    assert found.away_s <= 4.0
    assert program.key in found.live


def test_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIVE_MAX", 5)
    monkeypatch.setattr(module, "RESTING_MAX", 5)
    monkeypatch.setattr(module, "WAITING_MAX", 5)
    found = group()
    for number in range(40):
        begin(found, f"s{number}", 0.0)
        found.find(f"w{number}", 0.0)
    found.expire(0.1)
    assert len(found.live) <= 5
    assert len(found.resting) <= 5
    assert len(found.waiting) <= 5


def test_the_worthier_class_comes_before_the_other() -> None:
    classes = (
        RequestClass(name="cheap", value_usd=0.001, sessions=RULES),
        RequestClass(name="dear", value_usd=0.1, sessions=RULES),
    )
    both = Programs()
    both.adopt(classes)
    cheap, dear = both.by_class["cheap"], both.by_class["dear"]
    begin(cheap, "a", 0.0, 5000)
    begin(dear, "b", 0.0, 7000)
    assert both.context_before(dear) == 7000
    assert both.context_before(cheap) >= 12_000


def test_what_was_learnt_outlives_a_new_configuration() -> None:
    both = Programs()
    both.adopt((RequestClass(name="coder", sessions=RULES),))
    known = both.by_class["coder"]
    both.adopt((RequestClass(name="coder", value_usd=9.0, sessions=RULES),))
    assert both.by_class["coder"] is known
    both.adopt((RequestClass(name="coder"),))
    assert not both.by_class


@given(
    st.lists(
        st.tuples(
            st.integers(0, 9), st.sampled_from(["ask", "answer", "expire"]), st.floats(0.0, 400.0)
        ),
        max_size=120,
    )
)
def test_live_context_is_the_sum_over_live_sessions(
    events: list[tuple[int, str, float]],
) -> None:
    found, at = group(), 0.0
    for number, what, pause in events:
        key = f"s{number}"
        if what == "expire":
            at += pause
            found.expire(at)
            continue
        program = found.find(key, at)
        if what == "ask" and not program.is_admitted:
            found.admit(program, 100 * (number + 1))
        elif what == "answer" and program.is_admitted:
            program.done += 1
            found.note_context(program, 150 * (number + 1) + int(pause))
        assert sum(one.context for one in found.live.values()) == found.context_live
        assert not found.live.keys() & found.resting.keys()
