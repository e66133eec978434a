"""Do both builds' rows stand side by side, and does a benchmark asked for rows print only them?"""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    sys.modules.pop("builds", None)
    import builds  # type: ignore[import-not-found]

    return builds


def line(figure: str, value: float) -> dict[str, Any]:
    return {"figure": figure, "value": value, "unit": "req/CPU-s"}


def test_each_row_is_followed_by_the_other_build_s_and_rivals_stand_alone(
    builds: ModuleType,
) -> None:
    ours = [line("a rival", 1.0), line("ours", 2.0)]
    found = builds.side_by_side(ours, "compiled", [line("ours", 3.0)])
    assert [(row["figure"], row["value"]) for row in found] == [
        ("a rival", 1.0),
        ("ours, compiled", 2.0),
        ("ours, interpreted", 3.0),
    ]


def test_asked_for_rows_it_prints_them_as_one_line_and_writes_nothing(
    builds: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_x.py", builds.ROWS_ALONE])
    monkeypatch.setattr(builds.report, "write", lambda *_: pytest.fail("nothing is to be written"))
    builds.write("x", lambda alone: [line("ours", 2.0)] if alone else [])
    assert json.loads(capsys.readouterr().out) == [line("ours", 2.0)]


@pytest.mark.parametrize(
    ("build", "figures"),
    [
        ("interpreted", ["ours"]),
        ("compiled", ["ours, compiled", "ours, interpreted"]),
    ],
)
def test_the_sources_alone_have_no_second_build(
    builds: ModuleType, monkeypatch: pytest.MonkeyPatch, build: str, figures: list[str]
) -> None:
    written: list[str] = []
    monkeypatch.setattr(sys, "argv", ["bench_x.py"])
    monkeypatch.setattr(builds.report, "machine", lambda: {"flyball": build})
    monkeypatch.setattr(builds, "other_rows", lambda name: [line("ours", 3.0)])
    monkeypatch.setattr(
        builds.report, "write", lambda name, rows: written.extend(row["figure"] for row in rows)
    )
    builds.write("x", lambda alone: [line("ours", 2.0)])
    assert written == figures


def test_what_was_measured_is_kept_where_the_other_build_fails(
    builds: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[str] = []
    monkeypatch.setattr(sys, "argv", ["bench_x.py"])
    monkeypatch.setattr(builds.report, "machine", lambda: {"flyball": "compiled"})
    monkeypatch.setattr(
        builds.report, "write", lambda name, rows: written.extend(row["figure"] for row in rows)
    )
    with pytest.raises(SystemExit) as stopped:
        builds.write("no-such-benchmark", lambda alone: [line("ours", 2.0)])
    assert stopped.value.code == 1
    assert written == ["ours"]
    assert "failed in the other build, exit 2" in capsys.readouterr().err
