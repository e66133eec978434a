"""Which fleet and policy does a scenario describe, and what in it cannot be?

Names that point nowhere, promises that no hardware of the fleet can keep and fleets without
capacity are told as `Fault`s, all at once, by the path of the key at fault.
"""

from difflib import get_close_matches
from math import inf

from msgspec import Struct
from msgspec.structs import asdict, fields, replace

from flyball.dialects.agents import agent_steps
from flyball.dialects.profiles import catalogue
from flyball.dialects.sheets import architectures
from flyball.governor.policy import Policy, Pricing, Resilience
from flyball.model.fleet import Endpoint, Fleet, Pool, Site
from flyball.model.profile import Profile
from flyball.model.request import Promise, RequestClass, SessionRules
from flyball.model.split import Split
from flyball.sim.agents import book
from flyball.sim.cores import core_names
from flyball.sim.governed import OWN, own_loops, unknown_loops
from flyball.sim.program import GROUPS_MAX
from flyball.sim.rivals import AUTOSCALERS, POWER_LOOPS, RETRIES, TRUNCATIONS
from flyball.sim.rivals.constants import rivals
from flyball.sim.scenario import (
    DisaggregationShape,
    FleetShape,
    PolicyShape,
    PoolShape,
    Scenario,
    SessionsShape,
    Trigger,
)
from flyball.sim.workload import KINDS
from flyball.units import bytes_per_second, seconds_from_ms

Path = tuple[str | int, ...]
DEFAULT_CLASS = RequestClass(name="default")
KV_BYTES = 2.0  # of one value of KV in bf16, the engines' default


class Fault(Struct, frozen=True):
    """One thing that cannot be: where, what, and what to do."""

    path: Path
    message: str
    next_step: str


class ScenarioFaults(ValueError):
    """A scenario that cannot be run; `faults` holds all that was found."""

    def __init__(self, faults: list[Fault]) -> None:
        lines = [
            f"{'.'.join(map(str, one.path))}: {one.message}. {one.next_step}" for one in faults
        ]
        super().__init__("\n".join(lines))
        self.faults = faults


def near(word: str, known: list[str]) -> str:
    """`Did you mean 'x'?`, or the list of what there is."""
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"There are: {', '.join(known[:20])}." if known else "There are none."


def build(scenario: Scenario, loaded: tuple[Fleet, Policy] | None = None) -> tuple[Fleet, Policy]:
    """The fleet, with room for every replica that an autoscaler may start, and the policy.

    `loaded` = what the fleet file named by the scenario stands for. Raises ScenarioFaults.
    """
    faults: list[Fault] = []
    described = scenario.fleet
    if loaded is not None and (described.sites or described.pools or described.classes):
        step = "Give `file`, or sites, pools and classes."
        faults.append(Fault(("fleet",), "it is given twice", step))
    if loaded is None:
        fleet, classes = _described(scenario, faults)
    else:
        fleet, classes = loaded[0], loaded[1].classes
    _check_names(scenario, [p.name for p in fleet.pools] if fleet else [], faults)
    base = loaded[1] if loaded else Policy(classes=classes)
    policy = _policy(base, scenario.policy, faults)
    faults += [Fault(path, text, step) for path, text, step in unknown_loops(scenario)]
    if scenario.policy.rules:
        from flyball.sim.rules import rule_faults

        faults += [Fault(*found) for found in rule_faults(scenario.policy.rules)]
    if fleet is not None:
        _check_triggers(scenario.triggers, fleet, faults)
        _check_promises(fleet, policy.classes, faults)
        _check_programs(scenario, fleet, policy.classes, faults)
    if faults or fleet is None:
        raise ScenarioFaults(faults)
    mode = "observe" if scenario.core == "observe" else "enforce"
    policy = replace(policy, mode=mode, principals=(), refuse_without_ledger=False)
    foreign = scenario.policy.foreign_loops or policy.foreign_loops
    policy = replace(policy, loops=own_loops(scenario) or policy.loops, foreign_loops=foreign)
    return fleet, policy


