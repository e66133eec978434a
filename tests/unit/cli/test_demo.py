"""Does the demo run from end to end, and end in plain words where a part of it cannot?"""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from flyball.cli import demo
from flyball.dialects.traces.row import TraceRow

TRACE = "arrival_s,input_tokens,output_tokens\n" + "".join(f"{10 * i},40,3\n" for i in range(9))


def _trace(folder: Path) -> Path:
    path = folder / "trace.csv"
    path.write_text(TRACE)
    return path


def test_the_whole_demo_on_a_small_trace(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    words = ["demo", "--trace", str(_trace(tmp_path)), "--seconds", "3", "--rate", "3"]
    done = subprocess.run(
        [sys.executable, "-m", "flyball", *words, "--folder", str(folder)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    out, err = done.stdout, done.stderr
    assert "the first 9 requests" in err
    assert "the engine frankfurt-l40s-2 is killed" in err
    assert "openai client, wrong model: NotFoundError, code model_not_found" in err
    for heading in (
        "What the clients saw",
        "Where it ran",
        "Plan prices",
        "One decision explained",
        "The same traffic, side by side",
    ):
        assert heading in out
    assert "total" in out and "9 requests in" in out
    assert "lost 0, doubled 0" in out
    # The command that it tells to try next works.
    assert f"flyball explain --last-refused --log {folder / 'ledger'}" in err
    log = ["--log", str(folder / "ledger")]
    again = subprocess.run(
        [sys.executable, "-m", "flyball", "explain", "--last-refused", *log],
        capture_output=True, text=True,
    )  # fmt: skip
    assert again.returncode == 0
    assert "no-such-model" in again.stdout
    assert "Traceback" not in err + again.stderr


def test_a_trace_is_moved_to_the_time_given(tmp_path: Path) -> None:
    rows = demo._rows(_trace(tmp_path), seconds=2.0, rate=2.0, surge=2.0, seed=1)
    assert [round(row.at_s, 3) for row in rows] == [0.0, 0.667, 1.333, 2.0]


def test_the_generated_load_is_the_seeds() -> None:
    one, same, other = (demo._rows(None, 5.0, 10.0, 1.0, seed) for seed in (1, 1, 2))
    assert one == same != other
    assert all(row.at_s <= 5.0 for row in one)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("", "the file is empty"),
        ("arrival_s,input_tokens,output_tokens\n", "no request is left in it"),
    ],
)
def test_a_trace_that_cannot_be_used_is_exit_2(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "trace.csv"
    if text is not None:
        path.write_text(text)
    result = CliRunner().invoke(
        demo.command, ["--trace", str(path), "--folder", str(tmp_path / "d")]
    )
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_surge_comes_on_top_and_goes(tmp_path: Path) -> None:
    calm, surge = (demo._rows(None, 40.0, 20.0, times, 3) for times in (1.0, 3.0))

    def count(rows: list[TraceRow], low: float, high: float) -> int:
        return sum(low <= row.at_s < high for row in rows)

    assert count(surge, 0, 10) == count(calm, 0, 10)
    assert count(surge, 22, 40) == count(calm, 22, 40)
    assert count(surge, 10, 22) > 2 * count(calm, 10, 22)
    assert [row.at_s for row in surge] == sorted(row.at_s for row in surge)
    mine = {row.session for row in calm if row.session}
    assert not mine & {row.session for row in surge if row not in calm}
