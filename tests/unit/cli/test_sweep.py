"""Does a sweep run every combination once, and go on where it stopped?"""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from flyball.cli.sweep import combinations, command, key
from support.markup import Cells
from support.worlds import data


def sweep(folder: Path, *more: str) -> tuple[int, list[dict[str, str]], str]:
    file = folder / "small.yaml"
    if not file.exists():
        file.write_text(json.dumps(data(duration_s=5)))
    said = [str(file), "--vary", "core=round_robin,least_request", "--seeds", "2", *more]
    found = CliRunner().invoke(command, [*said, "--out", str(folder / "out")])
    return found.exit_code, list(csv.DictReader(io.StringIO(found.stdout))), found.stderr


def test_every_combination_runs_once_and_is_kept(tmp_path: Path) -> None:
    code, rows, said = sweep(tmp_path)
    assert code == 0 and "4 runs, 0 of them kept" in said
    assert [(row["core"], row["seed"]) for row in rows] == [
        ("round_robin", "7"),
        ("round_robin", "8"),
        ("least_request", "7"),
        ("least_request", "8"),
    ]
    kept = sorted((tmp_path / "out").glob("*.json"))
    kept[0].unlink()
    _, again, said = sweep(tmp_path)
    assert "4 runs, 3 of them kept" in said
    assert again == rows


def test_combinations_are_the_whole_product() -> None:
    found = combinations(["a=1,2", "b=x"], 5, 2)
    assert found == [("a=1", "b=x", "seed=5"), ("a=1", "b=x", "seed=6"),
                     ("a=2", "b=x", "seed=5"), ("a=2", "b=x", "seed=6")]  # fmt: skip
    with pytest.raises(click.UsageError, match="KEY=A,B,C"):
        combinations(["a"], 1, 1)


def test_another_scenario_is_another_run() -> None:
    assert key(b"a", ("seed=1",)) != key(b"b", ("seed=1",))
    assert key(b"a", ("seed=1",)) != key(b"a", ("seed=2",))


def test_a_wrong_value_is_told_before_anything_runs(tmp_path: Path) -> None:
    code, _, said = sweep(tmp_path, "--vary", "workload.load=1,none")
    assert code == 2 and "workload.load" in said
    assert not (tmp_path / "out").exists()


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait, at most a minute."""
    ends = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends, what
        time.sleep(0.02)


def children(pid: int) -> set[int]:
    """Processes whose parent is `pid`."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.add(int(stat.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_a_sweep_that_was_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    file, out = tmp_path / "small.yaml", tmp_path / "out"
    file.write_text(json.dumps(data(duration_s=20)))
    said = [str(file), "--vary", "workload.load=0.5,1,1.5", "--seeds", "4", "--jobs", "1"]
    line = [sys.executable, "-m", "flyball", "sweep", *said, "--out", str(out)]
    begun = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: len(list(out.glob("*.json"))) >= 2, "no run was kept")
    workers = children(begun.pid)
    os.kill(begun.pid, signal.SIGKILL)
    begun.wait(10)
    until(lambda: not any(Path(f"/proc/{one}").exists() for one in workers), "workers live on")
    kept = {one: one.read_bytes() for one in out.glob("*.json")}
    assert workers and 2 <= len(kept) < 12, f"{len(kept)} of 12 runs were kept"
    times = {one: one.stat().st_mtime_ns for one in kept}
    (out / "0123.part").write_bytes(b"{")  # as a kill in the middle of a write leaves it
    again = subprocess.run(line, capture_output=True, text=True, timeout=100)
    assert again.returncode == 0, again.stderr
    assert f"12 runs, {len(kept)} of them kept" in again.stderr
    assert {one: one.stat().st_mtime_ns for one in kept} == times
    whole = CliRunner().invoke(command, [*said, "--out", str(tmp_path / "whole")])
    assert again.stdout == whole.stdout
    assert {one.name: one.read_bytes() for one in out.glob("*.json")} == {
        one.name: one.read_bytes() for one in (tmp_path / "whole").glob("*.json")
    }


def test_a_sweep_is_shown_for_notebooks_programs_and_people(tmp_path: Path) -> None:
    _, rows, _ = sweep(tmp_path, "--plot", str(tmp_path / "x.html"))
    shown = Cells.read((tmp_path / "x.html").read_text())
    assert shown.captions == ["small: 4 runs"]
    assert shown.rows == [list(rows[0]), *(list(row.values()) for row in rows)]
    said = [str(tmp_path / "small.yaml"), "--vary", "core=round_robin,least_request"]
    said += ["--seeds", "2", "--out", str(tmp_path / "out"), "-o", "json"]
    told = json.loads(CliRunner().invoke(command, said).stdout)
    assert [one["set"] for one in told] == [
        {"core": row["core"], "seed": row["seed"]} for row in rows
    ]
    assert [one["report"]["digest"][:12] for one in told] == [row["digest"] for row in rows]
