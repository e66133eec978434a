"""Does the demo run from end to end, and end in plain words where a part of it cannot?"""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from flyball.cli import demo

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
    assert "killing the engine frankfurt-l40s-2" in err
    assert "openai client, wrong model: NotFoundError, code model_not_found" in err
    for heading in (
        "What the clients saw",
        "Where it ran",
        "Plan prices",
        "One decision explained",
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
    rows = demo._rows(_trace(tmp_path), seconds=2.0, rate=2.0, seed=1)
    assert [round(row.at_s, 3) for row in rows] == [0.0, 0.667, 1.333, 2.0]


def test_the_generated_load_is_the_seeds() -> None:
    one, same, other = (demo._rows(None, 5.0, 10.0, seed) for seed in (1, 1, 2))
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


def test_an_engine_that_does_not_start_is_named_with_its_log(tmp_path: Path) -> None:
    with ExitStack() as stack:
        process = demo._spawn(stack, ["engine", "--profile", "no/such"], tmp_path / "e.log")
        with pytest.raises(demo.DemoFault, match=r"the engine e did not start: see .*e\.log"):
            demo._url_of(process, "e", tmp_path)
    assert process.poll() is not None
    assert "no/such" in (tmp_path / "e.log").read_text()


def test_a_gateway_that_does_not_start_is_said_at_once(tmp_path: Path) -> None:
    urls = dict.fromkeys((replica.name for replica in demo.REPLICAS), "not-a-url")
    with ExitStack() as stack, pytest.raises(demo.DemoFault, match=r"see .*gateway\.log"):
        demo._start_gateway(stack, tmp_path, urls)
    assert "the URL has no scheme" in (tmp_path / "gateway.log").read_text()


def test_no_gateway_no_prices() -> None:
    assert demo._board(f"http://127.0.0.1:{demo._free_port()}") == {}
