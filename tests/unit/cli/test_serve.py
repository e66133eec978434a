"""Does `flyball serve` take its options, and refuse wrong ones without a traceback?"""

from pathlib import Path

import pytest
from click.testing import CliRunner

from flyball.cli.serve import command
from flyball.serve.process import run


def test_the_options_reach_the_gateway(monkeypatch, tmp_path: Path) -> None:
    seen = []
    monkeypatch.setattr(run, "serve", lambda *words: seen.append(words) or 0)
    words = ["f.yaml", "--host", "::1", "--port", "0", "--workers", "3", "--mode", "observe"]
    result = CliRunner().invoke(command, [*words, "--log", str(tmp_path)])
    assert result.exit_code == 0, result.output
    said = run.Overrides(host="::1", port=0, workers=3, mode="observe", log=tmp_path)
    assert seen == [(Path("f.yaml"), said)]


@pytest.mark.parametrize(
    "words", [[], ["f", "--port", "70000"], ["f", "--workers", "0"], ["f", "--mode", "x"]]
)
def test_wrong_use_is_exit_2(words: list[str]) -> None:
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 2 and "Usage" in result.output