def replicas_of(scenario: Scenario, pool: str) -> tuple[int, int]:
    """(how many run at the start, how many there can be) of a pool described in the scenario."""
    shape = scenario.fleet.pools[pool]
    scaler = scenario.autoscalers.get(pool)
    return shape.replicas, max(shape.replicas, scaler.replicas_max if scaler else 0)


def _described(
    scenario: Scenario, faults: list[Fault]
) -> tuple[Fleet | None, tuple[RequestClass, ...]]:
    shape = scenario.fleet
    sites = [
        Site(
            name=name,
            jurisdiction=site.jurisdiction,
            tier=site.tier,
            rtt_s=seconds_from_ms(site.rtt_ms),
            power_watts_max=site.power_watts_max or inf,
            usd_per_kwh=site.usd_per_kwh,
        )
        for name, site in shape.sites.items()
    ]
    pools: list[Pool] = []
    for name, pool in shape.pools.items():
        profile = _profile(name, pool, faults)
        if pool.site not in shape.sites:
            step = near(pool.site, list(shape.sites))
            faults.append(Fault(("fleet", "pools", name, "site"), f"no site {pool.site!r}", step))
        elif profile is not None:
            pools.append(_pool(name, pool, profile, faults))
    _check_capacity(scenario, faults)
    classes = _classes(shape)
    if faults:
        return None, classes
    endpoints = [
        Endpoint(name=f"{pool.name}-{i}", pool=pool.name, url="", metrics_url="simulated")
        for pool in pools
        for i in range(replicas_of(scenario, pool.name)[1])
    ]
    return Fleet(sites=tuple(sites), pools=tuple(pools), endpoints=tuple(endpoints)), classes


def _profile(name: str, pool: PoolShape, faults: list[Fault]) -> Profile | None:
    known = catalogue()
    profile = known.get(pool.profile)
    if profile is None:
        path = ("fleet", "pools", name, "profile")
        step = near(pool.profile, list(known))
        faults.append(Fault(path, f"there is no profile named {pool.profile!r}", step))
    elif pool.usd_per_hour is not None:
        return replace(profile, usd_per_hour=pool.usd_per_hour)
    return profile


def _pool(name: str, pool: PoolShape, profile: Profile, faults: list[Fault]) -> Pool:
    split = _split(name, pool.disaggregation, profile, faults) if pool.disaggregation else None
    return Pool(
        name=name,
        site=pool.site,
        models=pool.models or (profile.model,),
        engine=pool.engine,
        profile=split.as_one() if split else profile,
        prefix_cache=pool.prefix_cache,
        split=split,
    )


def _split(
    name: str, shape: DisaggregationShape, profile: Profile, faults: list[Fault]
) -> Split | None:
    token_bytes, model = shape.kv_token_bytes, architectures().get(profile.model)
    if token_bytes is None and model is not None:
        token_bytes = KV_BYTES * model.kv_values_per_layer * model.kv_layers
    if token_bytes is None:
        path = ("fleet", "pools", name, "disaggregation", "kv_token_bytes")
        step = "Say how many bytes of KV one token has."
        faults.append(Fault(path, f"the shape of model {profile.model!r} is not known", step))
        return None
    return Split(
        engine=profile,
        prefill=shape.prefill_replicas,
        decode=shape.decode_replicas,
        link_bytes_s=bytes_per_second(shape.kv_link_gbps),
        link_latency_s=seconds_from_ms(shape.kv_link_ms),
        kv_token_bytes=token_bytes,
        parts=shape.kv_link_parts,
    )


def _sessions(shape: SessionsShape | None) -> SessionRules | None:
    if shape is None:
        return None
    given = asdict(shape)
    return SessionRules(steps=agent_steps().get(given.pop("agent"), ()), **given)


