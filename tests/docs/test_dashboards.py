"""Does every expression of the dashboard and the alerts name only metrics and labels we have?"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flyball.serve.telemetry import names

FOLDER = Path(__file__).parents[2] / "dashboards"
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
