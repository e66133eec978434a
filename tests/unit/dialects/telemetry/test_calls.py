"""Do calls add up to the same signals, paths and streams in any order, in bounded memory?"""

import random
from collections import Counter

import numpy as np
import pytest

from flyball.diagnosis.drift.streams import Bank, Watch, standard
from flyball.diagnosis.stress import propensity
from flyball.dialects.telemetry import calls as module
from flyball.dialects.telemetry.calls import Calls, Minute, feed, length_of, samples
from flyball.dialects.telemetry.csvmap import Columns, TableShape
from flyball.dialects.telemetry.csvmap import calls as rows_as_calls
from flyball.dialects.traces.row import TraceError
from flyball.model.decision import Intent, Outcome

T0 = 1_800_000_000
HEADER = [
    "at", "pool", "e2e_s", "ttft_s", "attempt", "tokens_offered", "tokens_kept", "output_tokens",
    "outcome", "endpoint", "candidates",
]  # fmt: skip
SHAPE = TableShape(rows="calls", columns={name: name for name in HEADER})


def made(count: int, seed: int = 1, share: float = 0.75, over_s: float = 1200.0) -> list:
    print("seed", seed)
    chance = random.Random(seed)
    rows = []
    for i in range(count):
        pool = "fast" if chance.random() < share else "slow"
        good = chance.random() < (0.95 if pool == "fast" else 0.8)
        rows.append(
            [
                T0 + over_s * i / count, pool, 2.0, 0.2, 1 + (i % 10 == 0), 100, 80, 20,
                "served" if good else "failed", f"{pool}-1",
                f"fast-1={share} slow-1={1 - share}",
            ]
        )  # fmt: skip
    return rows


def pairs(rows: list) -> list[tuple[Intent, Outcome]]:
    return list(rows_as_calls(Columns(SHAPE, HEADER, "f"), enumerate(rows, 2)))


def added(rows: list, step_s: float = 10.0) -> Calls:
    found = Calls(step_s)
    for intent, outcome in pairs(rows):
        found.add(intent, outcome)
    return found


def test_signals_are_the_rates_shares_and_lengths_that_were_made() -> None:
    table = added(made(12_000)).signals("fast")
    whole = table.between(T0 + 10, T0 + 1190)
    means = {name: float(np.nanmean(whole.column(name))) for name in whole.names}
    assert means["plant.attempts_per_s"] == pytest.approx(10.0, rel=0.01)
    assert means["plant.retries_per_s"] == pytest.approx(1.0, rel=0.02)
    assert means["plant.fresh_per_s"] == pytest.approx(9.0, rel=0.01)
    assert means["loop.cost.setpoint"] == pytest.approx(0.8)
    assert means["loop.router.setpoint"] == pytest.approx(0.75, abs=0.02)
    assert means["fast.latency_s"] == means["plant.latency_s"] == pytest.approx(2.0)
    # Little's law, of those served.
    assert means["fast.queue"] == pytest.approx(7.5 * 0.95 * 2.0, rel=0.03)
    assert means["plant.spend_per_s"] == pytest.approx(1000.0, rel=0.02)


def test_order_does_not_matter() -> None:
    rows = made(2_000)
    mixed = rows[:]
    random.Random(3).shuffle(mixed)
    one, other = added(rows), added(mixed)
    assert one.run() == other.run()
    assert np.array_equal(one.signals().values, other.signals().values, equal_nan=True)
    counts = [Counter[tuple[str, str]](), Counter[tuple[str, str]]()]
    for total, run in zip(counts, (one, other), strict=True):
        for minute in run.minutes():
            total.update(minute.counts)
    assert counts[0] == counts[1]


def test_stretches_widen_and_keep_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STRETCHES_MAX", 4)
    found = added(made(500, over_s=7200.0))
    run = found.run()
    assert 2 <= len(run) <= 4 and sum(sum(slot.values()) for slot in run) == 500


def test_pools_beyond_the_most_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POOLS_MAX", 1)
    assert set(added(made(200)).pools) == {"fast", "other"}


def test_a_sample_of_routes_is_even_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUTES_KEPT", 2_000)
    found = added(made(20_000))
    assert len(found.routes) == 2_000
    when = np.array([intent.at for intent, _ in found.routes])
    assert when.mean() == pytest.approx(T0 + 600.0, abs=40.0)
    routes = propensity.routes_of(found.routes, found.backends, "fast", "slow")
    effect = propensity.effects(routes).doubly
    assert effect.low < -0.15 < effect.high


def test_times_too_far_apart_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MINUTES_MAX", 5)
    with pytest.raises(TraceError, match="calls of more than"):
        added(made(100))


def test_a_minute_feeds_the_bank() -> None:
    streams = standard(["fast", "slow"])
    parts = {one.name: one.parts for one in streams if one.is_mix}
    bank = Bank(streams, Watch(learning=600))
    minute = Minute()
    for pool, count in (("fast", 3), ("slow", 1), ("elsewhere", 2)):
        for _ in range(count):
            minute.count("control/pool", pool)
    minute.add("model/length", [4.0])
    minute.add("model/length", [2.0])
    feed(bank, minute, parts)
    sums = {
        stream.name: group.sums[row].tolist()
        for group in bank._groups
        for row, stream in enumerate(group.streams)
    }
    assert sums["control/pool"] == [3.0, 1.0, 2.0] and sums["model/length"] == [6.0]


def test_two_runs_as_layers() -> None:
    layers, one, other = samples(added(made(400)), added(made(300, share=0.25)))
    assert layers == ("control", "inference", "model")
    assert one.codes.shape == (400, 3) and other.codes.shape == (300, 3)
    assert one.codes[:, 0].mean() != pytest.approx(other.codes[:, 0].mean(), abs=0.2)


def test_lengths_are_told() -> None:
    assert (length_of(600.0), length_of(36_000.0)) == ("10 min", "10.0 h")
