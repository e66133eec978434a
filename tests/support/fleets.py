"""Small fleets for tests: unlike hardware, two jurisdictions, a few classes."""

from flyball.governor.policy import Policy, Pricing, Resilience
from flyball.model.fleet import Endpoint, Fleet, Pool, Site
from flyball.model.profile import EngineLimits, PowerCurve, Profile, StepCost
from flyball.model.request import Promise, RequestClass, RequestHead

H100 = Profile(
    name="h100/8b",
    accelerator="h100",
    model="8b",
    decode=StepCost(base_s=6.7e-3, per_seq_s=20e-6, per_kv_token_s=49e-9),
    mixed=StepCost(base_s=6.7e-3, per_seq_s=20e-6, per_kv_token_s=74e-9, per_prefill_token_s=25e-6),
    limits=EngineLimits(seqs_max=256, step_tokens_max=2048, kv_tokens_max=397_000),
    power=PowerCurve(idle_watts=120.0, full_watts=690.0),
    usd_per_hour=3.0,
)
L40S = Profile(
    name="l40s/8b",
    accelerator="l40s",
    model="8b",
    decode=StepCost(base_s=23.3e-3, per_seq_s=35e-6, per_kv_token_s=190e-9),
    mixed=StepCost(
        base_s=23.3e-3, per_seq_s=35e-6, per_kv_token_s=285e-9, per_prefill_token_s=90e-6
    ),
    limits=EngineLimits(seqs_max=256, step_tokens_max=2048, kv_tokens_max=185_000),
    power=PowerCurve(idle_watts=60.0, full_watts=300.0),
    usd_per_hour=1.0,
)

CHAT = RequestClass(
    name="chat",
    value_usd=0.01,
    promise=Promise(ttft_s=1.0, tpot_s=0.06),
    output_tokens_mean=200,
    queue_s_max=0.0,
)
EU_ONLY = RequestClass(
    name="eu-chat",
    value_usd=0.01,
    promise=Promise(ttft_s=1.0, tpot_s=0.06),
    jurisdictions=("EU",),
    queue_s_max=0.0,
)
BATCH = RequestClass(
    name="batch",
    value_usd=0.0001,
    sheddable=True,
    queue_s_max=30.0,
    promise=Promise(ttft_s=5.0),
)
RIGID = RequestClass(name="rigid", value_usd=0.01, promise=Promise(ttft_s=0.01))


def fleet(h100: int = 2, l40s: int = 2, metrics: bool = False) -> Fleet:
    """`h100` endpoints in the US and `l40s` in the EU, one model "m"."""
    sites = (
        Site(name="us-central", jurisdiction="US", tier="central", rtt_s=0.040, usd_per_kwh=0.1),
        Site(name="eu-edge", jurisdiction="EU", tier="edge", rtt_s=0.004, usd_per_kwh=0.3),
    )
    pools = (
        Pool(name="big", site="us-central", models=("m",), engine="vllm", profile=H100),
        Pool(name="small", site="eu-edge", models=("m", "tiny"), engine="vllm", profile=L40S),
    )
    endpoints = [
        Endpoint(
            name=f"{pool}-{n}",
            pool=pool,
            url=f"http://127.0.0.1:{port + n}",
            metrics_url=f"http://127.0.0.1:{port + n}/metrics" if metrics else "",
        )
        for pool, count, port in (("big", h100, 9000), ("small", l40s, 9100))
        for n in range(count)
    ]
    return Fleet(sites=sites, pools=pools, endpoints=tuple(endpoints))


def policy(**changes: object) -> Policy:
    """All four classes, no keys; override any field of Policy by name."""
    fields: dict[str, object] = {
        "classes": (CHAT, EU_ONLY, BATCH, RIGID),
        "pricing": Pricing(),
        "resilience": Resilience(),
    }
    fields.update(changes)
    return Policy(**fields)  # type: ignore[arg-type]


def head(**changes: object) -> RequestHead:
    """A streaming chat call of about 375 tokens for model "m"; override any field."""
    fields: dict[str, object] = {
        "operation": "chat",
        "model": "m",
        "stream": True,
        "prompt_bytes": 1500,
        "body_digest": 7,
    }
    fields.update(changes)
    return RequestHead(**fields)  # type: ignore[arg-type]
