"""Are spans, files and missing parts told as what they are?"""

from pathlib import Path

import click
import pytest

from flyball.cli.mandate_input import faults, read_file, seconds_of, write_secret


def test_spans() -> None:
    assert [seconds_of(text) for text in ("30s", "90m", "8h", "2d")] == [30, 5400, 28800, 172800]
    for text in ("", "8", "h", "-1h", "1.5h", "8 h"):
        with pytest.raises(click.UsageError):
            seconds_of(text)


def test_a_secret_is_its_owners_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "secret"
    write_secret(path, "x")
    assert path.read_text() == "x\n" and path.stat().st_mode & 0o777 == 0o600
    for bad in (path, tmp_path / "none" / "x"):
        with pytest.raises(SystemExit):
            write_secret(bad, "y")
    assert read_file(path) == b"x\n" and "there already" in capsys.readouterr().err


def test_a_missing_extra_names_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, faults():
        raise ModuleNotFoundError("No module named 'biscuit_auth'", name="biscuit_auth")
    assert caught.value.code == 2 and "flyball[serve]" in capsys.readouterr().err
