"""How is a scenario written down as data, and how does it become a recorded incident?

A scenario = a plant's settings, moves of them in time, what operators know (loops, changes) and
the truth. Load, moments and sizes vary with the seed, so that what is tuned on some seeds is
judged on others.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from msgspec import Struct

from flyball.diagnosis.signals import Signals
from flyball.sim.incidents import plant_runs
from flyball.sim.incidents.eventplant import EventPlant
from flyball.sim.incidents.folder import Applied, Incident
from flyball.sim.incidents.plant import COLUMNS, Plant
from flyball.sim.incidents.plant_laws import Laws
from flyball.sim.incidents.pool import Pool
from flyball.sim.incidents.pool import Settings as PoolSettings
from flyball.sim.incidents.truth import Form, Kind, Truth, harmed_at
from flyball.units import Ratio, Seconds

HOUR_S: Seconds = 3600.0
_STEP_S: Seconds = 10.0
# A run is cut so long after harm: nothing that is told later counts.
_AFTER_HARM_S: Seconds = 1800.0
_CHECK_ROWS = 180
_LOAD_SPREAD, _SIZE_SPREAD, _TIME_SPREAD = 0.01, 0.05, 0.2
LAWS: Mapping[str, Laws] = {
    "batching": Laws(),
    "saturating": Laws(queue="saturating"),
    "slots": Laws(queue="slots"),
    "leaving": Laws(leaving=0.2),
    "chill": Laws(chill=0.2),
    "bursty": Laws(burst=0.07),
    "events": Laws(),
}


class Move(Struct, frozen=True, kw_only=True):
    """At `at_h` hours a setting goes to `to`, over so long; with `lasts_s` it goes back after it,
    with `every_s` besides it does so again and again, with `wave_s` it swings by the share `to`."""

    at_h: float
    field: str
    to: Any
    over_s: Seconds = 0.0
    lasts_s: Seconds = 0.0
    every_s: Seconds = 0.0
    wave_s: Seconds = 0.0

    def value(self, at: Seconds, before: Any) -> Any:
        """The setting at a time, of which `before` was there when nothing had moved it."""
        since = at - self.at_h * HOUR_S
        if since < 0.0:
            return before
        if self.wave_s:
            return before * (1.0 + self.to * np.sin(2 * np.pi * since / self.wave_s))
        if self.every_s:
            since %= self.every_s
        if self.lasts_s and since >= self.lasts_s:
            return before
        if self.over_s:
            return before + (self.to - before) * min(since / self.over_s, 1.0)
        return self.to


class Scenario(Struct, frozen=True, kw_only=True):
    """`plant` = "pool" or one of LAWS; `began_h` = when it became unsafe. `changes` are applied
    with the move of the same hour. `told_gain` = the share of its true gain that a loop's
    configuration admits to (an unknown second loop has the rest)."""

    name: str
    title: str
    form: Form
    plant: str = "pool"
    settings: Mapping[str, Any] = {}
    moves: tuple[Move, ...] = ()
    wiring: Mapping[str, Any] = {}
    changes: tuple[tuple[float, Mapping[str, Any]], ...] = ()
    loops: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    began_h: float = 0.0
    hours: float = 10.0
    period_s: Seconds = 30.0
    told_gain: Mapping[str, Ratio] = {}


def recorded(scenario: Scenario, seed: int, half: Literal["tuning", "judging"]) -> Incident:
    """One copy of a scenario, as a folder holds it."""
    chance = np.random.default_rng([seed, *scenario.name.encode()])
    # In whole rows, so that a change's moment is one of the table.
    late_h = round(float(chance.uniform(0.0, _TIME_SPREAD)) * HOUR_S / _STEP_S) * _STEP_S / HOUR_S
    scale = float(chance.uniform(1 - _LOAD_SPREAD, 1 + _LOAD_SPREAD))
    moves = tuple(_varied(one, late_h, chance) for one in scenario.moves)
    play = _pool if scenario.plant == "pool" else _fleet
    signals = play(scenario, moves, scale, int(chance.integers(1 << 31)))
    is_neutral = scenario.form == "neutral"
    harm_s = None if is_neutral else harmed_at(signals)
    began_s = round((scenario.began_h + late_h) * HOUR_S) if scenario.began_h else 0.0
    if harm_s is not None:
        signals = signals.between(0.0, harm_s + _AFTER_HARM_S)
    return Incident(
        signals=signals,
        loops=dict(scenario.wiring),
        changes=tuple(
            Applied(at=round((at + late_h) * HOUR_S), change=dict(change))
            for at, change in scenario.changes
        ),
        truth=Truth(
            name=scenario.name,
            form=scenario.form,
            half=half,
            plant=scenario.plant,
            seed=seed,
            loops=scenario.loops,
            kinds=scenario.kinds,
            began_s=began_s if harm_s is None else min(began_s, harm_s),
            harm_s=harm_s,
            period_s=scenario.period_s,
            source=scenario.title,
        ),
    )


def _varied(move: Move, late_h: float, chance: np.random.Generator) -> Move:
    """Everything a little later, and triggers a little longer or shorter."""
    lasts_s = move.lasts_s * float(chance.uniform(1 - _SIZE_SPREAD, 1 + _SIZE_SPREAD))
    return Move(
        at_h=move.at_h + late_h,
        field=move.field,
        to=move.to,
        over_s=move.over_s,
        lasts_s=lasts_s,
        every_s=move.every_s,
        wave_s=move.wave_s,
    )


def _apply(settings: Any, first: Mapping[str, Any], moves: tuple[Move, ...], at: Seconds) -> None:
    now = dict(first)
    for move in moves:
        now[move.field] = move.value(at, now[move.field])
    for name in {move.field for move in moves}:
        setattr(settings, name, now[name])


def _pool(scenario: Scenario, moves: tuple[Move, ...], scale: float, seed: int) -> Signals:
    settings = PoolSettings(**scenario.settings)
    settings.load *= scale
    pool = Pool(settings, seed)
    first = {move.field: getattr(settings, move.field) for move in moves}
    for row in range(round(scenario.hours * HOUR_S / _STEP_S)):
        _apply(settings, first, moves, row * _STEP_S)
        pool.run(_STEP_S)
    return pool.table()


def _fleet(scenario: Scenario, moves: tuple[Move, ...], scale: float, seed: int) -> Signals:
    """The large plant, warmed up before the table begins; until half an hour after harm."""
    make = EventPlant if scenario.plant == "events" else Plant
    plant = make(LAWS[scenario.plant], 1, seed)
    for name, value in scenario.settings.items():
        setattr(plant.settings, name, value)
    plant.settings.load *= scale
    plant.run(plant_runs.WARM_S)
    first = {move.field: getattr(plant.settings, move.field) for move in moves}
    parts: list[Any] = []
    for row in range(round(scenario.hours * HOUR_S / _STEP_S)):
        _apply(plant.settings, first, moves, row * _STEP_S)
        parts.append(plant.run(round(_STEP_S)))
        if row % _CHECK_ROWS == 0 and scenario.form != "neutral" and _is_over(parts):
            break
    values = np.concatenate(parts)[:, :, 0]
    for loop, share in scenario.told_gain.items():
        values[:, COLUMNS.index(f"loop.{loop}.gain")] *= share
    return Signals(names=COLUMNS, step_s=_STEP_S, values=values, begin_s=_STEP_S)


def _is_over(parts: list[Any]) -> bool:
    """Whether harm is so long ago that nothing told now would count."""
    values = np.concatenate(parts)[:, :, 0]
    table = Signals(names=COLUMNS, step_s=_STEP_S, values=values, begin_s=_STEP_S)
    harm_s = harmed_at(table)
    return harm_s is not None and table.end_s > harm_s + _AFTER_HARM_S
