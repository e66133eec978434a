"""Which picture does a result of the simulator make? (`--plot FILE.png`, `.svg` or `.html`)

Drawn by matplotlib, an extra. The HTML holds the picture and the result's tables and needs nothing
else. Equal results give equal bytes: no date is written and ids are not drawn by chance.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

import click
import numpy as np

from flyball.sim import tables
from flyball.sim.capacity import Interval
from flyball.sim.run import Result
from flyball.units import MS_PER_S

SUFFIXES = (".png", ".svg", ".html")
# Okabe and Ito's colours, which people who do not see all colours can tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
_BINS = 60
_CURVE_POINTS = 400
_SIZE_INCHES = (10.0, 7.0)

Draw = Callable[[Any], None]
# Name of a figure, its value in A, the difference B - A, and whether that is more than chance.
Bar = tuple[str, float, Interval, bool]


class Shown(Protocol):
    """A result that can be shown as HTML."""

    def _repr_html_(self) -> str: ...


def checked(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    """Tell what stands in the picture's way before the first run, not after an hour."""
    if value is None:
        return None
    if value.suffix not in SUFFIXES:
        raise click.BadParameter(f"{value}: end it in {', '.join(SUFFIXES)}")
    if not value.parent.is_dir():
        raise click.BadParameter(f"{value}: there is no folder {value.parent}")
    if find_spec("matplotlib") is None:
        raise click.UsageError(f"--plot {value} needs matplotlib: pip install 'flyball[plot]'")
    return value


option = click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=checked,
    help=".png .svg .html; needs the extra `plot`.",
)


def write(place: Path, title: str, result: Shown, draw: Draw) -> None:
    """Let `draw` fill a figure and keep it; HTML gets the result's tables too.

    Raises click.ClickException where the file cannot be written.
    """
    import matplotlib  # pyright: ignore[reportMissingImports]
    from matplotlib.figure import Figure  # pyright: ignore[reportMissingImports]

    rules: Any = {"svg.hashsalt": "flyball", "svg.fonttype": "none", "font.size": 9.0}
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a person's own style file would change the bytes
        matplotlib.rcParams.update(rules)
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        figure.suptitle(title)
        draw(figure)
        try:
            if place.suffix == ".png":
                figure.savefig(place, dpi=150)
                return
            picture = StringIO()
            figure.savefig(picture, format="svg", metadata={"Date": None})
            text = picture.getvalue()
            if place.suffix == ".html":
                text = tables.page(title, text[text.index("<svg") :], result._repr_html_())
            place.write_text(text)
        except OSError as error:
            raise click.ClickException(f"--plot {place}: {error.strerror or error}") from None


def run(figure: Any, result: Result, classes: Sequence[str]) -> None:
    """Calls and first tokens over time; first tokens and whole answers by class."""
    over, first, ttft, e2e = figure.subplots(2, 2).ravel()
    columns, report = result.columns, result.report
    edges = np.linspace(0.0, report.duration_s, _BINS + 1)
    _rates(over, columns, edges)
    _first_tokens(first, columns, edges)
    served = columns["end"] == 0
    for index, name in enumerate(classes):
        mine = served & (columns["class_index"] == index)
        mine &= columns["sent_at_s"] >= report.duration_s - report.measured_s
        for axes, column in ((ttft, "ttft_s"), (e2e, "e2e_s")):
            _curve(axes, columns[column][mine], name, COLORS[index % len(COLORS)])
    for axes, text in ((ttft, "time to first token, s"), (e2e, "whole answer, s")):
        axes.set(xlabel=text, ylabel="share of served calls", ylim=(0.0, 1.02))
        if axes.lines:
            _logarithmic(axes)
            axes.legend(loc="lower right", frameon=False)


def _logarithmic(axes: Any) -> None:
    """Plain numbers at 1, 2 and 5 of each decade: powers with factors run into each other."""
    from matplotlib.ticker import (  # pyright: ignore[reportMissingImports]
        LogLocator,
        NullFormatter,
    )

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _rates(axes: Any, columns: dict[str, np.ndarray], edges: np.ndarray) -> None:
    width_s = float(edges[1] - edges[0])
    sent, in_time = columns["sent_at_s"], columns["in_time"] == 1
    every = np.histogram(sent, edges)[0] / width_s
    well = np.histogram(sent[in_time], edges)[0] / width_s
    axes.stairs(every, edges, color="#666666", label="sent")
    axes.stairs(well, edges, fill=True, color=COLORS[2], alpha=0.6, label="served in time")
    axes.set(xlabel="s", ylabel="calls per s", ylim=(0.0, None))
    axes.legend(loc="lower right", frameon=False)


