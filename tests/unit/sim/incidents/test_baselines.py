"""Does each usual detector stay calm on a calm table and alarm on what it is for?"""

import numpy as np
import pytest

from flyball.diagnosis.signals import Signals
from flyball.sim.incidents import baselines
from flyball.sim.incidents.baselines import BASELINES

SEED = 79
HOURS = 8


def table(latency: np.ndarray, bad: np.ndarray, retries: np.ndarray) -> Signals:
    chance = np.random.default_rng(SEED)
    share = 0.5 + 0.01 * chance.normal(size=len(latency))
    # The set-point moves latency one minute later.
    moved = latency + np.concatenate([np.zeros(6), share[:-6] - 0.5]) * (latency > 5.6) * 40
    columns = {
        "plant.latency_s": moved,
        "plant.bad_per_s": bad,
        "plant.finished_per_s": np.full(len(latency), 40.0),
        "plant.retries_per_s": retries,
        "plant.attempts_per_s": np.full(len(latency), 42.0),
        "loop.router.setpoint": share,
    }
    return Signals(
        names=tuple(columns),
        step_s=10.0,
        values=np.stack(list(columns.values()), axis=1),
        begin_s=10.0,
    )


def course(is_bad: bool) -> Signals:
    chance = np.random.default_rng(SEED)
    count = HOURS * 360
    late = is_bad * np.clip(np.arange(count) - count / 2, 0, None) / count
    slow = np.convolve(chance.normal(size=count), np.ones(60) / 60, mode="same")
    noise = (1 + 20 * late) * (0.1 * chance.normal(size=count) + 20 * late * slow)
    latency = 5.0 + noise + 8 * late
    return table(latency, 40 * (0.001 + late), 2 + 40 * late)


CALM, BAD = course(is_bad=False), course(is_bad=True)


@pytest.mark.parametrize("name", BASELINES)
def test_a_statistic_a_minute(name: str) -> None:
    assert len(BASELINES[name].statistic(CALM)) == HOURS * 60


@pytest.mark.parametrize("name", [one for one in BASELINES if one != "kendall"])
def test_it_alarms_on_what_worsens_and_not_on_calm(name: str) -> None:
    limit = float(np.nanmax(BASELINES[name].statistic(CALM))) * 1.2
    limit = BASELINES[name].threshold if BASELINES[name].is_given else limit
    assert baselines.told(name, CALM, limit) == ()
    told = baselines.told(name, BAD, limit)
    assert told
    assert told[0].at > HOURS * 1800.0


def of_minutes(**columns: np.ndarray) -> Signals:
    """A table of minutes; two underlines stand for a dot."""
    return Signals(
        names=tuple(name.replace("__", ".") for name in columns),
        step_s=60.0,
        values=np.stack(list(columns.values()), axis=1),
        begin_s=60.0,
    )


def test_kendall_sees_a_trend_of_autocorrelation() -> None:
    chance = np.random.default_rng(SEED)
    values = np.zeros(600)
    for minute in range(1, 600):
        held = 0.0 if minute < 300 else min((minute - 300) / 200, 0.98)
        values[minute] = held * values[minute - 1] + chance.normal()
    taus = baselines.kendall(of_minutes(plant__latency_s=values))
    assert np.nanmax(taus[330:]) > 0.85
    assert np.nanmax(np.abs(taus)) <= 1.0


def test_granger_names_the_loop_that_moves_latency() -> None:
    chance = np.random.default_rng(SEED)
    router, power = chance.normal(size=(2, 300))
    latency = 5.0 + np.concatenate([[0.0], router[:-1]]) + 0.5 * chance.normal(size=300)
    table = of_minutes(
        plant__latency_s=latency, loop__power__setpoint=power, loop__router__setpoint=router
    )
    assert baselines.told("granger", table, 20.0)[0].loops == ("router", "power")


def test_an_alarm_is_told_once_until_it_was_gone_for_an_hour() -> None:
    values = np.zeros(400)
    values[100:120] = values[150:160] = values[300:310] = 2.0
    values[200] = 2.0  # too short
    assert baselines.begins(values, 1.0) == [102, 302]


def test_gaps_never_alarm() -> None:
    assert baselines.begins(np.full(50, np.nan), 0.0) == []


def test_means_over_the_last_minutes() -> None:
    np.testing.assert_allclose(baselines.trailing(np.arange(4.0), 2), [0.0, 0.5, 1.5, 2.5])


def test_a_missing_signal_is_named() -> None:
    with pytest.raises(KeyError, match=r"plant\.bad_per_s"):
        baselines.told("burn-rate", _without_bad())


def _without_bad() -> Signals:
    return Signals(names=("x",), step_s=10.0, values=np.zeros((100, 1)))
