"""Is a run shown whole, and kept in the form that was asked for?"""

import csv
from importlib.util import find_spec
from pathlib import Path

import click
import msgspec
import pytest
from msgspec.structs import replace

from flyball.cli import sim_output
from flyball.sim.outcomes import COLUMNS
from flyball.sim.report import Report
from flyball.sim.sessions import Retries, Tally, program_reports
from support.worlds import ran

RESULT = ran(duration_s=10)


def test_the_text_has_the_figures_that_matter() -> None:
    said = sim_output.text(RESULT.report, 2.0)
    assert f"{RESULT.report.total.in_time_ratio:.2%}" in said
    assert "pool h100" in said and "execution error" in said
    assert "INVARIANTS" not in said
    broken = replace(RESULT.report, breaches=("r1: lost",), breaches_count=1)
    assert "INVARIANTS BROKEN: 1\n  r1: lost" in sim_output.text(broken, 2.0)


def test_sessions_and_retries_are_told_layer_by_layer() -> None:
    assert "sessions" not in sim_output.text(RESULT.report, 2.0)
    tally = Tally(begun=9, completed=4, failed=2, broken=1, steps=1234, durations_s=[30.0])
    report = replace(
        RESULT.report,
        programs=program_reports({"coder": tally, "fixer": Tally()}),
        retries=Retries(gateway=1, sdk=2, agent=3, step=4),
    )
    said = sim_output.text(report, 2.0)
    assert "sessions coder: 9 begun, 4 complete in 30 s (p99 30), 2 failed, 1 broken, 2" in said
    assert "1,234 steps" in said and "sessions fixer: 0 begun, 0 complete, 0 failed" in said
    assert "1 by gateways, 2 by SDKs, 3 by agents, 4 of broken steps" in said


def test_json_is_the_whole_report() -> None:
    read = msgspec.json.decode(sim_output.as_json(RESULT.report), type=Report)
    assert read == RESULT.report


def test_every_call_is_kept_as_csv_and_the_report_as_json(tmp_path: Path) -> None:
    sim_output.keep(RESULT, tmp_path / "calls.csv")
    rows = list(csv.DictReader((tmp_path / "calls.csv").open()))
    assert list(rows[0]) == list(COLUMNS)
    assert len(rows) == RESULT.report.total.calls
    assert float(rows[3]["ttft_s"]) == RESULT.columns["ttft_s"][3]
    sim_output.keep(RESULT, tmp_path / "report.json")
    assert msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=Report)


def test_parquet_is_written_or_its_remedy_told(tmp_path: Path) -> None:
    if find_spec("pyarrow") is None:
        with pytest.raises(click.UsageError, match="pip install pyarrow"):
            sim_output.keep(RESULT, tmp_path / "calls.parquet")
    else:
        from pyarrow import parquet

        sim_output.keep(RESULT, tmp_path / "calls.parquet")
        read = parquet.read_table(tmp_path / "calls.parquet")
        assert read["e2e_s"].to_pylist() == RESULT.columns["e2e_s"].tolist()


def test_a_place_or_form_that_cannot_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match=r"\.parquet"):
        sim_output.keep(RESULT, tmp_path / "calls.xlsx")
    with pytest.raises(click.ClickException, match="No such file"):
        sim_output.keep(RESULT, tmp_path / "none" / "calls.csv")


def test_progress_is_for_terminals() -> None:
    assert sim_output.progress("x") is None
