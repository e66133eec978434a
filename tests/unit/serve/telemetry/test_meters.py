"""Are series counted right, bounded, and readable by Prometheus' own parser?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from flyball.serve.telemetry import names
from flyball.serve.telemetry.meters import LABEL_CHARS_MAX, Buckets, LabelCap, Meters


def test_the_page_is_read_back_by_the_parser() -> None:
    meters = Meters(names.METRICS.values())
    meters.cell(names.NOTICES, "error", 'quo"te\n\\').value += 2
    meters.cell(names.SOLVER_GAP).value = 0.5
    meters.buckets(names.PERIOD_TIME).observe(0.02)
    families = {f.name: f for f in text_string_to_metric_families(meters.render().decode())}
    assert set(families) == {
        "flyball_notices",
        "flyball_solver_gap_ratio",
        "flyball_period_duration_seconds",
    }
    (sample,) = families["flyball_notices"].samples
    assert sample.labels == {"level": "error", "code": 'quo"te\n\\'}
    assert sample.value == 2
    sums = {s.name: s.value for s in families["flyball_period_duration_seconds"].samples}
    assert sums["flyball_period_duration_seconds_count"] == 1
    assert sums["flyball_period_duration_seconds_sum"] == pytest.approx(0.02)


@given(st.lists(st.floats(0, 20, allow_nan=False)))
def test_a_histogram_counts_each_value_once(values: list[float]) -> None:
    found = Buckets(names.PERIOD_TIME, ())
    for value in values:
        found.observe(value)
    page = dict(line.rsplit(" ", 1) for line in found.lines())
    for bound in names.PERIOD_TIME.buckets:
        number = float(page[f'flyball_period_duration_seconds_bucket{{le="{bound}"}}'])
        assert number == sum(value <= bound for value in values)
    assert float(page["flyball_period_duration_seconds_count"]) == len(values)
    assert float(page["flyball_period_duration_seconds_sum"]) == pytest.approx(sum(values))


TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
NUMBERS = st.floats()


def samples(page: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], str]:
    """Every sample of a page; values as text, so that NaN equals NaN."""
    return {
        (sample.name, frozenset(sample.labels.items())): str(float(sample.value))
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@given(TEXTS, TEXTS, NUMBERS, st.lists(st.floats(0, 100, allow_nan=False), max_size=5))
def test_the_page_reads_as_one_by_prometheus_client(
    level: str, code: str, number: float, values: list[float]
) -> None:
    meters = Meters([names.NOTICES, names.SOLVER_GAP, names.HELD])
    registry = CollectorRegistry()
    counter, gauge, times = (
        kind(metric.name, metric.about, metric.labels, registry=registry, **more)
        for kind, metric, more in (
            (Counter, names.NOTICES, {}),
            (Gauge, names.SOLVER_GAP, {}),
            (Histogram, names.HELD, {"buckets": names.HELD.buckets}),
        )
    )
    meters.cell(names.NOTICES, level, code).value += 3
    counter.labels(level, code).inc(3)
    meters.cell(names.SOLVER_GAP).value = number
    gauge.set(number)
    for value in values:
        meters.buckets(names.HELD, "talk").observe(value)
        times.labels("talk").observe(value)
    assert samples(meters.render()) == samples(generate_latest(registry))


def test_labels_that_clients_choose_are_bounded() -> None:
    cap = LabelCap(values_max=2)
    cap.name(["mine"])
    assert [cap.of(v) for v in ("a", "b", "c", "a", "mine")] == ["a", "b", "other", "a", "mine"]
    assert len(LabelCap().of("x" * 1000)) == LABEL_CHARS_MAX


def test_cells_are_shared_and_cleared() -> None:
    meters = Meters([names.BUDGET_PRICE])
    assert meters.cell(names.BUDGET_PRICE, "a") is meters.cell(names.BUDGET_PRICE, "a")
    meters.cell(names.BUDGET_PRICE, "a").value = 1
    assert b'budget="a"' in meters.render()
    meters.clear(names.BUDGET_PRICE)
    assert b'budget="a"' not in meters.render()


def test_wrong_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="has the labels"):
        Meters([names.TOKENS]).cell(names.TOKENS, "only-one")
