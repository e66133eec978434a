"""What may stand in a fleet file? (Each key once, with its unit, its bounds and its meaning.)

The JSON Schema, the checks of shape and the reference page all come from these structs. Keys carry
their unit (`_ms`, `_s`, `_watts`, `_usd`, `_bytes`); defaults are the core's own, converted.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from flyball.governor.policy import Resilience
from flyball.model.fleet import EngineKind, Surface, Tier
from flyball.model.request import RequestClass
from flyball.serve.config.authority import AuthoritySection
from flyball.serve.config.contracts import ContractSection, PromisesSection
from flyball.serve.config.diagnosis import DiagnosisSection
from flyball.serve.config.grants import ContextSection, OutputSection, TierSection
from flyball.serve.config.limits import Limits
from flyball.serve.config.logs import JurisdictionLogSection
from flyball.serve.config.oversight import OversightSection
from flyball.serve.config.planning import BudgetSection, PricingSection
from flyball.serve.config.sessions import SessionsSection
from flyball.serve.config.steering import (
    ActuatorSection,
    AdminSection,
    ForeignLoopSection,
    LoopSection,
)
from flyball.units import ms_from_seconds

ENV_MARK = "x-env"
_EXPANDS = {ENV_MARK: True}

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
PLACE = r"^[A-Za-z0-9][A-Za-z0-9-]{0,31}$"
ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
SHA256 = r"^[0-9a-fA-F]{64}$"

Name = Annotated[str, Meta(pattern=NAME)]
Place = Annotated[str, Meta(pattern=PLACE)]
EnvName = Annotated[str, Meta(pattern=ENV_NAME)]
ModelName = Annotated[str, Meta(min_length=1, max_length=256)]
Url = Annotated[str, Meta(min_length=1, extra_json_schema=_EXPANDS)]
FilePath = Annotated[str, Meta(min_length=1, extra_json_schema=_EXPANDS)]
NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
RatioOfOne = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]

_RESILIENCE = Resilience()
_LIMITS = Limits()
_CLASS = RequestClass(name="")


def _ms(seconds: float) -> float:
    return round(ms_from_seconds(seconds), 9)


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every section refuses keys that it does not know."""


class TlsSection(_Section, frozen=True, kw_only=True):
    """Certificate and key (PEM files) with which the gateway answers its own clients."""

    cert: Annotated[FilePath, Meta(description="PEM file: certificate chain, leaf first.")]
    key: Annotated[FilePath, Meta(description="PEM file: private key, not encrypted.")]


class ListenSection(_Section, frozen=True, kw_only=True):
    """Where the gateway listens."""

    host: Annotated[
        str,
        Meta(min_length=1, description="Address to bind.", extra_json_schema=_EXPANDS),
    ] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65535, description="TCP port; 0 = any free one, named at start.")
    ] = 8080
    workers: Annotated[
        int, Meta(ge=1, le=128, description="Gateway processes that share the port.")
    ] = 1
    tls: Annotated[TlsSection | None, Meta(description="Absent = plain HTTP.")] = None


class SiteSection(_Section, frozen=True, kw_only=True):
    """A place with a jurisdiction, a tier, a distance from this gateway and a power limit."""

    jurisdiction: Annotated[Place, Meta(description="Law that applies there: `EU`, `NO`, `US-CA`.")]
    tier: Annotated[Tier, Meta(description="How central the place is.")] = "central"
    rtt_ms: Annotated[NotNegative, Meta(description="Round trip from this gateway, ms.")] = 0.0
    power_watts_max: Annotated[
        Positive | None, Meta(description="Most the site may draw, W. Absent = no limit.")
    ] = None
    usd_per_kwh: Annotated[NotNegative, Meta(description="Energy tariff, USD per kWh.")] = 0.0
    operator: Annotated[str, Meta(description="Who runs the machines there.")] = ""
    certificates: Annotated[
        tuple[str, ...], Meta(max_length=64, description="What it is certified for: `iso27001`.")
    ] = ()
    link_gbps: Annotated[
        Positive | None, Meta(description="Capacity of the path to it, Gbit/s. Absent = no limit.")
    ] = None
    link_usd_per_gb: Annotated[
        NotNegative, Meta(description="Price of that path, USD per gigabyte sent either way.")
    ] = 0.0


