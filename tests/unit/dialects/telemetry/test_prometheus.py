"""Do samples of the named systems become the signals that detectors read, whatever the format?"""

import json

import numpy as np
import pytest

from flyball.diagnosis.signals import Signals
from flyball.dialects.telemetry.otlp import Point
from flyball.dialects.telemetry.prometheus import Gathered, read
from flyball.dialects.traces.row import TraceError

T0 = 1_800_000_000
STEPS = 13

# Per step of 10 s: name and labels -> value at step i.
FLEET = {
    'vllm:num_requests_waiting{pool="fast",instance="a"}': lambda i: 2,
    'vllm:num_requests_waiting{pool="fast",instance="b"}': lambda i: 3,
    'vllm:num_requests_running{pool="fast",instance="a"}': lambda i: 10,
    'vllm:num_requests_running{pool="fast",instance="b"}': lambda i: 10,
    'vllm:e2e_request_latency_seconds_sum{pool="fast"}': lambda i: 120.0 * i,
    'vllm:e2e_request_latency_seconds_count{pool="fast"}': lambda i: 30.0 * i,
    'vllm:kv_cache_usage_perc{pool="fast",instance="a"}': lambda i: 0.2,
    'vllm:kv_cache_usage_perc{pool="fast",instance="b"}': lambda i: 0.6,
    'sglang:num_queue_reqs{pool="slow"}': lambda i: 1,
    'sglang:num_running_reqs{pool="slow"}': lambda i: 4,
    'sglang:e2e_request_latency_seconds_sum{pool="slow"}': lambda i: 50.0 * i,
    'sglang:e2e_request_latency_seconds_count{pool="slow"}': lambda i: 10.0 * i,
    'flyball_requests_total{class="x",pool="fast",outcome="served"}': lambda i: 33.0 * i,
    'flyball_requests_total{class="x",pool="slow",outcome="served"}': lambda i: 11.0 * i,
    'flyball_client_retries_total{class="x"}': lambda i: 4.0 * i,
    'flyball_tokens_total{pool="fast",kind="input"}': lambda i: 900.0 * i,
    'flyball_tokens_total{pool="fast",kind="output"}': lambda i: 100.0 * i,
    'flyball_tokens_total{pool="fast",kind="cached"}': lambda i: 300.0 * i,
    'flyball_loop_setpoint{loop="power",actuator="pool.clock",scope="fast"}': lambda i: 0.9,
    'kube_horizontalpodautoscaler_status_desired_replicas{horizontalpodautoscaler="fast"}': (
        lambda i: 8
    ),
    'kube_horizontalpodautoscaler_status_current_replicas{horizontalpodautoscaler="fast"}': (
        lambda i: 7
    ),
    'kube_horizontalpodautoscaler_spec_max_replicas{horizontalpodautoscaler="fast"}': lambda i: 8,
    'DCGM_FI_DEV_SM_CLOCK{pool="fast",gpu="0"}': lambda i: 1980 if i < 6 else 990,
    'something_else{pool="fast"}': lambda i: 1,
}
WANTED = {
    "fast.queue": 25.0,
    "fast.latency_s": 4.0,
    "fast.kv_share": 0.4,
    "fast.served_per_s": 3.0,
    "fast.replicas": 7.0,
    "fast.replicas_wanted": 8.0,
    "fast.replicas_saturated": 1.0,
    "fast.share": 0.75,
    "fast.cached_share": 1 / 3,
    "slow.queue": 5.0,
    "slow.latency_s": 5.0,
    "plant.attempts_per_s": 4.4,
    "plant.retries_per_s": 0.4,
    "plant.fresh_per_s": 4.0,
    "plant.spend_per_s": 100.0,
    "plant.latency_s": 4.25,
    "loop.power.setpoint": 0.9,
}


def lines(shape: str) -> list[str]:
    """By series, then by time, as a dump is."""
    found = []
    for head, law in FLEET.items():
        name, _, labels = head.partition("{")
        for i in range(STEPS):
            at = T0 + 10 * i
            if shape == "exposition":
                found.append(f"{head} {law(i)} {at * 1000}")
            elif shape == "openmetrics":
                found.append(f'{head} {law(i)} {at}.0 # {{trace_id="x"}} 1 {at}.0')
            else:
                found.append(f'{{__name__="{name}", {labels} {law(i)} {at * 1000}')
    return ["# TYPE x gauge", *found, "# EOF"]


