"""Is the less loaded of two draws taken, by own counts and not by scrapes?"""

from flyball.sim.rivals.least_request import LeastRequest
from support import rivals


def test_two_choices_of_three() -> None:
    router, views = LeastRequest(rivals.setting(3)), rivals.views(3)
    for view, load in zip(views, (0, 5, 9), strict=True):
        view.in_flight = load
    first, second, third = rivals.shares(router, views, picks=900)
    # With replacement: the best unless never drawn (1 - 4/9), the worst only if drawn twice (1/9).
    assert 450 < first < 550 and 250 < second < 350 and 60 < third < 140


def test_full_scan_takes_the_least_and_draws_ties() -> None:
    router, views = LeastRequest(rivals.setting(3), {"choice_count": 3}), rivals.views(3)
    views[1].in_flight = 1
    first, second, third = rivals.shares(router, views)
    assert second == 0 and 110 < first < 190 and first + third == 300


def test_scrapes_are_not_read() -> None:
    router, views = LeastRequest(rivals.setting(2), {"choice_count": 2}), rivals.views(2)
    rivals.scraped(views[0], waiting=50, kv_usage=1.0)
    views[1].in_flight = 1
    assert rivals.shares(router, views, picks=20) == [20, 0]
