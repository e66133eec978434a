"""Does the benchmarks' report judge budgets the right way round and keep what it is given?"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def report(tmp_path: Path) -> ModuleType:
    """The module as the benchmarks import it, writing into a folder of the test's own."""
    spec = importlib.util.spec_from_file_location("bench_report", BENCH / "report.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.OUT = tmp_path / "out"  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize(
    ("value", "unit", "budget", "is_met"),
    [
        (26_000, "req/s", 25_000, True),
        (24_000, "req/s", 25_000, False),
        (24, "µs", 25, True),
        (26, "µs", 25, False),
        (1.4, "x", 1.5, False),
        (1.4, "times", ">= 1.3", True),
        (30_000, "µs", ">= 25,000", True),
        (900, "req/s", "<= 1_000", True),
        (1, "s", "", None),
        (1, "s", "no limit", None),
        (None, "s", 3, None),
        (float("nan"), "s", 3, False),
    ],
)
def test_a_budget_is_judged_in_its_direction(
    report: ModuleType, value: float | None, unit: str, budget: object, is_met: bool | None
) -> None:
    assert report.met(value, unit, budget) is is_met


def test_rows_are_printed_and_kept(report: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {
            "figure": "ours",
            "value": 1234.5,
            "unit": "req/s",
            "spread": (1200, 1300),
            "budget": 1000,
        },
        {"figure": "theirs", "rival": "other", "ratio": 0.5, "note": "not installed"},
    ]
    path = report.write("sample", rows)
    document = json.loads(path.read_text())
    assert document["name"] == "sample"
    assert set(document["machine"]) == {"cpu", "cores", "python", "flyball", "kernel", "date"}
    assert document["rows"][0]["spread"] == [1200, 1300]
    assert document["rows"][0]["met"] is True
    assert document["rows"][1]["note"] == "not installed"
    printed = capsys.readouterr().out
    assert "1,234" in printed and "1,200 .. 1,300" in printed and "0.50x" in printed


def test_an_unknown_key_is_refused(report: ModuleType) -> None:
    with pytest.raises(ValueError, match="valeu"):
        report.write("sample", [{"figure": "ours", "valeu": 1}])


def test_an_unknown_benchmark_is_named_with_those_there_are() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH / "run.py"), "nothing"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "no benchmark nothing" in done.stderr and "gateway" in done.stderr
