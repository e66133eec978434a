"""Do the demo's tables say what the ledger holds: places, refusals, prices, pairs, one decision?"""

import sys
from pathlib import Path
from time import perf_counter

import pytest

from flyball.cli.demo_output import calls, show
from flyball.model.decision import Record
from flyball.serve.load.report import Ledger, Report
from flyball.serve.log.store import LedgerStore
from support.records import T0, intent, outcome


def _report() -> Report:
    return Ledger("http://gateway", {}, perf_counter()).report()


def _log(folder: Path, *records: Record) -> Path:
    store = LedgerStore(folder)
    for record in records:
        store.append(record)
    store.close()
    return folder


def _shown(
    capsys: pytest.CaptureFixture[str], folder: Path, boards: list[tuple[float, dict[str, float]]]
) -> str:
    show(_report(), boards, folder, 0.0)
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


def test_tables_of_what_the_ledger_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = intent(1), intent(2, pool="edge"), intent(3)
    again = intent(3, attempt=2, pool="edge")
    text = _shown(
        capsys,
        _log(
            tmp_path / "ledger",
            first, outcome(first), second, outcome(second), third,
            outcome(third, outcome="retried", code="upstream_failed"), again, outcome(again),
            outcome(intent(4), outcome="refused", attempts=0, code="price_too_high", class_name=""),
        ),
        [(0.0, {"edge": 0.0, "h100": 0.001}), (1.0, {"edge": 0.0, "h100": 0.002})],
    )  # fmt: skip
    lines = [" ".join(line.split()) for line in text.splitlines()]
    place = lines.index("Where it ran (answers by class and pool)")
    assert lines[place + 1 : place + 3] == ["class edge h100-paris", "chat 2 1"]
    refused = lines.index("Not served at once, and why")
    assert lines[refused + 2 : refused + 4] == [
        "? refused price_too_high 1",
        "chat retried upstream_failed 1",
    ]
    prices = lines.index("Plan prices, USD per GPU second")
    assert lines[prices + 2] == "edge 0.000000 0.000000"
    assert lines[prices + 3] == "h100 0.002000 0.002000 ▄█"
    assert (
        "Ledger: 4 attempts, 5 outcomes, 1 carried on at a fall-back; lost 0, doubled 0" in lines
    )  # fmt: skip
    # The one carried on is the most telling.
    assert f"One decision explained: flyball explain {third.id}" in lines


def test_lost_and_doubled_records_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = intent(1), intent(2)
    folder = _log(tmp_path / "ledger", first, outcome(first), outcome(first), second)
    assert "lost 1, doubled 1" in _shown(capsys, folder, [])


def test_records_from_before_the_run_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = intent(1), intent(500)
    folder = _log(tmp_path / "ledger", old, outcome(old), new, outcome(new))
    show(_report(), [], folder, T0 + 400)
    assert "Ledger: 1 attempts, 1 outcomes" in capsys.readouterr().out


def test_a_run_of_which_nothing_was_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = _shown(capsys, _log(tmp_path / "ledger"), [(0.0, {})])
    assert "Ledger: 0 attempts, 0 outcomes" in text
    assert "explain" not in text


def test_a_machine_without_the_client_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    (line,) = calls("http://127.0.0.1:1", "k", "m")
    assert "pip install openai" in line