class StepCostSection(_Section, frozen=True, kw_only=True):
    """Coefficients of one kind of engine step (see the design page on step cost)."""

    base_ms: Annotated[NotNegative, Meta(description="Constant part of a step, ms.")]
    per_seq_us: Annotated[NotNegative, Meta(description="Per decoding sequence, µs.")]
    per_kv_token_ns: Annotated[NotNegative, Meta(description="Per KV token held, ns.")]
    per_prefill_token_us: Annotated[NotNegative, Meta(description="Per prompt token, µs.")] = 0.0
    per_prefill_context_ns: Annotated[
        NotNegative, Meta(description="Per prompt token and token of context before it, ns.")
    ] = 0.0


class ProfileSection(_Section, frozen=True, kw_only=True):
    """A profile of the catalogue with some of its figures replaced by your own measurements."""

    base: Annotated[str, Meta(description="Name in the catalogue, such as `h100/llama-3.1-8b`.")]
    decode: Annotated[StepCostSection | None, Meta(description="Steps that only decode.")] = None
    mixed: Annotated[StepCostSection | None, Meta(description="Steps with prefill.")] = None
    seqs_max: Annotated[Count | None, Meta(description="Sequences in one batch.")] = None
    step_tokens_max: Annotated[Count | None, Meta(description="Tokens in one step.")] = None
    kv_tokens_max: Annotated[Count | None, Meta(description="Tokens the KV cache holds.")] = None
    block_tokens: Annotated[Count | None, Meta(description="Tokens of one KV block.")] = None
    idle_watts: Annotated[NotNegative | None, Meta(description="One replica, idle, W.")] = None
    full_watts: Annotated[NotNegative | None, Meta(description="One replica, full, W.")] = None
    request_overhead_ms: Annotated[
        NotNegative | None, Meta(description="Spent once per request, ms.")
    ] = None


class EndpointSection(_Section, frozen=True, kw_only=True):
    """One engine replica."""

    url: Annotated[Url, Meta(description="`http(s)://host[:port][/base-path]`.")]
    name: Annotated[Name | None, Meta(description="Absent = POOL-NUMBER, from 0.")] = None
    metrics_url: Annotated[
        Url | None, Meta(description="Absent = the engine's usual path, if on that port; `none`.")
    ] = None
    api_key_env: Annotated[
        EnvName | None, Meta(description="Environment variable with the engine's API key.")
    ] = None
    tls_ca: Annotated[
        FilePath | None, Meta(description="PEM file: CA of an https engine. Absent = system's.")
    ] = None


class PoolSection(_Section, frozen=True, kw_only=True):
    """Endpoints of one model, accelerator and engine configuration at one site."""

    site: Annotated[Name, Meta(description="A name under `sites`.")]
    engine: Annotated[EngineKind, Meta(description="What runs there.")]
    profile: Annotated[
        str | ProfileSection, Meta(description="Timing, limits, power: catalogue name or section.")
    ]
    models: Annotated[
        tuple[ModelName, ...], Meta(min_length=1, description="Names clients may ask for.")
    ]
    endpoints: Annotated[
        tuple[Url | EndpointSection, ...], Meta(min_length=1, description="URLs or sections.")
    ]
    served_model: Annotated[
        str, Meta(description="The engine's own name for it; empty = as the client asked.")
    ] = ""
    surfaces: Annotated[
        tuple[Surface, ...] | None, Meta(description="Protocols spoken. Absent = the engine's own.")
    ] = None
    prefix_cache: Annotated[bool, Meta(description="Whether prompts' prefixes are reused.")] = True
    usd_per_hour: Annotated[
        NotNegative | None, Meta(description="Of one replica, USD/h. Absent = the profile's.")
    ] = None
    operator: Annotated[str, Meta(description="Who runs it. Empty = as the site.")] = ""
    certificates: Annotated[
        tuple[str, ...], Meta(max_length=64, description="Empty = as the site.")
    ] = ()
    usd_per_million_input_tokens: Annotated[
        NotNegative, Meta(description="If bought by the token, USD.")
    ] = 0.0
    usd_per_million_output_tokens: Annotated[
        NotNegative, Meta(description="If bought by the token, USD.")
    ] = 0.0


