"""Does every expression of the dashboard and the alerts name only metrics and labels we have?"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import promql_parser as promql
import pytest
from ruamel.yaml import YAML

from flyball.serve.telemetry import names

FOLDER = Path(__file__).parents[2] / "dashboards"
RATES = ("rate", "increase")
SUFFIXES = ("_bucket", "_sum", "_count")


def dashboard() -> list[tuple[str, str, str]]:
    model = json.loads((FOLDER / "flyball.json").read_text())
    return [
        (panel["title"], target["expr"], target["legendFormat"])
        for panel in model["panels"]
        for target in panel.get("targets", [])
    ]


def alerts() -> list[tuple[str, str, str]]:
    rules = YAML(typ="safe").load((FOLDER / "alerts.yaml").read_text())
    return [
        (rule["alert"], rule["expr"], " ".join(rule["annotations"].values()))
        for group in rules["groups"]
        for rule in group["rules"]
    ]


EXPRESSIONS = dashboard() + alerts()


def metrics_in(expr: str) -> Iterator[names.Metric]:
    """The metrics that an expression names; KeyError for one that does not exist."""
    for name in re.findall(r"\bflyball_[a-z0-9_]+", expr):
        base = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
        metric = names.METRICS.get(name) or names.METRICS[base]
        assert (metric.kind == "histogram") == (name != metric.name), name
        yield metric


@pytest.mark.parametrize(("title", "expr", "text"), EXPRESSIONS, ids=[e[0] for e in EXPRESSIONS])
def test_an_expression_uses_what_exists(title: str, expr: str, text: str) -> None:
    metrics = list(metrics_in(expr))
    assert metrics, title
    labels = set.union(*(set(metric.labels) for metric in metrics)) | {"le"}
    used = set(re.findall(r"[{,]\s*([a-z_]+)\s*(?:=~?|!=|!~)\s*\"", expr))
    for group in re.findall(r"\bby \(([^)]*)\)", expr):
        used |= {name.strip() for name in group.split(",")}
    used |= set(re.findall(r"\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}", text))
    assert used <= labels, f"{title}: {used - labels}"
    for left, right in ("()", "[]", "{}"):
        assert expr.count(left) == expr.count(right)


@pytest.mark.parametrize(("title", "expr", "text"), EXPRESSIONS, ids=[e[0] for e in EXPRESSIONS])
def test_counters_are_read_as_rates(title: str, expr: str, text: str) -> None:
    del text
    for metric in metrics_in(expr):
        if metric.kind != "gauge":
            pattern = rf"(rate|increase)\({metric.name}[a-z_]*(\{{[^}}]*\}})?\["
            assert re.search(pattern, expr), f"{title}: {metric.name}"


def labels_of(expr: promql.Expr, is_rate: bool = False) -> frozenset[str] | None:
    """The labels that the series of a parsed expression carry, None for a number; asserts that
    every metric and label it names exists, and that counters are looked at through a rate."""
    match expr:
        case promql.NumberLiteral():
            return None
        case promql.ParenExpr():
            return labels_of(expr.expr, is_rate)
        case promql.MatrixSelector():
            return labels_of(expr.vector_selector, is_rate)
        case promql.VectorSelector():
            (metric,) = metrics_in(str(expr.name))
            assert (metric.kind == "gauge") != is_rate, f"{expr.name}: rates are for counters"
            labels = {*metric.labels} | ({"le"} if str(expr.name).endswith("_bucket") else set())
            matched = {matcher.name for matcher in expr.matchers.matchers}
            assert matched <= labels, f"{expr.name}: {matched - labels}"
            return frozenset(labels)
        case promql.Call():
            *_, last = [labels_of(each, expr.func.name in RATES) for each in expr.args]
            if expr.func.name == "histogram_quantile":
                assert last is not None and "le" in last, "a quantile needs the buckets"
                return last - {"le"}
            return last
        case promql.AggregateExpr():
            inner = labels_of(expr.expr)
            assert inner is not None
            if expr.modifier is None:
                return frozenset()
            assert expr.modifier.type == promql.AggModifierType.By
            by = frozenset(expr.modifier.labels)
            assert by <= inner, f"grouped by {by - inner}, which no series has"
            return by
        case promql.BinaryExpr():
            left, right = labels_of(expr.lhs), labels_of(expr.rhs)
            if left is None or right is None:
                return right if left is None else left
            assert left == right, f"nothing matches: {set(left)} beside {set(right)}"
            return left
    raise AssertionError(f"{type(expr).__name__}: say here what labels it has")


@pytest.mark.parametrize(("title", "expr", "text"), EXPRESSIONS, ids=[e[0] for e in EXPRESSIONS])
def test_an_expression_is_promql_and_its_series_have_the_labels_that_are_shown(
    title: str, expr: str, text: str
) -> None:
    found = labels_of(promql.parse(expr.replace("$__rate_interval", "5m")))
    assert found is not None, title
    shown = set(re.findall(r"\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}", text))
    assert shown <= found, f"{title}: {shown - found}"


@pytest.mark.parametrize(
    "bad",
    [
        "sum by class) (rate(flyball_requests_total[5m]))",
        "rate(flyball_requests_total)",
        "flyball_requests_total",
        "sum by (colour) (rate(flyball_requests_total[5m]))",
        'rate(flyball_requests_total{colour="red"}[5m])',
        "histogram_quantile(0.9, sum by (class) (rate(flyball_ttft_seconds_bucket[5m])))",
        "flyball_power_watts / flyball_ledger_available",
        "flyball_no_such_thing",
    ],
)
def test_a_bad_expression_is_seen(bad: str) -> None:
    with pytest.raises((ValueError, AssertionError, KeyError)):
        labels_of(promql.parse(bad))


def test_panels_do_not_overlap() -> None:
    places: set[tuple[int, int]] = set()
    for panel in json.loads((FOLDER / "flyball.json").read_text())["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & places
        places |= cells


def test_alerts_say_what_to_do() -> None:
    rules = YAML(typ="safe").load((FOLDER / "alerts.yaml").read_text())["groups"][0]["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert set(rule["annotations"]) == {"summary", "action"}
        assert rule["labels"]["severity"] in ("warning", "critical")
