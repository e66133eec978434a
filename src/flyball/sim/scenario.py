"""What is simulated: which fleet, load, core, loops and troubles, for how long, by which seed?

The shapes of a scenario file (YAML, version v1). Keys carry their unit. Names that must exist are
checked here too; where each value stands in its file is known to whoever read it, so faults are
told by path.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from flyball.model.fleet import EngineKind, Tier
from flyball.model.loop import ForeignLoop, LoopPolicy
from flyball.model.request import ContextRule, ModelTier, OutputRule
from flyball.sim.clientrules import ClientRules

NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
RatioOfOne = Annotated[float, Meta(ge=0, le=1)]
RatioBelowOne = Annotated[float, Meta(ge=0, lt=1)]
Count = Annotated[int, Meta(ge=1)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every section refuses keys that it does not know."""


class SiteShape(_Section, frozen=True, kw_only=True):
    """A place with a jurisdiction, a distance from the gateway and a power limit."""

    jurisdiction: Annotated[str, Meta(description="Law that applies there.")] = "EU"
    tier: Annotated[Tier, Meta(description="How central the place is.")] = "central"
    rtt_ms: Annotated[NotNegative, Meta(description="Round trip from the gateway, ms.")] = 0.0
    power_watts_max: Annotated[
        Positive | None, Meta(description="Clocks are lowered to stay below, W. Absent = no limit.")
    ] = None
    usd_per_kwh: Annotated[NotNegative, Meta(description="Energy tariff, USD per kWh.")] = 0.0


class DisaggregationShape(_Section, frozen=True, kw_only=True):
    """Engines of one replica that share its work: some compute prompts, others make the answers."""

    prefill_replicas: Annotated[Count, Meta(description="Engines that compute prompts.")]
    decode_replicas: Annotated[Count, Meta(description="Engines that make the answers.")]
    kv_link_gbps: Annotated[
        Positive, Meta(description="Rate at which each prefill engine sends KV, Gbit/s.")
    ]
    kv_link_ms: Annotated[NotNegative, Meta(description="Latency of a transfer, ms.")] = 0.0
    kv_link_parts: Annotated[
        Count, Meta(description="Parts sent while a prompt is computed (layers); 1 = afterwards.")
    ] = 1
    kv_token_bytes: Annotated[
        Positive | None, Meta(description="KV of one token. Absent = the model's in bf16.")
    ] = None


class PoolShape(_Section, frozen=True, kw_only=True):
    """Replicas of one profile at one site."""

    site: Annotated[Name, Meta(description="A name under `sites`.")]
    profile: Annotated[str, Meta(description="Timing, limits, power: a catalogue name.")]
    replicas: Annotated[int, Meta(ge=0, le=10_000, description="How many run at the start.")] = 1
    models: Annotated[
        tuple[str, ...], Meta(description="Names that clients ask for; empty = the profile's.")
    ] = ()
    engine: Annotated[EngineKind, Meta(description="What runs there.")] = "vllm"
    prefix_cache: Annotated[bool, Meta(description="Whether prefixes are reused.")] = True
    usd_per_hour: Annotated[
        NotNegative | None, Meta(description="Of one engine, USD/h. Absent = the profile's.")
    ] = None
    disaggregation: Annotated[
        DisaggregationShape | None,
        Meta(description="Prefill and decode on engines apart; absent = one engine a replica."),
    ] = None