class ClassSection(_Section, frozen=True, kw_only=True):
    """Requests alike in promise, value and where they may run. The first class is the default."""

    value_usd: Annotated[NotNegative, Meta(description="Worth of one answer in time, USD.")] = (
        _CLASS.value_usd
    )
    ttft_ms: Annotated[NotNegative, Meta(description="Promised first token, ms; 0 = none.")] = 0.0
    tpot_ms: Annotated[
        NotNegative, Meta(description="Promised time per later token, ms; 0 = none.")
    ] = 0.0
    e2e_ms: Annotated[NotNegative, Meta(description="Promised whole answer, ms; 0 = none.")] = 0.0
    jurisdictions: Annotated[
        tuple[Place, ...], Meta(description="Where it may run; empty = anywhere.")
    ] = ()
    data_class: Annotated[Name, Meta(description="Label of the data's sensitivity.")] = (
        _CLASS.data_class
    )
    data_home: Annotated[str, Meta(description="Jurisdiction the data belongs to.")] = ""
    transfer_basis: Annotated[
        str, Meta(description="On which ground data may leave it: `scc`, `adequacy`.")
    ] = ""
    purpose: Annotated[str, Meta(description="What the data is processed for.")] = ""
    sheddable: Annotated[bool, Meta(description="May be refused for its price alone.")] = False
    queue_ms_max: Annotated[
        NotNegative | None,
        Meta(description="Longest wait at the gate, ms; default half of ttft_ms."),
    ] = None
    output_tokens_mean: Annotated[
        Count, Meta(description="First guess of an answer's length, tokens.")
    ] = _CLASS.output_tokens_mean
    deadline_s: Annotated[Positive, Meta(description="After this the request is ended, s.")] = (
        _CLASS.deadline_s
    )
    contract: Annotated[ContractSection, Meta(description="What it is owed.")] = ContractSection()
    context: Annotated[ContextSection, Meta(description="Dropping old turns.")] = ContextSection()
    output: Annotated[OutputSection, Meta(description="Length of answers.")] = OutputSection()
    tiers: Annotated[
        tuple[TierSection, ...],
        Meta(description="Models in falling order of worth: a later one may answer for one asked."),
    ] = ()
    allow_hedge: Annotated[
        bool, Meta(description="A second copy may be sent where it is worth its price.")
    ] = False
    sessions: Annotated[
        SessionsSection | None, Meta(description="Agents' sessions. Absent = each call by itself.")
    ] = None


class PrincipalSection(_Section, frozen=True, kw_only=True):
    """Whom an API key stands for. Give exactly one of `key_sha256`, `key_env`, `key`."""

    key_sha256: Annotated[
        Annotated[str, Meta(pattern=SHA256)] | None,
        Meta(description="SHA-256 of the key, 64 hexadecimal digits (keeps no secret here)."),
    ] = None
    key_env: Annotated[
        EnvName | None, Meta(description="Environment variable that holds the key.")
    ] = None
    key: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="The key itself: for trials only, as it is readable here."),
    ] = None
    classes: Annotated[tuple[Name, ...], Meta(description="Classes it may use; empty = all.")] = ()
    models: Annotated[
        tuple[ModelName, ...], Meta(description="Models it may use; empty = all.")
    ] = ()
    jurisdictions: Annotated[
        tuple[Place, ...], Meta(description="Where its requests may run; empty = anywhere.")
    ] = ()
    default_class: Annotated[
        str, Meta(description="Class when the request names none; empty = the first.")
    ] = ""


class ResilienceSection(_Section, frozen=True, kw_only=True):
    """Retries, circuits and waiting: every one bounded."""

    attempts_max: Annotated[
        int, Meta(ge=1, le=10, description="Tries of one request, the first included.")
    ] = _RESILIENCE.attempts_max
    retry_budget_ratio: Annotated[
        RatioOfOne, Meta(description="Retries allowed per fresh request, fleet-wide.")
    ] = _RESILIENCE.retry_budget_ratio
    retry_budget_tokens_max: Annotated[
        NotNegative, Meta(description="Most retries that may be saved up.")
    ] = _RESILIENCE.retry_budget_tokens_max
    circuit_failures_max: Annotated[
        Count, Meta(description="Failures in a row that open a circuit.")
    ] = _RESILIENCE.circuit_failures_max
    circuit_open_s: Annotated[Positive, Meta(description="First time a circuit stays open, s.")] = (
        _RESILIENCE.circuit_open_s
    )
    circuit_open_s_max: Annotated[Positive, Meta(description="Longest it stays open, s.")] = (
        _RESILIENCE.circuit_open_s_max
    )
    slow_start_s: Annotated[
        NotNegative, Meta(description="Time over which a returning endpoint is filled, s.")
    ] = _RESILIENCE.slow_start_s
    held_max: Annotated[int, Meta(ge=0, description="Requests that may wait at the gate.")] = (
        _RESILIENCE.held_max
    )
    in_flight_max: Annotated[Count, Meta(description="Requests in the gateway at once.")] = (
        _RESILIENCE.in_flight_max
    )


