"""Are errors summed up as said, and pairs ranked as said?"""

import pytest

from flyball.sim.validate.figures import Figure, lines, pairs_ranked


def test_a_line_per_group_split_and_figure() -> None:
    figures = [
        Figure("a", "judged", "TTFT", 1.1, 1.0), Figure("a", "judged", "TTFT", 0.7, 1.0),
        Figure("a", "judged", "TTFT", 1.0, 1.0), Figure("b", "judged", "TTFT", 3.0, 1.0),
        Figure("b", "fit", "TTFT", 1.0, 1.0),
    ]  # fmt: skip
    found = {(one.group, one.split): one for one in lines(figures)}
    first = found["a", "judged"]
    assert (first.rows, first.median, first.worst) == pytest.approx((3, 0.1, 0.3))
    assert first.bias == 0.0
    assert found["all", "judged"].rows == 4
    assert found["all", "judged"].worst == pytest.approx(2.0)
    assert found["all", "fit"].rows == 1


def test_one_group_needs_no_sum() -> None:
    assert [one.group for one in lines([Figure("a", "fit", "x", 1.0, 1.0)])] == ["a"]


def test_a_judged_line_says_whether_its_target_is_met() -> None:
    figures = [
        Figure("a", "judged", "TTFT", 1.3, 1.0), Figure("a", "judged", "TPOT", 0.9, 1.0),
        Figure("a", "judged", "other", 1.0, 1.0), Figure("a", "fit", "TPOT", 1.0, 1.0),
    ]  # fmt: skip
    found = {(one.split, one.figure): one.verdict for one in lines(figures, "points")}
    assert found["judged", "TTFT"] == "20% missed"
    assert found["judged", "TPOT"] == "12% met"
    assert found["judged", "other"] == found["fit", "TPOT"] == ""
    assert all(one.verdict == "" for one in lines(figures))


def test_pairs_ranked() -> None:
    assert pairs_ranked([(1, 1), (2, 2), (3, 3)]) == (3, 3)
    assert pairs_ranked([(3, 1), (2, 2), (1, 3)]) == (0, 3)
    assert pairs_ranked([(1, 1), (2, 1.01)]) == (0, 0)
