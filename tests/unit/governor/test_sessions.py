"""Are sessions found by prefix, repeats told from fresh demand, and the tables bounded?"""

from flyball.governor import sessions
from flyball.governor.sessions import SessionTable


def test_the_longest_known_beginning_names_the_session() -> None:
    table = SessionTable()
    table.remember_prefix((1, 2), "short")
    table.remember_prefix((1, 2, 3), "long")
    assert table.find_by_prefix((1, 2, 3, 4)) == "long"
    assert table.find_by_prefix((1, 2, 9)) == "short"
    assert table.find_by_prefix((7, 8)) == ""


def test_a_prompt_is_a_repeat_only_after_it_went_unanswered() -> None:
    table = SessionTable()
    prompt, repeated = table.prompt("ann", 5, "r1")
    assert (prompt.lineage, repeated) == ("r1", False)
    assert table.prompt("ann", 5, "r2")[1] is False, "at the same time: sampling"
    table.mark_unanswered("ann", 5)
    prompt, repeated = table.prompt("ann", 5, "r3")
    assert (prompt.lineage, repeated) == ("r2", True)
    assert table.prompt("bob", 5, "r4")[1] is False, "another party's prompt"


def test_sessions_count_their_calls() -> None:
    table = SessionTable()
    table.touch("s", 1.0)
    session = table.touch("s", 2.0)
    assert (session.calls, session.seen_at, session.home) == (2, 2.0, "")


def test_the_oldest_is_forgotten_first(monkeypatch) -> None:
    monkeypatch.setattr(sessions, "SESSIONS_MAX", 3)
    monkeypatch.setattr(sessions, "PROMPTS_MAX", 3)
    table = SessionTable()
    for number in range(5):
        table.touch(f"s{number}", 1.0)
        table.remember_prefix((number,), f"s{number}")
        table.prompt("ann", number, f"r{number}")
    assert list(table.by_key) == ["s2", "s3", "s4"]
    assert len(table.by_prefix) == len(table.prompts) == 3


def test_sessions_silent_for_an_hour_are_forgotten() -> None:
    table = SessionTable()
    for number in range(3):
        table.touch(f"s{number}", 100.0 * number)
    table.expire(sessions.IDLE_S_MAX + 150.0)
    assert list(table.by_key) == ["s2"]
