"""Do the names follow the conventions, once each?"""

import re

import pytest

from flyball.serve.telemetry import names


@pytest.mark.parametrize("metric", names.METRICS.values(), ids=lambda metric: metric.name)
def test_prometheus_naming(metric: names.Metric) -> None:
    assert re.fullmatch(r"flyball_[a-z0-9_]+", metric.name)
    assert (metric.kind == "counter") == metric.name.endswith("_total")
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert tuple(sorted(metric.buckets)) == metric.buckets
    assert metric.about.endswith(".")
    for unit, word in (("s", "seconds"), ("J", "joules"), ("USD", "usd"), ("tokens", "tokens")):
        if metric.unit == unit:
            assert word in metric.name
    assert not re.search(r"_(ms|percent|kwh|millis)", metric.name)


def test_every_metric_constant_is_in_the_table() -> None:
    constants = [value for value in vars(names).values() if isinstance(value, names.Metric)]
    assert len(constants) == len(names.METRICS)


def test_attributes_are_the_convention_s_or_ours() -> None:
    for name in names.ATTRIBUTES:
        assert re.fullmatch(r"(gen_ai|flyball|server|http|error)\.[a-z0-9_.]+", name)


def test_operations() -> None:
    assert names.operation_name("completion") == "text_completion"
    assert names.operation_name("odd") == "odd"
