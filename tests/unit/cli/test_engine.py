"""Does the command start an engine as told, and refuse what it cannot do in plain words?"""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from click.testing import CliRunner

from flyball.cli.engine import command
from flyball.dialects.profiles import catalogue

FLYBALL = str(Path(sys.executable).with_name("flyball"))


def test_start_ask_stop() -> None:
    options = ["--port", "0", "--profile", "cpu/onnx-small", "--served-model", "a",
               "--served-model", "b", "--name", "edge", "--fail", "error-503:0"]  # fmt: skip
    process = subprocess.Popen(
        [FLYBALL, "engine", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    with urllib.request.urlopen(f"{url}/v1/models") as answer:
        assert [model["id"] for model in json.load(answer)["data"]] == ["a", "b"]
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert (out, err) == ("", f"edge: a, b at {url}\n")


def test_the_list_of_profiles() -> None:
    result = CliRunner().invoke(command, ["--list"])
    assert result.output.split() == list(catalogue())


def test_mistakes_are_told_with_the_next_step() -> None:
    for options, words in (
        (["--profile", "h100/llama-8b"], "did you mean 'h100/llama-3.1-8b'"),
        (["--fail", "stal"], "did you mean 'stall'"),
        (["--time-scale", "0"], "time-scale"),
    ):
        result = CliRunner().invoke(command, options)
        assert result.exit_code == 2
        assert words in result.output


def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [FLYBALL, "engine", "--port", port], capture_output=True, text=True, timeout=20
        )
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr
