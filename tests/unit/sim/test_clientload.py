"""Do made requests keep each client's rate, burstiness and lengths, at any share of the load?"""

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.dialects.traces import servegen
from flyball.dialects.traces.servegen import Client, Lengths, Window
from flyball.serve.load import tracefile
from flyball.sim import clientload

TOKENS = Lengths(
    begin_s=0.0,
    input_tokens=(10, 20, 30, 40, 50, 60, 70, 80, 90, 100),
    output_tokens=(1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
)


def client(
    rates: list[float], cv: float = 1.0, pattern: str = "Gamma", number: int = 0, **more: object
) -> Client:
    shape = cv**-2 if pattern == "Gamma" else WEIBULL[cv]
    windows = [
        Window(begin_s=600.0 * i, rate=rate, cv=cv, pattern=pattern, shape=shape)
        for i, rate in enumerate(rates)
        if rate
    ]
    told = {"model": "m", "lengths": (TOKENS,), **more}
    return Client(number=number, windows=tuple(windows), **told)  # type: ignore[arg-type]


# Shapes of Weibull distributions with those coefficients of variation.
WEIBULL = {0.5: 2.1013491, 2.0: 0.54269256, 5.0: 0.31134073}


@pytest.mark.parametrize("pattern", ["Gamma", "Weibull"])
@pytest.mark.parametrize("cv", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("share", [1.0, 0.05])
def test_gaps_keep_their_variation_whatever_share_is_taken(
    pattern: str, cv: float, share: float
) -> None:
    seed = 11
    print("seed", seed)
    rows = list(clientload.rows([client([20.0 / share] * 20, cv, pattern)], share, seed))
    gaps = np.diff([row.at_s for row in rows])
    assert len(rows) == pytest.approx(20 * 600 * 20, rel=6 * cv / np.sqrt(20 * 600 * 20))
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.06)


@pytest.mark.parametrize("pattern", ["Gamma", "Weibull"])
def test_the_load_is_right_from_the_first_second(pattern: str) -> None:
    """An ordinary renewal process of CV 5 would bring 2.2 times as many calls at first."""
    print("seeds 0 to 3999")
    one = [client([0.01], 5.0, pattern)]
    counts = [len(list(clientload.rows(one, 1.0, seed))) for seed in range(4000)]
    error = np.std(counts) / np.sqrt(len(counts))
    assert np.mean(counts) == pytest.approx(6.0, abs=4 * error)
    assert error < 0.35


def test_the_rate_is_followed_window_by_window() -> None:
    rates = [1.0, 8.0, 0.0, 2.0]
    counts = np.zeros(4)
    for seed in range(30):
        rows = clientload.rows([client(rates, 1.2)], 0.5, seed)
        counts += np.bincount([int(row.at_s // 600) for row in rows], minlength=4)
    assert counts[2] == 0
    assert counts / 30 == pytest.approx(np.array(rates) * 300, rel=0.08)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.001, 2.0), min_size=1, max_size=5),
    st.floats(0.01, 800.0),
    st.floats(0.01, 1.0),
    st.integers(0, 2**32),
)
def test_rows_are_ordered_inside_the_windows_and_whole(
    rates: list[float], cv: float, share: float, seed: int
) -> None:
    both = [client(rates, cv), client(rates[:1], 1.0, number=1, lengths=())]
    rows = list(clientload.rows(both, share, seed))
    assert all(a.at_s <= b.at_s for a, b in pairwise(rows))
    assert all(0 <= row.at_s <= 600 * len(rates) for row in rows)
    assert all(10 <= row.input_tokens <= 100 and row.output_tokens == 1 for row in rows)
    assert {(row.model, row.class_name) for row in rows} <= {("m", "m")}
    assert rows == list(clientload.rows(both, share, seed))


def test_lengths_follow_their_quantiles_and_change_with_time() -> None:
    later = Lengths(begin_s=600.0, input_tokens=(7,) * 10, output_tokens=(3,) * 10)
    rows = list(clientload.rows([client([20.0, 20.0], lengths=(TOKENS, later))], 1.0, 3))
    first = np.array([row.input_tokens for row in rows if row.at_s < 600])
    assert np.quantile(first, [0.25, 0.5, 0.9]) == pytest.approx([40, 50, 70], abs=1)
    assert {row.input_tokens for row in rows if row.at_s >= 600} == {7}


def test_a_client_without_lengths_takes_those_of_the_nearest_load() -> None:
    def told(tokens: float) -> tuple[Lengths, ...]:
        return (Lengths(begin_s=0.0, input_tokens=(tokens,) * 10, output_tokens=(tokens,) * 10),)

    poor = client([5.0], number=0, lengths=())
    near = client([4.0], number=1, lengths=told(7))
    far = client([50.0], number=2, lengths=told(9))
    strange = client([5.0], number=3, lengths=told(11), model="other")
    rows = clientload.rows([poor, near, far, strange], 1.0, 1)
    assert {row.input_tokens for row in rows} == {7, 9, 11}
    assert {row.input_tokens for row in clientload.rows([poor, near], 1.0, 1)} == {7}


def test_one_client_s_chance_does_not_depend_on_the_others() -> None:
    one, two = client([2.0]), client([2.0], model="n")
    alone = [row.at_s for row in clientload.rows([one], 1.0, 5)]
    together = [row.at_s for row in clientload.rows([one, two], 1.0, 5) if row.model == "m"]
    assert alone == together


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, float("nan")])
def test_a_share_that_cannot_be_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share of the load"):
        next(clientload.rows([client([1.0])], share, 1))
    with pytest.raises(ValueError, match="no clients"):
        next(clientload.rows([], 1.0, 1))


def test_a_thousandth_of_two_published_weeks(real_data: Path) -> None:
    folder = real_data / "servegen_clients"
    tables = [folder / "arrivals.parquet", folder / "lengths.parquet"]
    texts = [part for file in tables for part in (tracefile.lines(file), file.name)]
    clients = servegen.read(*texts, ("m-large",))  # type: ignore[arg-type]
    seed = 2
    print("seed", seed)
    rows = list(clientload.rows(clients, 0.001, seed))
    with (folder / "total_rate_10min.csv").open() as file:
        told = csv.DictReader(file)
        published = [float(row["total_rate_rps"]) for row in told if row["model"] == "m-large"]
    assert len(rows) == pytest.approx(sum(published) * 0.6, rel=0.03)
    days = np.bincount([int(row.at_s // 86_400) for row in rows], minlength=14)
    wanted = np.array(published[: 14 * 144]).reshape(14, 144).sum(1) * 0.6
    assert np.corrcoef(days, wanted)[0, 1] > 0.9
    gaps = np.diff([row.at_s for row in rows])
    assert gaps.std() / gaps.mean() > 1.3  # Poisson at these rates: see the next line
    shuffled = np.random.default_rng(seed).random(len(rows))
    times = np.interp(shuffled * sum(published), np.cumsum([0, *published]), np.arange(2017) * 600)
    poisson = np.diff(np.sort(times))
    assert poisson.std() / poisson.mean() < 1.3
