"""Does `flyball validate` print its table, its split and its errors where they belong?"""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from flyball.cli.validate import command

POINTS = [
    {"model_path": "meta-llama/Llama-3.1-70B", "system": system, "precision": "fp8",
     "backend": "vllm", "tp_size": "4", "isl": "512", "osl": "64", "concurrency": "4",
     "silicon_ttft_ms": "60", "silicon_tpot_ms": "12"}
    for system in ("h100_sxm", "b200_sxm")
]  # fmt: skip


def table(file: Path, rows: list[dict[str, str]]) -> Path:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return file


def test_points_with_their_split(tmp_path: Path) -> None:
    table(tmp_path / "points.csv", POINTS)
    ran = CliRunner().invoke(command, [str(tmp_path), "-o", "json"])
    assert ran.exit_code == 0, ran.output
    body = json.loads(ran.stdout)
    assert {line["split"] for line in body["lines"]} == {"fit", "judged"}
    assert {line["figure"] for line in body["lines"]} == {"TTFT", "TPOT", "E2E"}
    assert "2 rows, layout points" in ran.stderr


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_summary_has_only_sums(tmp_path: Path, form: str) -> None:
    file = table(tmp_path / "points.csv", POINTS)
    ran = CliRunner().invoke(command, [str(file), "--summary", "-o", form])
    assert ran.exit_code == 0
    assert ran.stdout.count("all") >= 6
    assert "llama-3.1-70b fp8 on H100" not in ran.stdout


@pytest.mark.parametrize(
    ("rows", "args", "message"),
    [
        ([{"a": "1"}], [], "no table with a known layout"),
        (
            [{"arrival_s": "0", "input_tokens": "1", "output_tokens": "2", "ttft_s": "1",
              "e2e_s": "2"}],
            [], "needs --profile",
        ),
        ([POINTS[0] | {"silicon_tpot_ms": "x"}], [], "row 1: silicon_tpot_ms 'x' is no number"),
        ([POINTS[0] | {"model_path": "zebra"}], [], "no row could be judged: 1 points left out"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_exit_2(
    tmp_path: Path, rows: list[dict[str, str]], args: list[str], message: str
) -> None:
    table(tmp_path / "t.csv", rows)
    ran = CliRunner().invoke(command, [str(tmp_path), *args])
    assert ran.exit_code == 2
    assert message in ran.stderr
    assert ran.stdout == ""
    assert "Traceback" not in ran.stderr
