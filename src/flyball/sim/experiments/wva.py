"""What did a published run of a reactive stack offer its fleet, so that it can be run again?

llm-d's guide to the Workload Variant Autoscaler reports four loads of Qwen3-32B on H100, of fixed
lengths and Poisson arrivals, with one replica at the start and at most ten, and a pod that is ready
after 103 to 110 s (llm-d/llm-d guides/workload-autoscaling/README.wva.md). The guide does not say
what it counts as an error; here it is a request that was not answered when the load ended.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from flyball.dialects.traces.row import TraceRow
from flyball.model.request import GATE_SHARE
from flyball.sim.governed import OWN
from flyball.sim.scenario import Scenario
from flyball.units import Seconds, Tokens, Usd

PROFILE = "h100x2/qwen3-32b"
START_S = (106.0, 110.0)
REPLICAS_MAX = 10
# As the guide has the HPA behind it: up at once, ten pods in 150 s, down after 240 s.
HPA = {"up_stabilise_s": 0.0, "up_pods": 10.0, "up_period_s": 150.0, "down_stabilise_s": 240.0}
# llm-d's usual objectives for interactive work; the guide promises nothing.
PROMISE = {"ttft_ms": 2000.0, "tpot_ms": 100.0}


class Published(Struct, frozen=True, kw_only=True):
    """One load and what the guide reports of it: p99 of first token (s) and between tokens (ms),
    mean and greatest number of replicas, errors. `rates` = requests/s, in equal parts of the time.
    """

    title: str
    input_tokens: Tokens
    output_tokens: Tokens
    rates: tuple[float, ...]
    duration_s: Seconds
    ttft_p99_s: Seconds
    itl_p99_ms: float
    replicas_mean: float
    replicas_peak: int
    errors: int


RUNS = (
    Published(
        title="4000 in, 1000 out, 20/s",
        input_tokens=4000,
        output_tokens=1000,
        rates=(20.0,),
        duration_s=600.0,
        ttft_p99_s=98.4,
        itl_p99_ms=54.8,
        replicas_mean=1.73,
        replicas_peak=3,
        errors=4184,
    ),
    Published(
        title="1000 in, 4000 out, 20/s",
        input_tokens=1000,
        output_tokens=4000,
        rates=(20.0,),
        duration_s=600.0,
        ttft_p99_s=78.1,
        itl_p99_ms=47.1,
        replicas_mean=1.84,
        replicas_peak=3,
        errors=3563,
    ),
    Published(
        title="1000 in, 1000 out, 20/s",
        input_tokens=1000,
        output_tokens=1000,
        rates=(20.0,),
        duration_s=600.0,
        ttft_p99_s=100.2,
        itl_p99_ms=67.3,
        replicas_mean=1.70,
        replicas_peak=3,
        errors=3729,
    ),
    Published(
        title="1000 in, 1000 out, 15-2-10-15-5-2/s",
        input_tokens=1000,
        output_tokens=1000,
        rates=(15.0, 2.0, 10.0, 15.0, 5.0, 2.0),
        duration_s=900.0,
        ttft_p99_s=262.4,
        itl_p99_ms=196.3,
        replicas_mean=2.43,
        replicas_peak=4,
        errors=6110,
    ),
)


def rows(one: Published, seed: int) -> Iterator[TraceRow]:
    """Poisson arrivals of equal requests that share nothing."""
    rng = np.random.default_rng(seed)
    part_s = one.duration_s / len(one.rates)
    for number, rate in enumerate(one.rates):
        count = int(rng.poisson(rate * part_s))
        for at_s in np.sort(rng.random(count)).tolist():
            yield TraceRow(
                at_s=(number + at_s) * part_s,
                input_tokens=one.input_tokens,
                output_tokens=one.output_tokens,
            )


def scenario(one: Published, rule: str, seed: int, value_usd: Usd = 0.01) -> Scenario:
    """The run under an autoscaler, an answer in time being worth so much.

    `governor` governs the requests as well; a rival's autoscaler stands behind llm-d's endpoint
    picker.
    """
    is_own = rule == OWN
    scaler: dict[str, Any] = {
        "rule": rule,
        "replicas_min": 1,
        "replicas_max": REPLICAS_MAX,
        "start_s": START_S,
        "tuned": {} if is_own else HPA,
    }
    klass = {
        **PROMISE,
        "value_usd": value_usd,
        "output_tokens_mean": one.output_tokens,
        "deadline_s": one.duration_s,
        "queue_ms_max": GATE_SHARE * PROMISE["ttft_ms"],
    }
    shape: dict[str, Any] = {
        "version": "v1",
        "seed": seed,
        "duration_s": one.duration_s,
        "drain_s": 1.0,
        "checks": False,
        "core": OWN if is_own else "epp_default",
        "fleet": {
            "sites": {"site": {"usd_per_kwh": 0.1}},
            "pools": {"pool": {"site": "site", "profile": PROFILE, "replicas": 1}},
            "classes": {"chat": klass},
        },
        "workload": {"trace": {"file": "generated"}},
        "clients": {"rtt_ms": 10.0, "retries": 0, "patience_s": {"": 1e6}},
        "telemetry": {"interval_ms": 50.0},
        "autoscalers": {"pool": scaler},
    }
    return msgspec.convert(shape, Scenario)
