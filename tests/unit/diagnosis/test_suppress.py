"""Is a finding put aside only by what names it, and only until its day?"""

import pytest

from flyball.diagnosis.codes.codes import finding
from flyball.diagnosis.finding import Evidence
from flyball.diagnosis.suppress import Suppression, judge

FOUND = finding(
    "FB-101", at=0.0, loops=("a", "b"), actuators=("u",), scope="east", confidence=0.9,
    evidence=(Evidence(what="x", value=1.0),), summary="s",
)  # fmt: skip


def rule(**fields: object) -> Suppression:
    given = {"code": "FB-101", "until": 100.0, "reason": "known"}
    return Suppression(**(given | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("fields", [{}, {"loops": ("b",)}, {"scope": "east"}])
def test_what_is_named_is_put_aside(fields: dict[str, object]) -> None:
    judged = judge([FOUND], [rule(**fields)], now=99.0)
    assert judged.kept == () and judged.aside[0].finding is FOUND
    assert judged.aside[0].by.reason == "known" and judged.idle == () == judged.expired


@pytest.mark.parametrize("fields", [{"code": "FB-102"}, {"loops": ("b", "c")}, {"scope": "west"}])
def test_what_is_not_named_stands(fields: dict[str, object]) -> None:
    judged = judge([FOUND], [rule(**fields)], now=99.0)
    assert judged.kept == (FOUND,) and judged.idle == (rule(**fields),)


def test_after_its_day_it_stands_again_and_that_is_said() -> None:
    judged = judge([FOUND], [rule()], now=100.0)
    assert judged.kept == (FOUND,) and judged.expired == (rule(),) and judged.idle == ()