class LimitsSection(_Section, frozen=True, kw_only=True):
    """What one connection, one body and the whole gateway may take. Every bound is enforced."""

    head_bytes_max: Annotated[
        int, Meta(ge=1024, le=1 << 20, description="Request line and header fields, bytes.")
    ] = _LIMITS.head_bytes_max
    body_bytes_max: Annotated[
        int, Meta(ge=1024, le=1 << 30, description="Request body, bytes.")
    ] = _LIMITS.body_bytes_max
    buffered_bytes_max: Annotated[
        int, Meta(ge=1024, description="Request bytes held at once, over all connections.")
    ] = _LIMITS.buffered_bytes_max
    pipelined_bytes_max: Annotated[
        int, Meta(ge=1024, description="Bytes read ahead while an answer is under way.")
    ] = _LIMITS.pipelined_bytes_max
    head_s_max: Annotated[Positive, Meta(description="Time to send the header, s.")] = (
        _LIMITS.head_s_max
    )
    body_s_max: Annotated[Positive, Meta(description="Time to send the body, s.")] = (
        _LIMITS.body_s_max
    )
    idle_s_max: Annotated[Positive, Meta(description="Silence between two requests, s.")] = (
        _LIMITS.idle_s_max
    )
    write_s_max: Annotated[
        Positive, Meta(description="A client may read nothing for so long, s.")
    ] = _LIMITS.write_s_max
    linger_s_max: Annotated[
        NotNegative, Meta(description="Wait for a refused client to read its answer, s.")
    ] = _LIMITS.linger_s_max
    connections_max: Annotated[Count, Meta(description="Client connections per worker.")] = (
        _LIMITS.connections_max
    )
    upstream_connections_max: Annotated[
        Count, Meta(description="Connections per endpoint and worker.")
    ] = _LIMITS.upstream_connections_max
    upstream_idle_s_max: Annotated[
        Positive, Meta(description="An idle engine connection is kept so long, s.")
    ] = _LIMITS.upstream_idle_s_max
    upstream_head_bytes_max: Annotated[
        int, Meta(ge=1024, description="Header of an engine's answer, bytes.")
    ] = _LIMITS.upstream_head_bytes_max
    error_body_bytes_max: Annotated[
        int, Meta(ge=1024, description="Kept of an engine's error answer, bytes.")
    ] = _LIMITS.error_body_bytes_max
    connect_s_max: Annotated[Positive, Meta(description="Time to reach an engine, s.")] = (
        _LIMITS.connect_s_max
    )
    stall_s_max: Annotated[Positive, Meta(description="Silence of an engine mid-answer, s.")] = (
        _LIMITS.stall_s_max
    )
    drain_s_max: Annotated[
        NotNegative, Meta(description="Time for running requests at shutdown, s.")
    ] = _LIMITS.drain_s_max


class LedgerSection(_Section, frozen=True, kw_only=True):
    """Where decisions are recorded."""

    folder: Annotated[
        FilePath, Meta(description="Folder of the log; relative to the fleet file.")
    ] = "ledger"
    on_fault: Annotated[
        Literal["refuse", "continue"],
        Meta(description="When nothing can be recorded: refuse requests, or go on unrecorded."),
    ] = "refuse"
    queue_max: Annotated[Count, Meta(description="Records that may wait for the disk.")] = 65_536
    keys: Annotated[
        tuple[FilePath, ...],
        Meta(
            max_length=4,
            description="Key files with which checkpoints are signed; old and new while a key "
            "rotates. Their name is the log's origin. Absent = unsigned.",
        ),
    ] = ()
    trust: Annotated[
        FilePath | None,
        Meta(
            description="Trust policy (C2SP tlog-policy): which witnesses, at which URLs, must "
            "cosign the checkpoints. Absent = none."
        ),
    ] = None
    retention_days: Annotated[
        Positive | None,
        Meta(description="Records older than that are pruned. Absent = kept for ever."),
    ] = None
    mirror: Annotated[
        str | None,
        Meta(description="Object storage that gets a copy: s3://, gs://, az:// or file:/// URL."),
    ] = None
    jurisdictions: Annotated[
        dict[str, JurisdictionLogSection],
        Meta(max_length=64, description="Logs of their own, by jurisdiction of the sites."),
    ] = {}
    commit: Annotated[
        bool, Meta(description="Keep keyed commitments to what was asked and answered.")
    ] = False
    seal: Annotated[
        bool, Meta(description="Keep the texts too, encrypted under their subject's key.")
    ] = False
    vault: Annotated[FilePath, Meta(description="Folder of subjects' keys and sealed texts.")] = (
        "vault"
    )
    master: Annotated[
        FilePath | None, Meta(description="Master key (`flyball erase --new-master FILE`).")
    ] = None