def _classes(shape: FleetShape) -> tuple[RequestClass, ...]:
    classes = [
        RequestClass(
            name=name,
            value_usd=one.value_usd,
            promise=Promise(
                ttft_s=seconds_from_ms(one.ttft_ms),
                tpot_s=seconds_from_ms(one.tpot_ms),
                e2e_s=seconds_from_ms(one.e2e_ms),
            ),
            jurisdictions=one.jurisdictions,
            data_class=one.data_class,
            data_home=one.data_home,
            purpose=one.purpose,
            sheddable=one.sheddable,
            queue_s_max=None if one.queue_ms_max is None else seconds_from_ms(one.queue_ms_max),
            output_tokens_mean=one.output_tokens_mean,
            deadline_s=one.deadline_s,
            context=one.context,
            output=one.output,
            tiers=one.tiers,
            allow_hedge=one.allow_hedge,
            sessions=_sessions(one.sessions),
        )
        for name, one in shape.classes.items()
    ]
    return tuple(classes) or (DEFAULT_CLASS,)


def _check_capacity(scenario: Scenario, faults: list[Fault]) -> None:
    shape = scenario.fleet
    if not shape.pools:
        faults.append(Fault(("fleet",), "it has no pools", "Give `pools`, or `file`."))
    elif not any(replicas_of(scenario, name)[1] for name in shape.pools):
        step = "Give at least one pool a replica."
        faults.append(Fault(("fleet", "pools"), "the fleet has no capacity at all", step))


def _check_names(scenario: Scenario, pools: list[str], faults: list[Fault]) -> None:
    work = scenario.workload
    if (work.generate is not None) + (work.trace is not None) != 1 and not (
        work.programs and work.generate is work.trace is None
    ):
        step = "Give one of `generate` and `trace`."
        faults.append(Fault(("workload",), "exactly one source of load is needed", step))
    for name in work.generate.mix if work.generate else ():
        if name not in KINDS:
            path = ("workload", "generate", "mix", name)
            faults.append(Fault(path, f"no kind of work {name!r}", near(name, list(KINDS))))
    if work.generate and not sum(work.generate.mix.values()):
        step = "Give at least one kind a share above 0."
        faults.append(Fault(("workload", "generate", "mix"), "all shares are 0", step))
    if scenario.core not in core_names():
        step = near(scenario.core, core_names())
        faults.append(Fault(("core",), f"no core is named {scenario.core!r}", step))
    for name, scaler in scenario.autoscalers.items():
        if scaler.rule not in (OWN, *AUTOSCALERS):
            path = ("autoscalers", name, "rule")
            step = near(scaler.rule, [OWN, *AUTOSCALERS])
            faults.append(Fault(path, f"no autoscaler is named {scaler.rule!r}", step))
        if scaler.replicas_min > scaler.replicas_max:
            path = ("autoscalers", name, "replicas_min")
            faults.append(Fault(path, "it is above replicas_max", "Give the smaller number here."))
        if pools and name not in pools:
            faults.append(Fault(("autoscalers", name), f"no pool {name!r}", near(name, pools)))
        elif scenario.fleet.file:
            step = "Describe the pools in the scenario to scale them."
            faults.append(Fault(("autoscalers", name), "a fleet file's pools are fixed", step))
    _check_tuned(scenario, faults)
    for kind, table in (("retry", RETRIES), ("truncation", TRUNCATIONS), ("power", POWER_LOOPS)):
        rule: str = getattr(scenario.loops, kind)
        if rule and rule not in table and (kind, rule) != ("power", OWN):
            step = near(rule, list(table))
            faults.append(Fault(("loops", kind), f"no {kind} loop is named {rule!r}", step))
    if scenario.warmup_s >= scenario.duration_s:
        step = "Make it shorter than duration_s."
        faults.append(Fault(("warmup_s",), "nothing is left to report", step))


def _check_programs(
    scenario: Scenario, fleet: Fleet, classes: tuple[RequestClass, ...], faults: list[Fault]
) -> None:
    """Sessions need a class, an agent, a beginning, and a pool that can hold their context."""
    known, names = book().agents, [klass.name for klass in classes]
    shapes = scenario.workload.programs
    if len(shapes) > GROUPS_MAX:
        text = f"{len(shapes)} classes of sessions, at most {GROUPS_MAX} are told apart"
        faults.append(Fault(("workload", "programs"), text, "Join some of them."))
    longest = max((pool.profile.limits.kv_tokens_max for pool in fleet.pools), default=0)
    for name, shape in shapes.items():
        path = ("workload", "programs", name)
        if name not in names:
            faults.append(Fault(path, f"no class {name!r}", near(name, names)))
        if not (shape.rate or shape.standing):
            step = "Give `rate` or `standing` a value above 0."
            faults.append(Fault(path, "no session would ever begin", step))
        agent = known.get(shape.agent)
        if agent is None:
            step = near(shape.agent, list(known))
            faults.append(Fault((*path, "agent"), f"no agent is named {shape.agent!r}", step))
            continue
        answer = int(agent.output_tokens[-1][1])
        if (shape.input_tokens_max or agent.input_tokens_max) + answer > longest:
            text = f"no pool holds its longest prompt and an answer of {answer:,} tokens"
            step = f"Set input_tokens_max to at most {max(1, longest - answer):,}."
            faults.append(Fault((*path, "input_tokens_max"), text, step))