class SessionsShape(_Section, frozen=True, kw_only=True):
    """What the governor does about the agents' sessions of a class (as `sessions` of a fleet file).

    0 = no limit.
    """

    agent: Annotated[str, Meta(description="Whose lengths are the first guess.")] = ""
    value_usd: Annotated[NotNegative, Meta(description="Worth of a completed session.")] = 0.0
    steps_max: Annotated[int, Meta(ge=0, description="Calls of one session.")] = 0
    tokens_max: Annotated[int, Meta(ge=0, description="Tokens of one session.")] = 0
    usd_max: Annotated[NotNegative, Meta(description="Resources of one session.")] = 0.0
    wall_s_max: Annotated[NotNegative, Meta(description="Since its first call.")] = 0.0
    usd_per_minute_max: Annotated[NotNegative, Meta(description="Resources a minute.")] = 0.0
    wait_s_max: Annotated[NotNegative, Meta(description="Of a first call, for room.")] = 120.0
    late_s_max: Annotated[NotNegative, Meta(description="Of later calls.")] = 60.0
    idle_s_max: Annotated[Positive, Meta(description="Silent so long, it has ended.")] = 600.0
    kv_ratio_max: Annotated[Positive, Meta(description="Of the KV, for contexts.")] = 0.6
    runaway: Literal["off", "warn", "stop"] = "stop"
    repeats_max: Annotated[int, Meta(ge=3, description="Calls that bring nothing new.")] = 12
    compactions_max: Annotated[int, Meta(ge=2, description="Contexts filled in vain.")] = 5


class ClassShape(_Section, frozen=True, kw_only=True):
    """Requests alike in promise and value. The first class is the default."""

    value_usd: Annotated[NotNegative, Meta(description="Worth of one answer in time.")] = 0.01
    ttft_ms: Annotated[NotNegative, Meta(description="Promised first token; 0 = none.")] = 0.0
    tpot_ms: Annotated[NotNegative, Meta(description="Promised per later token; 0 = none.")] = 0.0
    e2e_ms: Annotated[NotNegative, Meta(description="Promised whole answer; 0 = none.")] = 0.0
    jurisdictions: Annotated[tuple[str, ...], Meta(description="Where it may run.")] = ()
    data_class: Annotated[str, Meta(description="How sensitive its data are.")] = "public"
    data_home: Annotated[str, Meta(description="Jurisdiction that they belong to.")] = ""
    purpose: Annotated[str, Meta(description="What they are processed for.")] = ""
    sheddable: Annotated[bool, Meta(description="May be refused for its price alone.")] = False
    queue_ms_max: Annotated[
        NotNegative | None, Meta(description="Longest wait at the gate; default half of ttft_ms.")
    ] = None
    output_tokens_mean: Annotated[Count, Meta(description="First guess of answers' length.")] = 256
    deadline_s: Annotated[Positive, Meta(description="After this a request is ended.")] = 600.0
    context: Annotated[ContextRule, Meta(description="Dropping old turns.")] = ContextRule()
    output: Annotated[OutputRule, Meta(description="Length of answers.")] = OutputRule()
    tiers: Annotated[
        tuple[ModelTier, ...], Meta(description="Models in falling order of worth.")
    ] = ()
    allow_hedge: Annotated[bool, Meta(description="A second copy may be sent.")] = False
    sessions: Annotated[
        SessionsShape | None, Meta(description="Its calls are agents' programs.")
    ] = None


class FleetShape(_Section, frozen=True, kw_only=True):
    """The fleet: either described here, or a fleet file of the gateway (`file`)."""

    file: Annotated[str, Meta(description="A fleet file, relative to the scenario.")] = ""
    sites: Annotated[dict[Name, SiteShape], Meta(description="By name.")] = {}
    pools: Annotated[dict[Name, PoolShape], Meta(description="By name.")] = {}
    classes: Annotated[dict[Name, ClassShape], Meta(description="By name.")] = {}


class GenerateShape(_Section, frozen=True, kw_only=True):
    """Load made from published statistics."""

    rate: Annotated[Positive, Meta(description="Mean requests per second.")]
    mix: Annotated[
        dict[str, NotNegative],
        Meta(description="Shares of chat, dialog, agent, coder, edge; open loop."),
    ] = field(default_factory=lambda: {"chat": 1.0})


