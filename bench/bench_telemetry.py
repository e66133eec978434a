"""What do metrics and spans cost per request, and how long does a page or a check of a file take?

Rival: the same counters and histograms kept with prometheus_client's own classes, in the same run.
"""

import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram

import report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from flyball.model.decision import Intent, Outcome
from flyball.model.signals import EngineSample, Settled
from flyball.serve.config import load
from flyball.serve.telemetry.prometheus import Telemetry, names
from support import records

ROOT = Path(__file__).parents[1]
BATCH = 2000
ROUNDS = 9
EXAMPLE = ROOT / "examples" / "fleet.yaml"


def timed(one: Callable[[], object], number: int) -> tuple[float, float]:
    """Median and spread (half the range between quartiles) of µs per item."""
    took = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        one()
        took.append((time.process_time() - begun) / number * 1e6)
    low, middle, high = statistics.quantiles(took, n=4)
    return middle, (high - low) / 2


def settled() -> tuple[Settled, ...]:
    """Answers over the example's endpoints and classes, one in twenty refused."""
    return tuple(
        records.settled(
            at=float(i),
            class_name=("interactive", "control", "batch")[i % 3],
            model="llama-3.1-8b",
            endpoint=i % 4,
            outcome="refused" if i % 20 == 0 else "served",
            is_retry=False,
            prompt_bytes=1500,
            input_tokens=400,
            cached_tokens=128,
            output_tokens=60,
            ttft_s=0.1 + i % 7 / 50,
            e2e_s=1.0 + i % 11 / 10,
            ttft_s_predicted=0.12,
            tpot_s_predicted=0.02,
            in_time=i % 9 > 0,
            code="queue_full" if i % 20 == 0 else "",
            value_usd=0.01,
            cost_usd=0.0001,
        )
        for i in range(BATCH)
    )


def rival(batch: tuple[Settled, ...]) -> Callable[[], None]:
    """prometheus_client, used as its documentation shows: labels() at each update."""
    registry = CollectorRegistry()

    def counter(metric: names.Metric) -> Counter:
        return Counter(metric.name, metric.about, metric.labels, registry=registry)

    def histogram(metric: names.Metric) -> Histogram:
        return Histogram(
            metric.name, metric.about, metric.labels, registry=registry, buckets=metric.buckets
        )

    requests, tokens, cost = map(counter, (names.REQUESTS, names.TOKENS, names.COST))
    times = [histogram(metric) for metric in (names.TTFT, names.TPOT, names.E2E)]

    def run() -> None:
        for one in batch:
            pool = str(one.endpoint)
            requests.labels(one.class_name, one.model, pool, one.outcome).inc()
            cost.labels(one.class_name, pool).inc(one.cost_usd)
            if one.outcome == "refused":
                continue
            tokens.labels(pool, "input").inc(one.input_tokens)
            tokens.labels(pool, "cached").inc(one.cached_tokens)
            tokens.labels(pool, "output").inc(one.output_tokens)
            for series, value in zip(times, (one.ttft_s, 0.02, one.e2e_s), strict=True):
                series.labels(one.class_name, pool).observe(value)

    return run


class Sink(BaseHTTPRequestHandler):
    """A collector that takes all and keeps nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        del format, args


def spans(sample_ratio: float) -> tuple[float, float]:
    """CPU of building and queueing one request's span, the exporter's thread included."""
    server = HTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["FLYBALL__TELEMETRY__SAMPLE_RATIO"] = str(sample_ratio)
    address = f"http://127.0.0.1:{server.server_port}"
    telemetry = Telemetry(load(EXAMPLE), env={"OTEL_EXPORTER_OTLP_ENDPOINT": address})
    intent, outcome = both()
    pairs = [
        (msgspec.structs.replace(intent, id=f"r{i}"), msgspec.structs.replace(outcome, id=f"r{i}"))
        for i in range(BATCH)
    ]

    def run() -> None:
        for before, after in pairs:
            telemetry.recorded(before)
            telemetry.recorded(after)

    found = timed(run, BATCH)
    telemetry.close()
    server.shutdown()
    return found


def both() -> tuple[Intent, Outcome]:
    """The two records of one request, plain."""
    intent = records.intent(
        at=1.0, class_name="batch", session="s", session_source="header", tokens_offered=400,
        tokens_kept=400, endpoint="edge-l4-0", pool="edge-l4", candidates=(), candidates_count=4,
        board_version=1,
    )  # fmt: skip
    outcome = records.outcome(
        intent, at=2.0, input_tokens=400, cached_tokens=0, output_tokens=60, ttft_s=0.2, e2e_s=1.0
    )
    return intent, outcome


def wide() -> Telemetry:
    """The meters of a larger fleet, every series in use."""
    config = load(EXAMPLE)
    fleet = config.fleet
    pools = [msgspec.structs.replace(fleet.pools[0], name=f"pool-{i}") for i in range(8)]
    endpoints = [
        msgspec.structs.replace(fleet.endpoints[0], name=f"e-{i}", pool=f"pool-{i % 8}")
        for i in range(64)
    ]
    fleet = msgspec.structs.replace(fleet, pools=tuple(pools), endpoints=tuple(endpoints))
    telemetry = Telemetry(msgspec.structs.replace(config, fleet=fleet), env={})
    one = settled()[1]
    for i in range(64 * 8):
        name = f"class-{i // 64}"
        telemetry.settled([msgspec.structs.replace(one, class_name=name, endpoint=i % 64)])
    for i in range(64):
        telemetry.sampled(i, EngineSample(running=3, waiting=1, kv_usage=0.4), 1.0)
    return telemetry


def main() -> int:
    """Measure, print, write."""
    batch = settled()
    telemetry = Telemetry(load(EXAMPLE), env={})
    ours, ours_spread = timed(lambda: telemetry.settled(batch), BATCH)
    theirs, theirs_spread = timed(rival(batch), BATCH)
    page, page_spread = timed(wide().render, 1)
    check, check_spread = timed(lambda: load(EXAMPLE), 1)
    rows = [
        row("metrics per request", ours, "µs", ours_spread, ratio=theirs / ours,
            rival="prometheus_client"),
        row("metrics per request, prometheus_client", theirs, "µs", theirs_spread),
        row("page of metrics, 64 endpoints, 8 classes", page / 1e3, "ms", page_spread / 1e3),
        row("load and check of the example", check / 1e3, "ms", check_spread / 1e3),
    ]  # fmt: skip
    for ratio in (1.0, 0.01):
        cost, spread = spans(ratio)
        rows.append(row(f"span per request, sample_ratio {ratio}", cost, "µs", spread))
    report.write("telemetry", rows)
    return 0


def row(
    figure: str, value: float, unit: str, spread: float, rival: str = "", ratio: float | None = None
) -> dict[str, object]:
    """One row of the report."""
    return {
        "figure": figure,
        "value": round(value, 3),
        "unit": unit,
        "spread": round(spread, 3),
        "rival": rival,
        "ratio": None if ratio is None else round(ratio, 2),
        "budget": None,
        "note": "CPU time, one thread, median of 9",
    }


if __name__ == "__main__":
    sys.exit(main())
