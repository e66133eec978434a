"""Do recordings of every kind end in findings of their area, and say what they lacked?"""

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from flyball.cli import main
from flyball.sim.incidents.plant import COLUMNS, Plant
from flyball.sim.incidents.plant_laws import Laws

T0 = 1_800_000_000
CALL_MAP = """\
version: v1
table:
  rows: calls
  columns: {at: at, pool: pool, e2e_s: e2e, outcome: ok, candidates: chances}
"""
ANSWER_MAP = """\
version: v1
table:
  rows: answers
  columns: {prompt: prompt, backend: backend, seed: seed, outcome: ok}
"""


def run(*words: object) -> tuple[Result, dict]:
    result = CliRunner().invoke(main, ["diagnose", *map(str, words), "-o", "json"])
    assert result.exit_code in (0, 1) and result.stdout, (result.output, result.exception)
    return result, json.loads(result.stdout)


def codes(data: dict) -> list[str]:
    return [one["code"] for one in data["findings"]]


def calls(
    path: Path,
    minutes: int,
    share: float | Callable[[float], float],
    seed: int,
    worse: float = 0.0,
    per_minute: int = 20,
) -> Path:
    """Calls whose route to `fast` has this chance; `worse` = the slow pool's added failures."""
    print("seed", seed)
    chance = random.Random(seed)
    lines = ["at,pool,e2e,ok,chances"]
    for i in range(minutes * per_minute):
        at = T0 + i * 60.0 / per_minute
        moved = share(i / per_minute) if callable(share) else share
        pool = "fast" if chance.random() < moved else "slow"
        bad = 0.05 + (worse if pool == "slow" else 0.0)
        ending = "failed" if chance.random() < bad else "served"
        lines.append(f"{at},{pool},2.0,{ending},fast={moved} slow={1 - moved}")
    path.write_text("\n".join(lines) + "\n")
    (path.parent / "calls.yaml").write_text(CALL_MAP)
    return path


def plant(path: Path, load: float) -> list[object]:
    made = Plant(Laws(), 1, seed=3)
    made.run(600)
    made.settings.load = load
    rows = made.run(5400)[:, :, 0]
    table = np.column_stack([T0 + 10.0 * np.arange(len(rows)), rows])
    names = ["time_s", *COLUMNS]
    np.savetxt(path, table, delimiter=",", header=",".join(names), comments="", fmt="%.9g")
    text = path.read_text().splitlines()
    for i in range(1, len(text)):  # whole digits of the time
        text[i] = f"{T0 + 10 * (i - 1)},{text[i].split(',', 1)[1]}"
    path.write_text("\n".join(text) + "\n")
    columns = "\n".join(f"    {name}: {name}" for name in names)
    mapping = path.with_suffix(".yaml")
    mapping.write_text(f"version: v1\ntable:\n  rows: signals\n  columns:\n{columns}\n")
    return ["--csv", path, "--map", mapping]


def test_signals_near_the_edge_are_a_margin_finding_and_others_are_quiet(tmp_path: Path) -> None:
    result, data = run(*plant(tmp_path / "edge.csv", 44.0))
    assert result.exit_code == 1 and "FB-502" in codes(data)
    assert not [one for one in data["lacking"] if "margin" in one["unlocks"]]
    result, data = run(*plant(tmp_path / "calm.csv", 40.0))
    assert result.exit_code == 0 and codes(data) == []


def test_routes_by_chance_show_the_worse_pool_and_what_drift_lacks(tmp_path: Path) -> None:
    path = calls(tmp_path / "a.csv", 60, 0.6, seed=1, worse=0.2)
    _, data = run("--csv", path, "--map", tmp_path / "calls.yaml")
    (one,) = [one for one in data["findings"] if one["code"] == "FB-305"]
    assert one["evidence"][0]["low"] < -0.2 < one["evidence"][0]["high"]
    assert any("10.0 h of accepted behaviour" in lack["signal"] for lack in data["lacking"])
    assert any(lack["signal"] == "fast.replicas" for lack in data["lacking"])


def test_a_route_that_shifts_half_way_is_drift(tmp_path: Path) -> None:
    def share(minute: float) -> float:
        return 0.6 if minute < 1400 else 0.85

    path = calls(tmp_path / "a.csv", 1800, share, seed=2, per_minute=6)
    _, data = run("--csv", path, "--map", tmp_path / "calls.yaml")
    found = [one for one in data["findings"] if one["code"] == "FB-401"]
    assert found and found[0]["scope"] == "control/pool"
    assert found[0]["at"] >= T0 + 1400 * 60
    path = calls(tmp_path / "b.csv", 1800, 0.6, seed=3, per_minute=6)
    assert codes(run("--csv", path, "--map", tmp_path / "calls.yaml")[1]) == []


def test_two_runs_differ_in_their_paths_by_the_router(tmp_path: Path) -> None:
    one = calls(tmp_path / "a.csv", 60, 0.6, seed=4, worse=0.3)
    same = calls(tmp_path / "b.csv", 60, 0.6, seed=5, worse=0.3)
    other = calls(tmp_path / "c.csv", 60, 0.75, seed=6, worse=0.3)
    words = ["--map", tmp_path / "calls.yaml", "--baseline", one, "--current"]
    assert codes(run(*words, same)[1]) == []
    _, data = run(*words, other)
    assert set(codes(data)) == {"FB-406", "FB-407"}
    paths = next(one for one in data["findings"] if one["code"] == "FB-407")
    assert paths["loops"][0] == "router"
    shares = next(one for one in data["findings"] if one["code"] == "FB-406")
    assert shares["evidence"][0]["what"] == "share of control"


def test_answers_of_canaries_tell_backends_apart(tmp_path: Path) -> None:
    print("seed", 7)
    chance = random.Random(7)
    lines = ["prompt,backend,seed,ok"]
    for i in range(400):
        draw = chance.random()
        lines += [f"p{i % 40},fast,{i},{int(draw < 0.9)}", f"p{i % 40},slow,{i},{int(draw < 0.8)}"]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "m.yaml").write_text(ANSWER_MAP)
    assert codes(run("--csv", tmp_path / "a.csv", "--map", tmp_path / "m.yaml")[1]) == ["FB-301"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--baseline", "a"], "go together"),
        ([], "nothing to look at"),
        (["--otlp", "/nowhere"], "cannot read /nowhere"),
        (["--baseline", "/nowhere", "--current", "/nowhere"], "cannot read /nowhere"),
    ],
)
def test_what_cannot_be_done_is_said(words: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["diagnose", *words])
    assert result.exit_code == 2 and said in result.output and "Traceback" not in result.output
