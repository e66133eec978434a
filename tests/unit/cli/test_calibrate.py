"""Does `flyball calibrate` fit a log, and can a fleet file use what it prints?"""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from flyball.cli.calibrate import command, fleet_section
from flyball.dialects.profiles import profile
from flyball.model.profile import Profile
from flyball.serve.config.model import ProfileSection
from flyball.sim.measure import Ask, open_loop


def a_log(file: Path, name: str = "l40s/llama-3.1-8b") -> Path:
    rng = np.random.default_rng(6)  # seed 6
    load = [Ask(0.2 * i, int(rng.integers(50, 900)), int(rng.integers(5, 90))) for i in range(60)]
    seen = open_loop(profile(name), load)
    rows = [
        {"run": "a", "arrival_s": ask.at, "input_tokens": ask.input_tokens,
         "output_tokens": ask.output_tokens, "ttft_s": float(ttft), "e2e_s": float(e2e)}
        for ask, ttft, e2e in zip(load, seen.ttft_s, seen.e2e_s, strict=True)
    ]  # fmt: skip
    file.write_text(json.dumps(rows))
    return file


def test_a_log_becomes_a_profile_and_a_section(tmp_path: Path) -> None:
    log, out = a_log(tmp_path / "log.json"), tmp_path / "mine.json"
    args = [str(log), "--start", "h100/llama-3.1-8b", "--name", "mine", "--out", str(out)]
    ran = CliRunner().invoke(command, args)
    assert ran.exit_code == 0, ran.output
    fitted = msgspec.json.decode(out.read_bytes(), type=Profile)
    assert fitted.name == "mine"
    assert fitted.decode.base_s == pytest.approx(
        profile("l40s/llama-3.1-8b").decode.base_s, rel=0.1
    )
    assert "±" in ran.stderr
    section = YAML(typ="safe").load(ran.stdout)["profile"]
    assert section["base"] == "h100/llama-3.1-8b"
    assert section["decode"]["base_ms"] == pytest.approx(fitted.decode.base_s * 1e3, rel=1e-5)


def test_the_section_is_one_of_a_fleet_file() -> None:
    known = profile("l4/llama-3.1-8b")
    body = YAML(typ="safe").load(fleet_section(known, known.name))["profile"]
    section = msgspec.convert(body, ProfileSection)
    assert section.kv_tokens_max == known.limits.kv_tokens_max
    assert section.base == known.name


@pytest.mark.parametrize(
    ("text", "args", "message"),
    [
        ('[{"x": 1}]', [], "no layout has the columns"),
        ("[]", [], "holds no rows"),
        (None, ["--run", "z"], "choose one with --run: a"),
        (None, ["--start", "zebra"], "no profile is named 'zebra'"),
        (None, ["--out", "/nowhere/x.json"], "--out /nowhere/x.json"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(
    tmp_path: Path, text: str | None, args: list[str], message: str
) -> None:
    log = a_log(tmp_path / "log.json")
    if text is not None:
        log.write_text(text)
    ran = CliRunner().invoke(command, [str(log), "--start", "h100/llama-3.1-8b", *args])
    assert ran.exit_code == 2
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr
