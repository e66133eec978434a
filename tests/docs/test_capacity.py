"""Does the capacity page say what was found and what was not run, and is no run made twice?"""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from flyball.sim.experiments.contestants import DEFAULTS
from flyball.sim.experiments.trial import Trial

SCRIPTS = Path(__file__).parents[2] / "docs" / "results"
TRIAL = Trial(fleet="uniform", mix="chat", contestant=DEFAULTS["least_request"], step=-110, seed=1)


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A result script, as python finds it when one of its neighbours is run."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module(name)


def cell(load: float) -> dict[str, Any]:
    return {
        "step": 1,
        "load": load,
        "execution_error_usd": 5.0,
        "coherence": 0.9,
        "bound_load": 2.0,
        "completed": 7,
        "fails_by": "chat: 94.0% in time, 0.0% refused, 6.0% late, 0.0% lost",
    }


def test_the_page_pairs_gains_by_seed_and_names_what_was_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = script("capacity_page", monkeypatch)
    monkeypatch.setattr(page, "HERE", tmp_path)
    steady = {
        "uniform chat governor 1 g": cell(1.2),
        "uniform chat governor 2 g": cell(1.5),
        "uniform chat epp_default 1 r": cell(1.0),
        "uniform chat epp_default 2 r": cell(1.25),
    }
    rest = {name: {} for name in ("safe", "strict", "tuned", "struck", "parts", "views")}
    page.write({"steady": steady, **rest})
    text = (tmp_path / "capacity.md").read_text()
    assert "| epp_default | 5.00 | 90.0% | 1.125 |" in text
    assert "1.20 [1.20, 1.20]" in text  # 1.2 / 1.0 and 1.5 / 1.25
    assert "sources run: `g`, `r`." in text
    for table in ("safe", "strict", "struck", "parts", "views"):
        assert f"Not run: `python docs/results/make_capacity.py {table} --budget" in text
    assert (tmp_path / "capacity.json").is_file()
    assert (tmp_path / "capacity.svg").is_file()


def test_a_run_is_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = script("trials", monkeypatch)
    monkeypatch.setattr(trials, "KEPT", tmp_path)
    first = trials.played(TRIAL)
    (file,) = tmp_path.iterdir()

    def never(*_: Any) -> None:
        raise AssertionError("it was run again")

    monkeypatch.setattr(trials, "run", never)
    assert trials.played(TRIAL) == first
    assert file.stem == TRIAL.key(trials.code("least_request"))


def test_a_rival_s_runs_outlive_changes_of_the_governor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = script("trials", monkeypatch)
    for folder in ("model", "sim", "governor"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.py").write_text("1")
    (tmp_path / "units.py").write_text("1")
    monkeypatch.setattr(trials, "_SOURCES", tmp_path)
    rival, ours = trials.code("epp_default"), trials.code("governor")
    (tmp_path / "governor" / "one.py").write_text("2")
    trials.code.cache_clear()
    assert trials.code("epp_default") == rival
    assert trials.code("governor") != ours
    (tmp_path / "sim" / "one.py").write_text("2")
    trials.code.cache_clear()
    assert trials.code("epp_default") != rival


def test_nothing_begins_after_the_budget_s_end(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = script("trials", monkeypatch)
    tasks = [("a", max, (1, 2)), ("b", max, (3, 4))]
    assert list(trials.each(trials.Budget(60.0), tasks)) == [("a", 2), ("b", 4)]
    assert list(trials.each(trials.Budget(0.0), tasks)) == []
    monkeypatch.setattr(trials, "JOBS", 2)
    assert sorted(trials.each(trials.Budget(60.0), tasks)) == [("a", 2), ("b", 4)]
    assert list(trials.each(trials.Budget(0.0), tasks)) == []
