"""Which ramps lead the test plant off its cliff, which look alike and do not, and when is harm?

S1-S4 move one setting over six hours, then hold it; the quiet ones last ten hours and stay
healthy. Harm = more than 2 % of finished tasks bad over ten minutes. The truth of a ramp names the
loops that make the instability, the one to act on first.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct, structs

from flyball.diagnosis.signals import Signals
from flyball.sim.incidents.plant import COLUMNS, Plant, Settings
from flyball.sim.incidents.plant_laws import Laws
from flyball.units import Seconds

Array = np.ndarray[Any, Any]

WARM_S = 1800
RAMP_S = 6 * 3600
HOLD_S = 4 * 3600
HARM_RATIO = 0.02
_HARM_S = 600
_STEP_S = 10
# Of a wave and of the steps of load that a healthy fleet must bear.
_WAVE, _WAVE_S, _STEP_LOAD, _STEP_EVERY_S = 0.06, 8 * 3600.0, 0.05, 2 * 3600.0

# (settings, seconds since the ramp's begin) -> None: moves the settings.
Course = Callable[[Settings, Seconds], None]


class Ramp(Struct, frozen=True, kw_only=True):
    """One setting from its nominal value to `to`; `loops` = whose instability it brings."""

    setting: str
    start: float
    to: float
    loops: tuple[str, ...]
    kind: str


RAMPS: Mapping[str, Ramp] = {
    "S1": Ramp(setting="budget", start=38.0, to=31.5, loops=("cost", "retry"), kind="fold"),
    "S2": Ramp(setting="router_gain", start=0.01, to=0.10, loops=("router",), kind="oscillatory"),
    "S3": Ramp(
        setting="autoscaler_gain", start=0.35, to=2.6, loops=("autoscaler",), kind="oscillatory"
    ),
    "S4": Ramp(setting="load", start=40.0, to=48.5, loops=("cost", "retry"), kind="fold"),
}


class Run(Struct, frozen=True, kw_only=True):
    """One copy of a run: its signals, when its ramp began, and when users were harmed (None =
    never), both in the table's time."""

    signals: Signals
    began_s: Seconds
    harm_s: Seconds | None


def _still(_: Settings, __: Seconds) -> None:
    """Nothing moves."""


def _wave(settings: Settings, at: Seconds) -> None:
    settings.load = 40.0 * (1.0 + _WAVE * np.sin(2 * np.pi * at / _WAVE_S))


def _steps(settings: Settings, at: Seconds) -> None:
    settings.load = 40.0 * (1.0 + _STEP_LOAD * (int(at // _STEP_EVERY_S) % 2))


def _tokens(settings: Settings, at: Seconds) -> None:
    settings.tokens = 1.0 + 0.03 * min(at / RAMP_S, 1.0)


def _failures(settings: Settings, at: Seconds) -> None:
    settings.fail_more = 0.025 * min(at / RAMP_S, 1.0)


QUIET: Mapping[str, tuple[Course, float]] = {
    "still": (_still, 0.02),
    "wave": (_wave, 0.02),
    "bursty": (_still, 0.07),
    "steps": (_steps, 0.02),
    "tokens": (_tokens, 0.02),
    "failures": (_failures, 0.02),
}


def ramp_course(ramp: Ramp) -> Course:
    """A ramp as a course."""

    def move(settings: Settings, at: Seconds) -> None:
        share = min(at / RAMP_S, 1.0)
        setattr(settings, ramp.setting, ramp.start + (ramp.to - ramp.start) * share)

    return move


def ramp(name: str, copies: int, seed: int, laws: Laws | None = None) -> list[Run]:
    """Copies of S1..S4 on a plant, ten hours and a warm-up each. Raises KeyError for no ramp."""
    return run(ramp_course(RAMPS[name]), laws or Laws(), copies, seed, RAMP_S + HOLD_S)


def quiet(name: str, copies: int, seed: int, laws: Laws | None = None) -> list[Run]:
    """Copies of a quiet course, ten hours and a warm-up each. Raises KeyError for none."""
    course, burst = QUIET[name]
    # A burst is the plant's own, so that the same course is bursty on every plant.
    noisy = structs.replace(laws or Laws(), burst=burst)
    return run(course, noisy, copies, seed, RAMP_S + HOLD_S)


def run(course: Course, laws: Laws, copies: int, seed: int, seconds: int) -> list[Run]:
    """The plant under a course: copies of one seeded stream, side by side."""
    plant = Plant(laws, copies, seed)
    rows = [plant.run(WARM_S)]
    for at in range(0, seconds, _STEP_S):
        course(plant.settings, float(at))
        rows.append(plant.run(_STEP_S))
    table = np.concatenate(rows)
    return [
        Run(
            signals=Signals(
                names=COLUMNS, step_s=float(_STEP_S), values=table[:, :, k], begin_s=float(_STEP_S)
            ),
            began_s=float(WARM_S),
            harm_s=harmed_at(table[:, :, k]),
        )
        for k in range(copies)
    ]


def harmed_at(values: Array) -> Seconds | None:
    """When harm is first complete: the end of the first ten minutes with too many bad tasks."""
    width = _HARM_S // _STEP_S
    bad = np.cumsum(values[:, COLUMNS.index("plant.bad_per_s")])
    finished = np.cumsum(values[:, COLUMNS.index("plant.finished_per_s")])
    over = (bad[width:] - bad[:-width]) > HARM_RATIO * (finished[width:] - finished[:-width])
    return float((int(over.argmax()) + width + 1) * _STEP_S) if over.any() else None
