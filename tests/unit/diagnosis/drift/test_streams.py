"""Streams learn, keep quiet, and are named when they drift."""

import numpy as np
import pytest

from flyball.diagnosis.drift.streams import (
    Bank,
    Stream,
    Watch,
    feed_intent,
    feed_outcome,
    standard,
)
from support import records

WATCH = Watch(memory=6, slots=2, learning=600, run_length=2000.0)
MIX = Stream(name="pool", layer="control", parts=("a", "b", "c"))
MEAN = Stream(name="ttft", layer="inference", parts=("log",), is_mix=False)


def run(bank: Bank, rng: np.random.Generator, ticks: int, shares: list[float]) -> list:
    alarms = []
    for _ in range(ticks):
        bank.add("pool", rng.multinomial(60, shares), 60)
        bank.add("ttft", [rng.normal()])
        alarms.append(bank.tick())
    return [alarm for alarm in alarms if alarm]


def test_quiet_then_drift_is_named_with_its_numbers():
    rng = np.random.default_rng(8)
    bank = Bank([MIX, MEAN], WATCH)
    assert run(bank, rng, 900, [0.5, 0.3, 0.2]) == [], "seed 8"
    alarms = run(bank, rng, 60, [0.3, 0.3, 0.4])
    assert alarms, "seed 8"
    alarm = alarms[0]
    assert alarm.streams[0] == "pool"
    assert alarm.accepted[0][2] == pytest.approx(0.2, abs=0.02)
    assert alarm.recent[0][2] > 0.25
    assert alarm.evidence >= 2000.0


def test_silence_is_no_drift_and_wrong_numbers_are_silence():
    rng = np.random.default_rng(9)
    bank = Bank([MIX, MEAN], WATCH)
    run(bank, rng, 600, [0.5, 0.3, 0.2])
    for _ in range(300):
        bank.add("ttft", [float("nan")])
        bank.add("nobody", [1.0])
        bank.count("nobody", "a")
        assert bank.tick() is None
    assert all(evidence < 100.0 for _, evidence in bank.evidence())


def test_an_unlisted_part_counts_as_the_last():
    bank = Bank([MIX], WATCH)
    bank.count("pool", "elsewhere")
    ((stream, evidence),) = bank.evidence()
    assert stream.name == "pool" and evidence == 0.0
    assert bank._groups[0].sums.tolist() == [[0.0, 0.0, 1.0]]


@pytest.mark.parametrize(
    "streams",
    [[], [MIX, MIX], [Stream(name="x", layer="model", parts=("only",))]],
)
def test_streams_that_cannot_be_watched(streams: list[Stream]):
    with pytest.raises(ValueError):
        Bank(streams, WATCH)


def daily(bank: Bank, rng: np.random.Generator, ticks: range, more: float = 0.0) -> list:
    """A wave of 48 ticks on the latency, four times as high as its noise."""
    alarms = []
    for tick in ticks:
        bank.add("ttft", [4.0 * np.sin(2 * np.pi * tick / 48) + more + rng.normal()])
        alarms.append(bank.tick())
    return [alarm for alarm in alarms if alarm]


def test_a_daily_wave_is_learnt_and_a_shift_on_top_of_it_seen():
    evidence = {}
    for period in (0, 48):
        rng = np.random.default_rng(10)
        watch = Watch(memory=6, slots=2, learning=960, run_length=2000.0, period=period, block=6)
        bank = Bank([MEAN], watch)
        assert daily(bank, rng, range(1500)) == [], "seed 10"
        found = daily(bank, rng, range(1500, 1560), 0.9)
        evidence[period] = max([alarm.evidence for alarm in found], default=0.0)
    assert evidence[48] >= 2000.0 > evidence[0], "seed 10"


def test_a_learnt_course_leaves_the_residuals_as_wide_as_new_ones():
    """Noise that lasts a block: a new one differs from a mean of five by 1 + 1/5 of its variance.
    Without the scale the accepted ones would be narrower by a third."""
    rng = np.random.default_rng(12)
    bank = Bank([MEAN], Watch(memory=6, slots=2, learning=7200, period=1440, block=6))
    for tick in range(7200):
        if tick % 6 == 0:
            noise = rng.normal()
        bank.add("ttft", [noise])
        assert bank.tick() is None
    whitener = bank._groups[0]._conformal._accepted.whitener
    assert 1.0 / float(np.square(whitener).squeeze()) == pytest.approx(1.2, rel=0.1), "seed 12"


@pytest.mark.parametrize(
    "fields",
    [
        {"memory": 7},
        {"learning": 200},
        {"slots": 0},
        {"period": 100, "block": 60},
        {"period": 100, "block": 10},
        {"period": 240, "block": 60},
    ],
)
def test_a_watch_that_cannot_be(fields: dict):
    with pytest.raises(ValueError):
        Watch(**{"memory": 6, "slots": 2, "learning": 600} | fields)


def test_records_feed_the_standard_streams():
    bank = Bank(standard(("p",)), WATCH)
    intent, outcome = records.intent(), records.outcome(records.intent())
    feed_intent(bank, intent)
    feed_outcome(bank, intent, outcome)
    fed = {
        stream.name
        for group in bank._groups
        for stream, weight in zip(group.streams, group.weights, strict=True)
        if weight
    }
    assert {"control/pool", "control/attempt", "control/kept", "control/ending"} <= fed
