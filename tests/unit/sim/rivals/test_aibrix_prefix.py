"""Are match, the bound of one standard deviation and the load gate AIBrix's?"""

from flyball.sim.rivals.aibrix_prefix import AibrixPrefix
from support import rivals

LONG = tuple(range(10))


def asked() -> object:
    return rivals.ask(LONG)


def test_the_best_match_within_one_deviation() -> None:
    router, views = AibrixPrefix(rivals.setting(3)), rivals.views(3)
    rivals.sent(router, rivals.ask(LONG), views[0])
    rivals.sent(router, rivals.ask(LONG[:5]), views[1])
    for view, load in zip(views, (4, 1, 1), strict=True):
        view.in_flight = load
    # Mean 2, deviation sqrt(2) = 1.41: 4 > 3.41, so the half match at 1 wins.
    assert router.pick(0.0, rivals.ask(LONG), views) is views[1]
    views[0].in_flight = 3  # mean 1.67, deviation .94, bound 2.61
    assert router.pick(0.0, rivals.ask(LONG), views) is views[1]
    views[0].in_flight, views[1].in_flight = 2, 2  # mean 1.67, deviation .47, bound 2.14
    assert router.pick(0.0, rivals.ask(LONG), views) is views[0]


def test_equal_matches_go_to_the_less_loaded_then_are_drawn() -> None:
    router, views = AibrixPrefix(rivals.setting(3)), rivals.views(3)
    for view in views[:2]:
        rivals.sent(router, rivals.ask(LONG), view)
    views[0].in_flight, views[1].in_flight, views[2].in_flight = 2, 1, 2
    assert router.pick(0.0, rivals.ask(LONG), views) is views[1]
    views[0].in_flight = 1
    first, _second, third = rivals.shares(router, views, asked)
    assert third == 0 and 110 < first < 190


def test_no_match_goes_to_the_least_loaded_drawn() -> None:
    router, views = AibrixPrefix(rivals.setting(3)), rivals.views(3)
    views[1].in_flight = 1
    first, second, _third = rivals.shares(router, views, asked)
    assert second == 0 and 110 < first < 190


def test_the_load_gate_needs_factor_and_gap() -> None:
    router, views = AibrixPrefix(rivals.setting(3), {"deviations": 9}), rivals.views(3)
    rivals.sent(router, rivals.ask(LONG), views[0])
    views[0].in_flight = 6  # mean 2: 6 > 2 * 3 fails
    assert router.pick(0.0, rivals.ask(LONG), views) is views[0]
    views[0].in_flight = 7  # mean 2.33: 7 > 6.67, but the gap is below 8
    assert router.pick(0.0, rivals.ask(LONG), views) is views[0]
    views[0].in_flight = 8  # mean 2.67: 8 > 7.33, gap 8: only the idle are matched
    assert router.pick(0.0, rivals.ask(LONG), views) is not views[0]


def test_one_that_leaves_matches_nothing() -> None:
    router, views = AibrixPrefix(rivals.setting(2)), rivals.views(2)
    rivals.sent(router, rivals.ask(LONG), views[0])
    router.left(views[0])
    views[0].in_flight = 0
    assert 0 < rivals.shares(router, views, asked)[1] < 300
