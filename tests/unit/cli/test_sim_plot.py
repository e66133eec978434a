"""Is a picture made of the run's own figures, the same each time, and whole by itself?"""

import struct
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from flyball.cli import sim_plot
from flyball.cli.compare import command as compare
from flyball.cli.sim import command as sim
from flyball.sim.capacity import interval
from flyball.sim.run import Result
from support.markup import Cells
from support.worlds import data, ran

matplotlib = pytest.importorskip("matplotlib", reason="pictures need the extra `plot`")


@pytest.fixture(scope="module")
def result() -> Result:
    return ran(duration_s=10)


def figure() -> Any:
    from matplotlib.figure import Figure

    return Figure()


def test_the_panels_hold_the_runs_own_numbers(result: Result) -> None:
    made = figure()
    sim_plot.run(made, result, ["chat"])
    rates, first, ttft, e2e = made.axes
    every, well = (patch.get_data() for patch in rates.patches)
    width_s = every.edges[1] - every.edges[0]
    assert every.values.sum() * width_s == pytest.approx(result.report.total.calls)
    in_time = int((result.columns["in_time"] == 1).sum())
    assert well.values.sum() * width_s == pytest.approx(in_time)
    assert [line.get_label() for line in first.lines] == ["p50", "p99"]
    served = result.columns["ttft_s"][result.columns["end"] == 0]
    x, y = ttft.lines[0].get_data()
    assert (x[0], x[-1], y[0], y[-1]) == (served.min(), served.max(), 0.0, 1.0)
    assert np.interp(result.report.total.e2e_s.p50, *e2e.lines[0].get_data()) == pytest.approx(
        0.5, abs=0.02
    )


def test_a_run_without_calls_is_drawn_too(result: Result) -> None:
    empty = {name: column[:0] for name, column in result.columns.items()}
    made = figure()
    sim_plot.run(made, Result(report=result.report, columns=empty), ["chat"])
    assert not made.axes[2].lines


@pytest.mark.parametrize("suffix", [".png", ".svg", ".html"])
def test_equal_results_give_equal_bytes(tmp_path: Path, result: Result, suffix: str) -> None:
    places = [tmp_path / f"{i}{suffix}" for i in range(2)]
    for place in places:
        sim_plot.write(place, "t & u", result, lambda it: sim_plot.run(it, result, ["chat"]))
    first, second = (place.read_bytes() for place in places)
    assert first == second
    if suffix == ".png":
        assert first.startswith(b"\x89PNG")
        assert struct.unpack(">II", first[16:24]) == (1500, 1050)
    elif suffix == ".svg":
        assert ElementTree.fromstring(first).tag == "{http://www.w3.org/2000/svg}svg"
        assert b"t &amp; u" in first and b"time to first token" in first
    else:
        text = first.decode()
        assert Cells.read(text).captions == ["Classes", "Pools", "Cost"]
        assert text.count("<svg") == 1 and "<script" not in text and "src=" not in text


def test_a_person_s_own_style_does_not_change_the_bytes(tmp_path: Path, result: Result) -> None:
    places = [tmp_path / f"{i}.svg" for i in range(2)]
    for place, width in zip(places, (1.0, 9.0), strict=True):
        with matplotlib.rc_context({"lines.linewidth": width}):
            sim_plot.write(place, "t", result, lambda it: sim_plot.run(it, result, ["chat"]))
            assert matplotlib.rcParams["lines.linewidth"] == width
    assert places[0].read_bytes() == places[1].read_bytes()


def test_a_sweep_has_a_line_per_rest_and_a_band_over_seeds() -> None:
    settings = [
        (f"load={load}", f"core={core}", f"seed={seed}")
        for load in ("2", "10", "0.5")
        for core in ("a", "b")
        for seed in (1, 2)
    ]
    values = [float(i) for i in range(len(settings))]
    made = figure()
    sim_plot.sweep(made, settings, {"x": values, "y": values})
    lines = {line.get_label(): line.get_data() for line in made.axes[0].lines}
    assert list(lines) == ["core=a", "core=b"]
    assert [float(x) for x in lines["core=b"][0]] == [2.0, 10.0, 0.5]
    assert [float(y) for y in lines["core=b"][1]] == [2.5, 6.5, 10.5]
    words = figure()
    sim_plot.sweep(words, [("core=a", "seed=1"), ("core=b", "seed=1")], {"x": [1.0, 2.0]})
    assert [tick.get_text() for tick in words.axes[0].get_xticklabels()] == ["a", "b"]


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
def test_every_run_of_a_sweep_stands_in_one_place(loads: int, cores: int, seeds: int) -> None:
    settings = [
        (f"l={a}", f"c={b}", f"seed={c}")
        for a in range(loads)
        for b in range(cores)
        for c in range(seeds)
    ]
    found = sim_plot.grouped(settings)
    places = [i for points in found.values() for runs in points.values() for i in runs]
    assert sorted(places) == list(range(len(settings)))
    assert len(found) == cores and all(len(points) == loads for points in found.values())
    only = sim_plot.grouped([(f"seed={c}",) for c in range(seeds)])
    assert list(only[""]) == [str(c) for c in range(seeds)]


def test_differences_are_shares_of_a_and_grey_where_chance_may_be() -> None:
    made = figure()
    bars = [
        ("in time", 0.5, interval([0.05, 0.06]), True),
        ("tries", -2.0, interval([0.1, -0.1]), False),
        ("nothing to divide by", 0.0, interval([1.0]), True),
    ]
    sim_plot.compare(made, bars)
    dots = [line for line in made.axes[0].lines if line.get_marker() == "o"]
    assert [float(dot.get_xdata()[0]) for dot in dots] == pytest.approx([11.0, 0.0])
    assert [dot.get_color() for dot in dots] == [sim_plot.COLORS[0], "#999999"]


def test_capacity_shows_every_seed() -> None:
    made = figure()
    sim_plot.capacity(made, {"a": interval([1.0, 2.0]), "b": interval([3.0])})
    assert [bar.get_height() for bar in made.axes[0].patches] == [1.5, 3.0]
    dots = [line.get_ydata() for line in made.axes[0].lines if line.get_marker() == "o"]
    assert [list(map(float, one)) for one in dots] == [[1.0, 2.0], [3.0]]


def test_what_stands_in_the_way_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("no scenario at all")
    for place, said in (("x.pdf", "end it in .png"), ("none/x.png", "there is no folder")):
        found = CliRunner().invoke(sim, [str(file), "--plot", str(tmp_path / place)])
        assert found.exit_code == 2 and said in found.stderr
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(sim_plot, "find_spec", lambda name: None)
    found = CliRunner().invoke(compare, ["a", "b", "--plot", str(tmp_path / "x.png")])
    assert found.exit_code == 2 and "pip install 'flyball[plot]'" in found.stderr


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, result: Result) -> None:
    place = tmp_path / "x.png"
    place.mkdir()
    with pytest.raises(click.ClickException, match=r"x\.png"):
        sim_plot.write(place, "t", result, lambda it: sim_plot.run(it, result, ["chat"]))


def test_the_command_keeps_the_picture(tmp_path: Path) -> None:
    import json

    file = tmp_path / "small.yaml"
    file.write_text(json.dumps(data(duration_s=5)))
    place = tmp_path / "x.html"
    found = CliRunner().invoke(sim, [str(file), "--plot", str(place)])
    assert found.exit_code == 0, found.stderr
    assert "<h1>small</h1>" in place.read_text()