def _first_tokens(axes: Any, columns: dict[str, np.ndarray], edges: np.ndarray) -> None:
    served = columns["end"] == 0
    bins = np.digitize(columns["sent_at_s"][served], edges) - 1
    ttft_ms = columns["ttft_s"][served] * MS_PER_S
    parts = [ttft_ms[bins == index] for index in range(len(edges) - 1)]
    middles = (edges[1:] + edges[:-1]) / 2.0
    for share, color in ((50, COLORS[0]), (99, COLORS[1])):
        values = [np.percentile(part, share) if len(part) else np.nan for part in parts]
        axes.plot(middles, values, color=color, label=f"p{share}")
    axes.set(xlabel="s, by time of sending", ylabel="time to first token, ms", ylim=(0.0, None))
    axes.legend(loc="upper right", frameon=False)


def _curve(axes: Any, values: np.ndarray, name: str, color: str) -> None:
    """The share of values at or below x, at most `_CURVE_POINTS` of them."""
    if len(values):
        shares = np.linspace(0.0, 1.0, min(len(values), _CURVE_POINTS))
        axes.plot(np.quantile(values, shares), shares, color=color, label=name)


def sweep(
    figure: Any, settings: Sequence[tuple[str, ...]], figures: Mapping[str, Sequence[float]]
) -> None:
    """One panel per figure over the first key that varies; a line per rest; a band over seeds."""
    lines = grouped(settings)
    panels = figure.subplots(-(-len(figures) // 2), 2, squeeze=False).ravel()
    ticks = list(dict.fromkeys(x for places in lines.values() for x in places))
    places = _positions(ticks)
    for axes, (name, values) in zip(panels, figures.items(), strict=False):
        for number, (label, points) in enumerate(lines.items()):
            parts = [[values[i] for i in points[x]] for x in points]
            at = [places[x] for x in points]
            color = COLORS[number % len(COLORS)]
            axes.plot(at, [sum(p) / len(p) for p in parts], "o-", color=color, label=label)
            low, high = [min(p) for p in parts], [max(p) for p in parts]
            axes.fill_between(at, low, high, color=color, alpha=0.2)
        axes.set(xlabel=settings[0][0].partition("=")[0], ylabel=name)
        axes.set_xticks(list(places.values()), ticks)
    if len(lines) > 1:
        panels[0].legend(frameon=False, fontsize="small")


def grouped(settings: Sequence[tuple[str, ...]]) -> dict[str, dict[str, list[int]]]:
    """Line (all keys but the first, and but the seed) -> value of the first key -> run numbers."""
    lines: dict[str, dict[str, list[int]]] = {}
    for number, setting in enumerate(settings):
        label = " ".join(setting[1:-1])
        x = setting[0].partition("=")[2]
        lines.setdefault(label, {}).setdefault(x, []).append(number)
    return lines


def _positions(ticks: Sequence[str]) -> dict[str, float]:
    """Numbers stand at their value, words side by side."""
    try:
        return {tick: float(tick) for tick in ticks}
    except ValueError:
        return {tick: float(i) for i, tick in enumerate(ticks)}


def compare(figure: Any, bars: Sequence[Bar]) -> None:
    """How much more B has than A, in percent of A with its 95 % interval; grey = may be chance."""
    axes = figure.subplots()
    kept = [bar for bar in bars if bar[1]]
    for row, (_, base, gap, is_sure) in enumerate(kept):
        low, mean, high = (100.0 * value / abs(base) for value in (gap.low, gap.mean, gap.high))
        color = COLORS[0] if is_sure else "#999999"
        axes.errorbar(
            mean, row, xerr=[[mean - low], [high - mean]], fmt="o", color=color, capsize=3
        )
    axes.axvline(0.0, color="#444444", linewidth=0.8)
    axes.set_yticks(range(len(kept)), [bar[0] for bar in kept])
    axes.invert_yaxis()
    axes.set(xlabel="B - A, % of A (95 % interval); grey: may be chance")


def capacity(figure: Any, load: dict[str, Interval]) -> None:
    """The largest load of each core, its 95 % interval and every seed."""
    axes = figure.subplots()
    for place, one in enumerate(load.values()):
        color = COLORS[place % len(COLORS)]
        error = [[one.mean - one.low], [one.high - one.mean]]
        axes.bar(place, one.mean, color=color, alpha=0.5, yerr=error, capsize=4)
        axes.plot([place] * len(one.values), one.values, "o", color=color, markersize=4)
    axes.set_xticks(range(len(load)), list(load))
    axes.set(ylabel="largest load, multiples of the scenario's", ylim=(0.0, None))
