"""Are single answers written as asked, and progress told in plain lines off a terminal?"""

import json
from pathlib import Path

import pytest

from flyball.cli import replay_output
from flyball.cli.replay_output import AnswerFile, show_progress
from flyball.serve.load.generator import Answer, Progress


def _answer(number: int) -> Answer:
    return Answer(
        number=number, class_name="c", due_s=0.5, result="answered", code="", status=200,
        retries=0, ttft_s=0.1, tpot_s=0.01, e2e_s=0.2, input_tokens=1, cached_tokens=0,
        output_tokens=2, events=2, in_time=True, request_id="r",
    )  # fmt: skip


def test_json_lines(tmp_path: Path) -> None:
    with AnswerFile(tmp_path / "a.jsonl") as file:
        file.write(_answer(1))
        file.write(_answer(2))
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [row["number"] for row in rows] == [1, 2]
    assert rows[0]["ttft_s"] == 0.1


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(replay_output, "_BATCH", 3)
    with AnswerFile(tmp_path / "a.parquet") as file:
        for number in range(7):
            file.write(_answer(number))
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.column("number").to_pylist() == list(range(7))


def test_wrong_endings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="must end in"):
        AnswerFile(tmp_path / "a.txt")
    monkeypatch.setattr(replay_output, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="needs pyarrow"):
        AnswerFile(tmp_path / "a.parquet")


def test_plain_lines_are_seldom(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(60.0) as show:
        for tick in range(48):
            show(Progress(
                sent=9000 + tick, answered=8, refused=1, failed=0, in_flight=2,
                elapsed_s=tick * 0.25,
            ))  # fmt: skip
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "5 of 60 s: sent 9,020, answered 8, refused 1, failed 0, under way 2",
        "10 of 60 s: sent 9,040, answered 8, refused 1, failed 0, under way 2",
    ]
