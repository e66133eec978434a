"""Does the table of names hold what the named systems export, each once and well formed?"""

import re

import pytest

from flyball.dialects.telemetry.names import METRICS
from flyball.serve.telemetry import names as ours


@pytest.mark.parametrize(
    ("name", "source", "quantity"),
    [
        ("vllm:num_requests_waiting", "vllm", "waiting"),
        ("vllm:e2e_request_latency_seconds_sum", "vllm", "e2e_s"),
        ("vllm:request_success_total", "vllm", "served"),
        ("sglang:num_queue_reqs", "sglang", "waiting"),
        ("nv_inference_pending_request_count", "triton", "waiting"),
        ("inference_objective_request_total", "epp", "requests"),
        ("kube_horizontalpodautoscaler_status_desired_replicas", "hpa", "replicas_wanted"),
        ("keda_scaler_active", "keda", "scaler_active"),
        ("litellm_proxy_total_requests_metric_total", "litellm", "requests"),
        ("DCGM_FI_DEV_SM_CLOCK", "dcgm", "clock_hz"),
    ],
)
def test_a_known_name_means_its_quantity(name: str, source: str, quantity: str) -> None:
    assert (METRICS[name][0].source, METRICS[name][0].quantity) == (source, quantity)


def test_names_can_be_metrics() -> None:
    assert all(re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", name) for name in METRICS)


def test_our_own_names_are_those_that_we_export() -> None:
    told = {one if isinstance(one, str) else one.name for one in ours.METRICS}
    mine = {name for name, found in METRICS.items() if found[0].source == "flyball"}
    exported = told | {f"{name}{end}" for name in told for end in ("_sum", "_count")}
    assert {name for name in mine if f"{name}_total" not in mine} <= exported