def _check_tuned(scenario: Scenario, faults: list[Fault]) -> None:
    """Constants are replaced by name: one that a rival has not would be lost in silence."""
    said: list[tuple[Path, str, dict[str, float]]] = [(("tuned",), scenario.core, scenario.tuned)]
    said += [
        (("autoscalers", pool, "tuned"), one.rule, one.tuned)
        for pool, one in scenario.autoscalers.items()
    ]
    said += [(("loops", "tuned", name), name, v) for name, v in scenario.loops.tuned.items()]
    for path, name, tuned in said:
        known = rivals().get(name)
        names = [constant.name for constant in known.constants] if known else []
        for key in tuned:
            if key not in names:
                text = f"{name!r} has no constant {key!r}"
                faults.append(Fault((*path, key), text, near(key, names)))


def _policy(base: Policy, shape: PolicyShape, faults: list[Fault]) -> Policy:
    for name, kind in (("pricing", Pricing), ("resilience", Resilience)):
        known = [field.name for field in fields(kind)]
        given: dict[str, float] = getattr(shape, name)
        for key in given:
            if key not in known:
                path = ("policy", name, key)
                faults.append(Fault(path, f"unknown key {key!r}", near(key, known)))
    if faults:
        return base
    whole = {key: int(value) if key.endswith("_max") and key[0] in "ahic" else value
             for key, value in shape.resilience.items()}  # fmt: skip
    return replace(
        base,
        pricing=replace(base.pricing, **shape.pricing),
        resilience=replace(base.resilience, **whole),
        tick_s=shape.tick_s,
    )


def _check_triggers(triggers: tuple[Trigger, ...], fleet: Fleet, faults: list[Fault]) -> None:
    known = [endpoint.name for endpoint in fleet.endpoints]
    known += [pool.name for pool in fleet.pools] + [site.name for site in fleet.sites]
    for i, trigger in enumerate(triggers):
        if trigger.target and trigger.target not in known:
            path = ("triggers", i, "target")
            step = near(trigger.target, known)
            faults.append(Fault(path, f"nothing is named {trigger.target!r}", step))


def _check_promises(fleet: Fleet, classes: tuple[RequestClass, ...], faults: list[Fault]) -> None:
    """A promise below what the fastest idle replica needs can never be kept."""
    for klass in classes:
        promise = klass.promise
        places = [
            (fleet.site_of(pool).rtt_s, pool.profile)
            for pool in fleet.pools
            if not klass.jurisdictions or fleet.site_of(pool).jurisdiction in klass.jurisdictions
        ]
        path = ("fleet", "classes", klass.name)
        if not places:
            step = "Allow another jurisdiction, or add a pool there."
            faults.append(Fault(path, "no pool stands where this class may run", step))
            continue
        step_s = min(profile.decode.base_s for _, profile in places)
        first_s = min(rtt_s + profile.mixed.base_s for rtt_s, profile in places)
        if 0.0 < promise.tpot_s < step_s:
            text = f"no replica makes a token in {promise.tpot_s * 1e3:g} ms"
            faults.append(Fault((*path, "tpot_ms"), text, f"The fastest needs {step_s * 1e3:g}."))
        if 0.0 < promise.ttft_s < first_s:
            text = f"no replica answers within {promise.ttft_s * 1e3:g} ms"
            faults.append(Fault((*path, "ttft_ms"), text, f"The nearest needs {first_s * 1e3:g}."))
