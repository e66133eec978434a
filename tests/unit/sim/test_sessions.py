"""Is every session counted once, and nothing made of none?"""

from flyball.sim.sessions import Tally, program_reports


def test_what_is_neither_complete_nor_lost_is_open() -> None:
    tally = Tally(begun=10, completed=4, failed=2, broken=1, durations_s=[10.0, 20.0, 30.0, 40.0])
    (report,) = program_reports({"coder": tally})
    assert (report.name, report.open) == ("coder", 3)
    assert report.completed_p50_s == 25.0 and 39.0 < report.completed_p99_s < 40.0


def test_no_session_has_no_duration() -> None:
    (report,) = program_reports({"coder": Tally()})
    assert (report.completed_p50_s, report.open) == (0.0, 0)


def test_two_tallies_do_not_share_their_durations() -> None:
    one, other = Tally(), Tally()
    one.durations_s.append(1.0)
    assert other.durations_s == []
