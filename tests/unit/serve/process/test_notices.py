"""Does the operator get each kind of news, and never a flood of one kind?"""

import io

from flyball.governor.commands import Notice
from flyball.serve.process.notices import BURST, CODES_MAX, WINDOW_S, NoticeLog


def make() -> tuple[NoticeLog, io.StringIO, list[float], list[Notice]]:
    out, at, seen = io.StringIO(), [0.0], list[Notice]()
    return NoticeLog(lambda: at[0], seen.append, out), out, at, seen


def test_a_flood_is_held_back_told_and_still_counted() -> None:
    log, out, at, seen = make()
    for _ in range(100):
        log.say(Notice("error", "ledger", "no space"))
    log.say(Notice("info", "other", "hello"))
    assert out.getvalue().count("flyball: error ledger: no space") == BURST
    assert "flyball: info other: hello" in out.getvalue()
    at[0] += WINDOW_S
    log.say(Notice("error", "ledger", "no space"))
    assert f"{100 - BURST} more like this" in out.getvalue()
    assert out.getvalue().count("no space") == BURST + 1
    assert len(seen) == 102


def test_what_was_held_back_is_told_at_the_end() -> None:
    log, out, _, _ = make()
    for _ in range(BURST + 3):
        log.say(Notice("info", "x", "y"))
    log.close()
    assert out.getvalue().endswith("x: 3 more like this\n")


def test_codes_are_bounded_and_a_closed_stderr_stops_nothing() -> None:
    log, out, _, seen = make()
    for number in range(CODES_MAX * 2):
        log.say(Notice("info", f"c{number}", ""))
    assert len(log._windows) <= CODES_MAX
    out.close()
    log.say(Notice("info", "late", ""))
    log.say(Notice("info", "later", ""))
    assert seen[-1].code == "later"
