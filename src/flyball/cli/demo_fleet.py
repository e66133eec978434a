"""Which fleet does the demo run: an edge, a regional and a central site in two jurisdictions?"""

from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from flyball.model.request import Promise

MODEL = "llama-3.1-8b"
API_KEY = "demo-key"


class Replica(Struct, frozen=True):
    """One emulated engine: its pool, the profile whose timing it keeps, and its distance."""

    name: str
    pool: str
    profile: str
    rtt_ms: float


REPLICAS = (
    Replica("hamburg-l4-1", "edge-l4", "l4/llama-3.1-8b", 2.0),
    Replica("frankfurt-l40s-1", "regional-l40s", "l40s/llama-3.1-8b", 18.0),
    Replica("frankfurt-l40s-2", "regional-l40s", "l40s/llama-3.1-8b", 18.0),
    Replica("virginia-h100-1", "central-h100", "h100/llama-3.1-8b", 95.0),
)

# A client waits this long for a first token, then tries again: openai-python's two retries.
PATIENCE_RATIO = 1.5
CLIENT_RETRIES = 2

# What counts as in time, by class: the same figures as in the fleet file below.
PROMISES = {
    "chat": Promise(ttft_s=1.5, tpot_s=0.08),
    "dialog": Promise(ttft_s=2.0, tpot_s=0.08),
    "agent": Promise(ttft_s=3.0, tpot_s=0.1),
    "edge": Promise(ttft_s=0.3, e2e_s=1.0),
    "all": Promise(ttft_s=1.5, tpot_s=0.08),
}

_TEMPLATE = """\
version: v1
listen: {{host: 127.0.0.1, port: {port}}}
mode: {mode}

sites:
  hamburg: {{jurisdiction: EU, tier: edge, rtt_ms: 2, power_watts_max: 400, usd_per_kwh: 0.25}}
  frankfurt: {{jurisdiction: EU, tier: regional, rtt_ms: 18, usd_per_kwh: 0.21}}
  virginia: {{jurisdiction: US, tier: central, rtt_ms: 95, usd_per_kwh: 0.07}}

pools:
  edge-l4:
    site: hamburg
    engine: vllm
    profile: l4/llama-3.1-8b
    models: [{model}]
    endpoints: [{edge}]
  regional-l40s:
    site: frankfurt
    engine: vllm
    profile: l40s/llama-3.1-8b
    models: [{model}]
    endpoints: [{regional}]
  central-h100:
    site: virginia
    engine: vllm
    profile: h100/llama-3.1-8b
    models: [{model}]
    endpoints: [{central}]

classes: # the first is the default
  chat: {{value_usd: 0.01, ttft_ms: 1500, tpot_ms: 80, output_tokens_mean: 211}}
  dialog: # personal data: stays in the EU
    {{value_usd: 0.01, ttft_ms: 2000, tpot_ms: 80, jurisdictions: [EU], output_tokens_mean: 211}}
  agent: {{value_usd: 0.03, ttft_ms: 3000, tpot_ms: 100, output_tokens_mean: 110}}
  edge: # near, short, or worthless
    {{value_usd: 0.02, ttft_ms: 300, e2e_ms: 1000, output_tokens_mean: 4, jurisdictions: [EU]}}

principals:
  demo: {{key_sha256: {key}, default_class: chat}}

pricing: {{solve_interval_s: 2}}
ledger: {{folder: {ledger}}}
"""


def fleet_file(urls: dict[str, str], port: int, ledger: Path, mode: str = "enforce") -> str:
    """The fleet file's text, with the engines where they really listen.

    In `observe` mode the same gateway places by least request and refuses nothing.
    """
    pools: dict[str, list[str]] = {}
    for replica in REPLICAS:
        entry = f"{{name: {replica.name}, url: {urls[replica.name]!r}}}"
        pools.setdefault(replica.pool, []).append(entry)
    return _TEMPLATE.format(
        port=port,
        mode=mode,
        model=MODEL,
        edge=", ".join(pools["edge-l4"]),
        regional=", ".join(pools["regional-l40s"]),
        central=", ".join(pools["central-h100"]),
        key=sha256(API_KEY.encode()).hexdigest(),
        ledger=str(ledger.absolute()),
    )
