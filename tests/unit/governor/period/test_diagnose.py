"""When is a finding told, kept, and told to be gone; and what does each mode leave out?"""

import pytest

from flyball.governor.events import Sampled
from support import fleets
from support.watched import Watched, codes, looks, notices, records, standing

FULL = {"chat": 5000.0}


def test_a_finding_is_told_once_it_stood_for_two_looks_and_gone_after_six_without() -> None:
    play = Watched()
    play.rates = FULL
    said = play.ticks(200)
    assert codes(said) == ["FB-509"]
    (told,) = records(said)
    assert (told.code, told.stands, told.loops) == ("FB-509", True, ("retry",))
    first = next(at for at, one in enumerate(looks(said)) if one.findings)
    assert not any(one.findings for one in looks(said)[:first]) and first >= 4
    assert [one.code for one in notices(said)] == ["finding"]
    play.rates = {"chat": 1.0}
    said = play.ticks(300)
    assert codes(said) == []
    assert [one.stands for one in records(said)] == [False]
    assert [one.code for one in notices(said)] == ["finding-gone"]


def test_a_finding_that_does_not_last_is_not_told() -> None:
    play = Watched()
    play.ticks(41)
    state = play.core.state
    key = "FB-509 big"
    state.watching.seen[key] = 1
    said = play.ticks(10)
    assert not records(said) and key not in state.watching.seen


def test_a_standing_finding_keeps_its_numbers_up_to_date() -> None:
    play = Watched()
    play.rates = FULL
    before = standing(play.ticks(200))[0].evidence[0].value
    play.rates = {"chat": 10_000.0}
    after = standing(play.ticks(200))[0].evidence[0].value
    assert after == pytest.approx(0.5 * before, rel=0.05)
    assert len(records(play.said)) == 1


@pytest.mark.parametrize(("mode", "lines", "kept"), [("off", 0, 0), ("observe", 0, 1)])
def test_off_looks_at_nothing_and_observe_tells_nobody(mode: str, lines: int, kept: int) -> None:
    play = Watched(mode=mode)
    play.rates = FULL
    said = play.ticks(200)
    assert (len(notices(said)), len(records(said))) == (lines, kept)
    assert bool(looks(said)) == (mode != "off")


def test_it_looks_at_its_interval_though_ticks_come_a_little_early() -> None:
    play = Watched(interval_s=10.0)
    play.ticks(1)
    play.core.state.watching.due_at += 0.3
    said = play.ticks(100)
    assert len(looks(said)) == 10


def test_a_stale_view_is_still_told() -> None:
    play = Watched(fleet=fleets.fleet(metrics=True))
    for number in range(4):
        play.core.handle(Sampled(play.at, number, None, "refused"))
    said = play.ticks(3)
    assert any(getattr(one, "code", "") == "view-distrusted" for one in said)


def test_equal_events_give_equal_looks() -> None:
    both: list[object] = []
    for _ in range(2):
        play = Watched()
        play.rates = FULL
        both.append(play.ticks(200))
    assert both[0] == both[1]