class ProgramsShape(_Section, frozen=True, kw_only=True):
    """Sessions of agents: each step is asked for when the last one is answered and its tool done.

    The keys below `standing` bend the agent's own figures, so that they fit a small fleet.
    """

    agent: Annotated[str, Meta(min_length=1, description="A name in data/agents.json.")]
    rate: Annotated[NotNegative, Meta(description="Sessions begun per second.")] = 0.0
    standing: Annotated[
        int, Meta(ge=0, le=1_000_000, description="Under way at the begin, each at some step.")
    ] = 0
    context_ratio: Annotated[
        Positive, Meta(description="Multiple of all its context but the answers.")
    ] = 1.0
    input_tokens_max: Annotated[
        Count | None, Meta(description="Longest prompt; it compacts beyond. Absent = its own.")
    ] = None
    steps_max: Annotated[Count | None, Meta(description="Only so many steps of each.")] = None
    pause_s_max: Annotated[
        NotNegative | None, Meta(description="Longest pause between steps, s. Absent = its own.")
    ] = None
    tool_failure_ratio: Annotated[
        RatioBelowOne | None, Meta(description="Share of failing tools. Absent = its own.")
    ] = None
    runaway_ratio: Annotated[
        RatioOfOne, Meta(description="Share of sessions that go round in circles half-way.")
    ] = 0.0
    runaway_kinds: Annotated[
        tuple[Literal["repeat", "growth", "compaction"], ...],
        Meta(min_length=1, description="How, in turn."),
    ] = ("repeat", "growth", "compaction")


class TraceShape(_Section, frozen=True, kw_only=True):
    """Load as recorded. Give `rate` or `speed`, or neither."""

    file: Annotated[str, Meta(min_length=1, description="Relative to the scenario.")]
    format: Annotated[
        str, Meta(description="auto, azure, mooncake, bailian, ..., or servegen (statistics).")
    ] = "auto"
    rate: Annotated[Positive | None, Meta(description="Compress time to this mean rate.")] = None
    speed: Annotated[Positive, Meta(description="Compress time by this.")] = 1.0
    limit: Annotated[Count | None, Meta(description="Only the first so many.")] = None
    share: Annotated[
        float, Meta(gt=0, le=1, description="Of the load: whole sessions, or of each client.")
    ] = 1.0
    lengths: Annotated[str, Meta(description="servegen: the file of lengths.")] = ""
    models: Annotated[tuple[str, ...], Meta(description="servegen: only these; () = all.")] = ()


class WorkloadShape(_Section, frozen=True, kw_only=True):
    """Where the requests come from: `generate` or `trace`, and agents' `programs` with or without
    them; `load` multiplies all rates."""

    generate: GenerateShape | None = None
    trace: TraceShape | None = None
    programs: Annotated[
        dict[Name, ProgramsShape], Meta(description="Sessions of agents, by their class.")
    ] = {}
    load: Annotated[Positive, Meta(description="Multiple of the load described.")] = 1.0


class GatewayShape(_Section, frozen=True, kw_only=True):
    """The gateways: how many, how old their views of each other are, and how wrong their clocks."""

    count: Annotated[int, Meta(ge=1, le=128, description="Workers that share the load.")] = 1
    peer_ms: Annotated[Positive, Meta(description="Between two exchanges of work in flight.")] = (
        20.0
    )
    peer_delay_ms: Annotated[NotNegative, Meta(description="Until a peer reads it.")] = 5.0
    bus_delay_ms: Annotated[NotNegative, Meta(description="Control process to worker.")] = 5.0
    skew_ms: Annotated[
        tuple[float, ...], Meta(description="Clock errors, gateway by gateway.")
    ] = ()


class TelemetryShape(_Section, frozen=True, kw_only=True):
    """How engines' metrics are read. 0 = never."""

    interval_ms: Annotated[NotNegative, Meta(description="Between two readings.")] = 100.0
    delay_ms: Annotated[NotNegative, Meta(description="On top of the round trip.")] = 2.0
    loss_ratio: Annotated[RatioOfOne, Meta(description="Share of readings that fail.")] = 0.0


class AutoscalerShape(_Section, frozen=True, kw_only=True):
    """Who scales one pool, within which bounds, and how long a start takes."""

    rule: Annotated[str, Meta(min_length=1, description="governor, or a rival's name: hpa ...")]
    replicas_max: Annotated[int, Meta(ge=1, le=10_000)]
    tuned: Annotated[dict[str, float], Meta(description="Constants unlike its defaults.")] = {}
    replicas_min: Annotated[int, Meta(ge=0)] = 1
    start_s: Annotated[
        tuple[Positive, Positive],
        Meta(description="Start-up delay, median and p99, s (log-normal)."),
    ] = (60.0, 120.0)


