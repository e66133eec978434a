"""Does a scaled trace keep its character: burstiness, order, whole sessions?"""

import random

import numpy as np
import pytest

from flyball.dialects.traces import scale
from flyball.dialects.traces.row import TraceRow

SEED = 20_261_120


def _rows(count: int = 400, sessions: int = 0) -> list[TraceRow]:
    print("seed", SEED)
    rng = random.Random(SEED)
    at_s, rows = 0.0, []
    for number in range(count):
        session = f"s{number % sessions}" if sessions else ""
        rows.append(TraceRow(at_s=at_s, input_tokens=2, output_tokens=3, session=session))
        at_s += rng.expovariate(1.0) ** 2
    return rows


def _cv(rows: list[TraceRow]) -> float:
    gaps = np.diff([row.at_s for row in rows])
    return float(gaps.std() / gaps.mean())


def test_compression_keeps_the_burstiness() -> None:
    rows = _rows()
    fast = list(scale.faster(rows, 10.0))
    assert fast[-1].at_s == pytest.approx(rows[-1].at_s / 10)
    assert _cv(fast) == pytest.approx(_cv(rows))


def test_rate_target_is_met() -> None:
    rows = _rows()
    fast = list(scale.faster(rows, scale.speed_for_rate(scale.extent(rows), 50.0)))
    assert scale.extent(fast).rate_rps == pytest.approx(50.0)


def test_rate_of_one_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="two or more times"):
        scale.speed_for_rate(scale.extent(_rows(1)), 5.0)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_speed_must_be_positive(speed: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        scale.faster([], speed)


def test_thinning_keeps_whole_sessions() -> None:
    rows = _rows(4000, sessions=400)
    kept = list(scale.thinned(rows, 0.3, seed=1))
    counts = {name: sum(row.session == name for row in kept) for name in {r.session for r in kept}}
    assert set(counts.values()) == {10}
    assert 80 < len(counts) < 160
    assert kept == list(scale.thinned(rows, 0.3, seed=1)) != list(scale.thinned(rows, 0.3, seed=2))


def test_thinning_without_sessions_and_bounds() -> None:
    assert 120 < sum(1 for _ in scale.thinned(_rows(), 0.4)) < 200
    assert sum(1 for _ in scale.thinned(_rows(), 1.0)) == 400
    for keep in (0.0, 1.5):
        with pytest.raises(ValueError, match="share to keep"):
            next(scale.thinned(_rows(), keep))


def test_head_tail_window() -> None:
    rows = [TraceRow(at_s=float(i), input_tokens=1, output_tokens=1) for i in range(10)]
    assert [row.at_s for row in scale.head(rows, 2)] == [0.0, 1.0]
    assert [row.at_s for row in scale.tail(rows, 3)] == [0.0, 1.0, 2.0]
    assert [row.at_s for row in scale.window(rows, 4.0, 6.0)] == [0.0, 1.0]
    assert scale.extent(rows) == scale.Extent(
        rows=10, duration_s=9.0, input_tokens=10, output_tokens=10
    )
