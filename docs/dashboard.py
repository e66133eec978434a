"""What does the Grafana dashboard show, in which order?

Panels are data here; `dashboards/flyball.json` is made from them by `generate.py`. Row titles ask
the question that the row answers.
"""

import json
from typing import Any, NamedTuple

COLUMNS = 24
HEIGHT = 8
RATE = "$__rate_interval"


class Query(NamedTuple):
    """One line (or family of lines) of a panel."""

    expr: str
    legend: str


class Panel(NamedTuple):
    """One chart; `unit` is Grafana's id of a unit."""

    title: str
    unit: str
    queries: tuple[Query, ...]
    about: str = ""


def _ratio(part: str, whole: str, by: str = "") -> str:
    return f"{_rate(part, by)} / {_rate(whole, by)}"


def _quantile(q: float, name: str, by: str) -> str:
    return f"histogram_quantile({q}, sum by (le, {by}) (rate({name}_bucket[{RATE}])))"


def _rate(name: str, by: str = "") -> str:
    group = f" by ({by})" if by else ""
    return f"sum{group} (rate({name}[{RATE}]))"


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Are promises kept?",
        (
            Panel(
                "Served in time",
                "percentunit",
                (
                    Query(
                        _ratio("flyball_requests_in_time_total", "flyball_requests_total", "class"),
                        "{{class}}",
                    ),
                ),
            ),
            Panel(
                "Requests by outcome",
                "reqps",
                (Query(_rate("flyball_requests_total", "outcome"), "{{outcome}}"),),
            ),
            Panel(
                "Refused, by code",
                "reqps",
                (
                    Query(
                        _rate('flyball_decisions_total{outcome="refused"}', "reason"),
                        "{{reason}}",
                    ),
                ),
            ),
            Panel(
                "First byte, p50 and p99",
                "s",
                (
                    Query(_quantile(0.5, "flyball_ttft_seconds", "class"), "{{class}} p50"),
                    Query(_quantile(0.99, "flyball_ttft_seconds", "class"), "{{class}} p99"),
                ),
            ),
            Panel(
                "Time per token, p50 and p99",
                "s",
                (
                    Query(_quantile(0.5, "flyball_tpot_seconds", "class"), "{{class}} p50"),
                    Query(_quantile(0.99, "flyball_tpot_seconds", "class"), "{{class}} p99"),
                ),
            ),
            Panel(
                "Whole answer, p99",
                "s",
                (Query(_quantile(0.99, "flyball_request_duration_seconds", "class"), "{{class}}"),),
            ),
        ),
    ),
    (
        "What is scarce, and what does it cost?",
        (
            Panel(
                "Price of GPU time",
                "currencyUSD",
                (Query("flyball_price_usd_per_gpu_second", "{{pool}}"),),
                "USD per GPU-second; 0 = not scarce.",
            ),
            Panel("Planned load", "percentunit", (Query("flyball_pool_load_ratio", "{{pool}}"),)),
            Panel(
                "Age of prices and gap of the plan",
                "s",
                (
                    Query("flyball_board_age_seconds", "age"),
                    Query("flyball_solver_gap_ratio", "gap (ratio)"),
                ),
            ),
            Panel(
                "Value served and money used",
                "currencyUSD",
                (
                    Query(f"3600 * {_rate('flyball_value_usd_total')}", "value per hour"),
                    Query(f"3600 * {_rate('flyball_cost_usd_total')}", "cost per hour"),
                ),
            ),
            Panel(
                "Power",
                "watt",
                (Query("flyball_power_watts", "{{pool}}"),),
                "By each profile's power curve at the running batch: an estimate.",
            ),
            Panel(
                "Energy per answer in time",
                "joule",
                (
                    Query(
                        _ratio("flyball_energy_joules_total", "flyball_requests_in_time_total"),
                        "J per answer",
                    ),
                ),
            ),
        ),
    ),
    (
        "Do loops amplify each other?",
        (
            Panel(
                "Retries per fresh request",
                "percentunit",
                (
                    Query(
                        _ratio("flyball_client_retries_total", "flyball_requests_total"),
                        "clients",
                    ),
                    Query(
                        _ratio("flyball_upstream_retries_total", "flyball_requests_total"),
                        "gateway",
                    ),
                ),
            ),
            Panel(
                "Prefix reuse",
                "percentunit",
                (
                    Query(
                        _ratio(
                            'flyball_tokens_total{kind="cached"}',
                            'flyball_tokens_total{kind="input"}',
                            "pool",
                        ),
                        "{{pool}}",
                    ),
                ),
                "Lost reuse is where context control does its damage.",
            ),
            Panel(
                "First byte: observed ÷ predicted",
                "none",
                (
                    Query(
                        _ratio(
                            "flyball_ttft_seconds_sum",
                            "flyball_ttft_predicted_seconds_total",
                            "pool",
                        ),
                        "{{pool}}",
                    ),
                ),
                "Off by more than 30 %, the prediction is not acted on.",
            ),
        ),
    ),
    (
        "Can the signals be believed?",
        (
            Panel(
                "Age of each endpoint's reading",
                "s",
                (Query("flyball_signal_age_seconds", "{{source}}"),),
            ),
            Panel(
                "Running and waiting",
                "none",
                (
                    Query("flyball_endpoint_running", "{{endpoint}} running"),
                    Query("flyball_endpoint_waiting", "{{endpoint}} waiting"),
                ),
            ),
            Panel(
                "KV cache in use",
                "percentunit",
                (Query("flyball_endpoint_kv_usage_ratio", "{{endpoint}}"),),
            ),
            Panel(
                "Circuits",
                "none",
                (Query("flyball_endpoint_circuit_state", "{{endpoint}}"),),
                "0 closed, 1 half open, 2 open.",
            ),
            Panel(
                "The gateway's own pauses, p99.9",
                "s",
                (Query(_quantile(0.999, "flyball_pause_seconds", "worker"), "worker {{worker}}"),),
            ),
            Panel(
                "Records",
                "none",
                (
                    Query(_rate("flyball_records_sealed_total"), "sealed per second"),
                    Query("flyball_ledger_available", "ledger available"),
                ),
            ),
        ),
    ),
)


def dashboard_text() -> str:
    """Grafana's JSON model (schemaVersion 39), with a choice of data source."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, charts in ROWS:
        panels.append(
            {
                "type": "row",
                "title": title,
                "id": len(panels) + 1,
                "collapsed": False,
                "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": top},
                "panels": [],
            }
        )
        top += 1
        for i, chart in enumerate(charts):
            place = {"h": HEIGHT, "w": 8, "x": 8 * (i % 3), "y": top + HEIGHT * (i // 3)}
            panels.append(_chart(chart, len(panels) + 1, place))
        top += HEIGHT * ((len(charts) + 2) // 3)
    source = {
        "name": "source",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
    }
    model = {
        "title": "Flyball",
        "uid": "flyball",
        "tags": ["inference"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [source]},
        "panels": panels,
    }
    return json.dumps(model, indent=1, ensure_ascii=False) + "\n"


def _chart(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${source}"}
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "id": number,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {
                "refId": chr(ord("A") + i),
                "datasource": source,
                "expr": query.expr,
                "legendFormat": query.legend,
            }
            for i, query in enumerate(panel.queries)
        ],
    }