class LoopsShape(_Section, frozen=True, kw_only=True):
    """Loops that stand beside a rival router, each by a rival's name; "" = none."""

    retry: Annotated[str, Meta(description="sdk_default or budgeted, in the gateway.")] = ""
    truncation: Annotated[str, Meta(description="threshold_truncation.")] = ""
    budget_usd_per_hour: Annotated[
        NotNegative, Meta(description="Of tokens at list prices, seen by truncation; 0 = none.")
    ] = 0.0
    power: Annotated[str, Meta(description="polca or static_cap; empty = only as needed.")] = ""
    power_low: Annotated[
        tuple[Name, ...], Meta(description="Pools whose work has low priority for that loop.")
    ] = ()
    tuned: Annotated[
        dict[str, dict[str, float]], Meta(description="Constants unlike the defaults, by loop.")
    ] = {}


class Trigger(_Section, frozen=True, kw_only=True):
    """A trouble and its time. `target` = an endpoint, a pool (its first replica) or a site."""

    kind: Literal[
        "spike",
        "replica-loss",
        "slow",
        "telemetry-outage",
        "partition",
        "early-close",
        "budget-cut",
    ]
    at_s: NotNegative
    for_s: Positive
    target: Annotated[str, Meta(description="Whom it strikes; empty = all, where that fits.")] = ""
    factor: Annotated[
        Positive,
        Meta(
            description="spike: of load; slow: of step time; budget-cut: of it; early-close: share."
        ),
    ] = 1.5


class RuleShape(_Section, frozen=True, kw_only=True):
    """Policies in force from a time on; they take the place of those before."""

    cedar: Annotated[str, Meta(min_length=1, description="Cedar policies.")]
    entities: Annotated[str, Meta(description="Entities they speak of, as Cedar's JSON.")] = "[]"
    at_s: Annotated[NotNegative, Meta(description="From then on.")] = 0.0


class PolicyShape(_Section, frozen=True, kw_only=True):
    """The operator's numbers that differ from their defaults, in the core's own names."""

    pricing: dict[str, float] = {}
    resilience: dict[str, float] = {}
    loops: tuple[LoopPolicy, ...] = ()
    foreign_loops: tuple[ForeignLoop, ...] = ()
    tick_s: Positive = 1.0
    rules: Annotated[
        tuple[RuleShape, ...], Meta(max_length=64, description="Policies of authority.")
    ] = ()


class Scenario(_Section, frozen=True, kw_only=True):
    """The whole scenario file."""

    version: Annotated[Literal["v1"], Meta(description="Version of this format.")]
    fleet: FleetShape
    workload: WorkloadShape
    duration_s: Annotated[Positive, Meta(description="Requests come for so long.")]
    warmup_s: Annotated[NotNegative, Meta(description="Not reported.")] = 0.0
    drain_s: Annotated[NotNegative, Meta(description="Time for what is left at the end.")] = 120.0
    seed: Annotated[int, Meta(ge=0, description="All chance comes from it.")] = 1
    core: Annotated[str, Meta(description="governor, observe, or a rival's name.")] = "governor"
    tuned: Annotated[
        dict[str, float], Meta(description="Constants of a rival that are not its own defaults.")
    ] = {}
    policy: PolicyShape = PolicyShape()
    gateways: GatewayShape = GatewayShape()
    clients: ClientRules = ClientRules()
    jitter_ratio: Annotated[NotNegative, Meta(description="Mean network jitter / delay.")] = 0.0
    telemetry: TelemetryShape = TelemetryShape()
    solver_delay_ms: Annotated[NotNegative, Meta(description="Until prices are solved.")] = 20.0
    loops: LoopsShape = LoopsShape()
    autoscalers: Annotated[dict[Name, AutoscalerShape], Meta(description="By pool.")] = {}
    triggers: tuple[Trigger, ...] = ()
    checks: Annotated[bool, Meta(description="Whether invariants are checked inside.")] = True
