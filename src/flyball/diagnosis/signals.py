"""What does a detector read: which signals, at which step, with which gaps?

One table: a row per step, a column per signal. Names are `time_s` and `<part>.<signal>`: the
plant's own (`plant.latency_s`), and of each loop `loop.<name>.setpoint` and
`loop.<name>.saturated` (1 = its set-point stands at a limit). A gap is NaN. What happened at one
instant (a deploy, a change of configuration, a probe's begin) is an event beside the table.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Struct

from flyball.units import Seconds

TIME = "time_s"
# Of a step: how unevenly rows may be spaced. Scrapes jitter by less; a missing row does not.
_JITTER_MAX = 0.2


class Happening(Struct, frozen=True, kw_only=True):
    """Something at one instant: `kind` such as "deploy", "config", "probe"; `detail` for people."""

    at: Seconds
    kind: str
    detail: str = ""


class Signals(Struct, frozen=True, kw_only=True):
    """`values[T, N]`, one column per name; row i ends at `begin_s + i * step_s` (Unix time or a
    run's own). `time_s` is no column here: it is those two numbers."""

    names: tuple[str, ...]
    step_s: Seconds
    values: np.ndarray[Any, Any]
    begin_s: Seconds = 0.0
    events: tuple[Happening, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError where names, shape and step do not fit each other."""
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise ValueError(f"{len(self.names)} names for values of shape {self.values.shape}")
        if len(set(self.names)) != len(self.names) or TIME in self.names:
            raise ValueError(f"each signal once, and not {TIME}: {self.names}")
        if not self.step_s > 0:
            raise ValueError(f"a step of {self.step_s} s is none")

    @property
    def times_s(self) -> np.ndarray[Any, Any]:
        """When each row ends, [T]."""
        return self.begin_s + self.step_s * np.arange(len(self.values))

    @property
    def end_s(self) -> Seconds:
        """When the last row ends; the begin, where there is none."""
        return self.begin_s + self.step_s * max(len(self.values) - 1, 0)

    @property
    def loops(self) -> tuple[str, ...]:
        """Loops whose set-points are known, in the order of the columns."""
        ends = ".setpoint"
        return tuple(
            name.removeprefix("loop.").removesuffix(ends)
            for name in self.names
            if name.startswith("loop.") and name.endswith(ends)
        )

    def has(self, *names: str) -> bool:
        """Whether all of these signals are columns."""
        return set(names) <= set(self.names)

    def column(self, name: str) -> np.ndarray[Any, Any]:
        """One signal, [T]. Raises KeyError naming it where there is none."""
        if name == TIME:
            return self.times_s
        if name not in self.names:
            raise KeyError(f"no signal {name}; there are {', '.join(self.names)}")
        return self.values[:, self.names.index(name)]

    def between(self, begin_s: Seconds, end_s: Seconds) -> "Signals":
        """The rows that end in (begin_s, end_s], with the events of that time."""
        times = self.times_s
        first = int(np.searchsorted(times, begin_s, side="right"))
        last = int(np.searchsorted(times, end_s, side="right"))
        return Signals(
            names=self.names,
            step_s=self.step_s,
            values=self.values[first:last],
            begin_s=self.begin_s + first * self.step_s,
            events=tuple(one for one in self.events if begin_s < one.at <= end_s),
        )


def from_columns(columns: Mapping[str, Any], events: tuple[Happening, ...] = ()) -> Signals:
    """A table of columns, `time_s` among them, as Signals.

    Raises ValueError where `time_s` is absent, has fewer than two rows or an uneven step, or where
    a column has another length.
    """
    if TIME not in columns:
        raise ValueError(f"a signals table needs the column {TIME}")
    times = np.asarray(columns[TIME], dtype=float)
    if len(times) < 2:
        raise ValueError("a signals table needs at least two rows")
    gaps = np.diff(times)
    step_s = float(np.median(gaps))
    uneven = np.flatnonzero(~(np.abs(gaps - step_s) <= _JITTER_MAX * step_s))
    if len(uneven):
        row = int(uneven[0]) + 1
        raise ValueError(f"{TIME} leaps by {gaps[row - 1]:g} s in row {row}, not by {step_s:g} s")
    names = tuple(name for name in columns if name != TIME)
    short = [name for name in names if len(columns[name]) != len(times)]
    if short:
        raise ValueError(f"{short[0]} has {len(columns[short[0]])} rows, {TIME} has {len(times)}")
    values = np.empty((len(times), len(names)))
    for index, name in enumerate(names):
        values[:, index] = columns[name]
    return Signals(
        names=names, step_s=step_s, values=values, begin_s=float(times[0]), events=events
    )