def mean(table: Signals, name: str) -> float:
    return float(np.nanmean(table.column(name)))


def judge(table: Signals) -> None:
    for name, value in WANTED.items():
        assert mean(table, name) == pytest.approx(value, rel=1e-6), name
    clock = table.column("fast.clock_share")
    assert set(clock[np.isfinite(clock)]) == {0.5, 1.0}


@pytest.mark.parametrize("shape", ["exposition", "openmetrics", "tsdb"])
def test_every_text_shape_gives_the_same_signals(shape: str) -> None:
    gathered = Gathered(10.0)
    read(lines(shape), "f", gathered)
    judge(gathered.signals())
    assert gathered.unknown == STEPS


def test_answers_of_the_http_api_do_too() -> None:
    gathered = Gathered(10.0)
    rows = []
    for head, law in FLEET.items():
        name, _, labels = head.partition("{")
        pairs = [one.split("=") for one in labels[:-1].split(",")]
        metric = {"__name__": name, **{key: value.strip('"') for key, value in pairs}}
        values = [[T0 + 10 * i, str(law(i))] for i in range(STEPS)]
        rows.append({"metric": metric, "values": values})
    page = {"status": "success", "data": {"resultType": "matrix", "result": rows}}
    assert gathered.answer(json.dumps(page).encode(), "url") == STEPS * (len(FLEET) - 1)
    judge(gathered.signals())


def test_pages_without_times_take_that_of_the_page() -> None:
    gathered = Gathered(10.0)
    for i in range(STEPS):
        read([f"{head} {law(i)}" for head, law in FLEET.items()], f"{i}", gathered, T0 + 10.0 * i)
    judge(gathered.signals())


def test_pools_are_named_by_the_mapping() -> None:
    gathered = Gathered(10.0, {"h100": {"instance": "a|b"}})
    read(lines("exposition"), "f", gathered)
    assert mean(gathered.signals(), "h100.queue") == 25.0


def test_opentelemetry_metrics_are_known_by_their_prometheus_names() -> None:
    gathered = Gathered(10.0)
    for i in range(STEPS):
        for end, value in (("sum", 4.0), ("count", 2.0)):
            name = f"gen_ai.server.request.duration_{end}"
            gathered.point(Point(name, {"pool": "p"}, T0 + 10.0 * i, value, True), "f")
    assert mean(gathered.signals(), "p.latency_s") == 2.0


def test_an_autoscaler_is_a_loop_with_its_limits() -> None:
    gathered = Gathered(10.0)
    read(lines("tsdb"), "f", gathered)
    (member,) = gathered.members()
    assert (member.name, member.scope, member.value, member.limit_high) == (
        "hpa/fast", "fast", 8.0, 8.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ('vllm:num_requests_waiting{pool="fa', "f:2: labels without an end"),
        ("vllm:num_requests_waiting many 1800000000000", "f:2: no sample"),
        ("vllm:num_requests_waiting 1", "f:2: a sample without a time"),
        ("vllm:num_requests_waiting 1 12345", "f:2: a sample's time is 12345 s"),
        ("vllm:num_requests_waiting 1 1799999990000", "f:2: .*backward"),
        ("vllm:num_requests_waiting 2 1800000000000", "f:2: two values .* a series twice"),
        ('{pool="fast"} 2 1800000000000', "f:2: no name of a metric"),
    ],
)
def test_a_bad_line_is_named(bad: str, words: str) -> None:
    with pytest.raises(TraceError, match=words):
        read(["vllm:num_requests_waiting 1 1800000000000", bad], "f", Gathered(10.0))


def test_an_answer_that_is_an_error_is_told() -> None:
    with pytest.raises(TraceError, match="too many samples"):
        Gathered(10.0).answer(b'{"status":"error","error":"too many samples"}', "url")
    with pytest.raises(TraceError, match="no answer"):
        Gathered(10.0).answer(b"<html>", "url")