class ScrapeSection(_Section, frozen=True, kw_only=True):
    """How engines' metrics are read."""

    interval_ms: Annotated[
        float, Meta(ge=10, le=60_000, description="Between two readings of an endpoint, ms.")
    ] = 100.0
    timeout_ms: Annotated[
        float, Meta(ge=10, le=60_000, description="A reading is given up after this, ms.")
    ] = 1000.0


class TelemetrySection(_Section, frozen=True, kw_only=True):
    """What is told to OpenTelemetry. Prometheus metrics are always at `/metrics`."""

    otlp_endpoint: Annotated[
        Url | None,
        Meta(description="OTLP/HTTP collector. Absent = OTEL_EXPORTER_OTLP_ENDPOINT, else off."),
    ] = None
    otlp_headers_env: Annotated[
        EnvName | None, Meta(description="Environment variable with `name=value,…` headers.")
    ] = None
    export_interval_ms: Annotated[float, Meta(ge=100, description="Between two exports, ms.")] = (
        5000.0
    )
    spans_max: Annotated[Count, Meta(description="Spans that may wait for export.")] = 8192
    sample_ratio: Annotated[RatioOfOne, Meta(description="Share of requests with a span.")] = 1.0


class FleetFile(_Section, frozen=True, kw_only=True):
    """The whole fleet file of a Flyball gateway."""

    version: Annotated[Literal["v1"], Meta(description="Version of this format.")]
    sites: Annotated[dict[Name, SiteSection], Meta(min_length=1, description="By name.")]
    pools: Annotated[dict[Name, PoolSection], Meta(min_length=1, description="By name.")]
    classes: Annotated[
        dict[Name, ClassSection], Meta(description="By name; the first is the default class.")
    ] = {}
    principals: Annotated[
        dict[Name, PrincipalSection], Meta(description="By name; empty = no key is asked for.")
    ] = {}
    listen: Annotated[ListenSection, Meta(description="Address, port, TLS.")] = ListenSection()
    mode: Annotated[
        Literal["observe", "enforce"],
        Meta(description="observe = decide and record, but let `baseline` place the work."),
    ] = "enforce"
    baseline: Annotated[
        Literal["least-request", "round-robin"], Meta(description="Placement while observing.")
    ] = "least-request"
    watch: Annotated[
        bool, Meta(description="Reload when this file changes (SIGHUP always does).")
    ] = False
    pricing: Annotated[PricingSection, Meta(description="Price rules.")] = PricingSection()
    resilience: Annotated[ResilienceSection, Meta(description="Retries, circuits.")] = (
        ResilienceSection()
    )
    promises: Annotated[PromisesSection, Meta(description="Quotes.")] = PromisesSection()
    limits: Annotated[LimitsSection, Meta(description="Connection limits.")] = LimitsSection()
    ledger: Annotated[LedgerSection, Meta(description="Record of decisions.")] = LedgerSection()
    scrape: Annotated[ScrapeSection, Meta(description="Reading engines.")] = ScrapeSection()
    telemetry: Annotated[TelemetrySection, Meta(description="OpenTelemetry.")] = TelemetrySection()
    loops: Annotated[
        tuple[LoopSection, ...], Meta(description="Loops of the control period that run.")
    ] = ()
    budgets: Annotated[
        dict[Name, BudgetSection], Meta(description="Money for endpoints paid per token.")
    ] = {}
    foreign_loops: Annotated[
        tuple[ForeignLoopSection, ...], Meta(description="Loops of others on the same fleet.")
    ] = ()
    actuators: Annotated[
        tuple[ActuatorSection, ...], Meta(description="What drives enforced set-points.")
    ] = ()
    admin: Annotated[AdminSection, Meta(description="Who may hold loops.")] = AdminSection()
    authority: Annotated[
        AuthoritySection | None, Meta(description="Policies and mandates. Absent = none.")
    ] = None
    oversight: Annotated[
        OversightSection | None, Meta(description="People, revocations, other governors.")
    ] = None
    diagnosis: Annotated[DiagnosisSection, Meta(description="Of the fleet's own loops.")] = (
        DiagnosisSection()
    )
