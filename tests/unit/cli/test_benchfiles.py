"""Are tables found in every form they come in, and profiles by every way of naming them?"""

import gzip
import json
from pathlib import Path

import msgspec
import pytest

from flyball.cli.benchfiles import CannotRead, read_table, start_profile
from flyball.dialects.profiles import profile

TEXT = "arrival_s,input_tokens,output_tokens,ttft_s,e2e_s\n0,9,5,1,2\n"


def test_csv_gz_json_and_jsonl(tmp_path: Path) -> None:
    row = {"arrival_s": 0, "input_tokens": 9}
    (tmp_path / "a.csv").write_text(TEXT)
    (tmp_path / "b.json").write_text(json.dumps([row]))
    (tmp_path / "c.jsonl").write_text(json.dumps(row) + "\n\n")
    with gzip.open(tmp_path / "d.csv.gz", "wt") as stream:
        stream.write(TEXT)
    for name in ("a.csv", "b.json", "c.jsonl", "d.csv.gz"):
        file, rows = read_table(tmp_path / name)
        assert file.name == name
        assert int(rows[0]["input_tokens"]) == 9


def test_a_folder_gives_its_table_with_a_layout(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("x,y\n" + "1,2\n" * 99)
    (tmp_path / "requests.csv").write_text(TEXT)
    assert read_table(tmp_path)[0].name == "requests.csv"


@pytest.mark.parametrize("text", ["{", "[1, 2]", "[]"])
def test_broken_files_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(CannotRead, match=r"a\.json"):
        read_table(tmp_path / "a.json")


def test_profiles_by_name_by_file_and_from_sheets(tmp_path: Path) -> None:
    known = profile("l4/llama-3.1-8b")
    (tmp_path / "p.json").write_bytes(msgspec.json.encode(known))
    assert start_profile("l4/llama-3.1-8b", None, None) == known
    assert start_profile(str(tmp_path / "p.json"), 16, 512).limits.seqs_max == 16
    made = start_profile("H100-SXM:llama-3.1-70b:4:fp8:trtllm", None, 4096)
    assert (made.accelerators, made.limits.step_tokens_max) == (4, 4096)
    assert start_profile("H100-SXM:llama-3.1-8b", None, None).accelerators == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nobody/nothing", "no profile is named"),
        ("H100-SXM:llama-3.1-8b:x", "'x' is no number of accelerators"),
        ("H100-SXM:zebra", "no model is named 'zebra'"),
        ("/nowhere/p.json", "/nowhere/p.json"),
    ],
)
def test_unknown_profiles_are_said(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        start_profile(text, None, None)
