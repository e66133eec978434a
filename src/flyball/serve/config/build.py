"""What do a file's sections mean in the model's own nouns and units?"""

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

import msgspec
from msgspec import Struct

from flyball.dialects.engines import ENGINES
from flyball.governor.policy import Policy, Pricing, Promises, Resilience
from flyball.model.fleet import Endpoint, Fleet, Pool, Site
from flyball.model.profile import PowerCurve, Profile, StepCost
from flyball.model.request import (
    ContextRule,
    ModelTier,
    OutputRule,
    Principal,
    Promise,
    RequestClass,
)
from flyball.serve.config.diagnosis import build_diagnosis
from flyball.serve.config.errors import did_you_mean, listed
from flyball.serve.config.model import (
    FleetFile,
    PoolSection,
    ProfileSection,
    SiteSection,
    StepCostSection,
)
from flyball.serve.config.planning import build_budgets
from flyball.serve.config.references import NOT_SCRAPED, endpoint_name, endpoint_section
from flyball.serve.config.sessions import build_sessions
from flyball.serve.config.steering import build_foreign, build_loops
from flyball.serve.config.text import Document
from flyball.units import BYTES_PER_GB, MS_PER_S, US_PER_S, bytes_per_second

NS_PER_S = 1e9
_METRICS_ELSEWHERE = frozenset({"oip"})  # Triton and MLServer tell metrics on another port
_SCALES = {"ms": MS_PER_S, "us": US_PER_S, "ns": NS_PER_S}


def in_seconds(section: Struct) -> dict[str, Any]:
    """A section's values with `_ms`, `_us` and `_ns` turned into `_s`, names too."""
    out: dict[str, Any] = {}
    for name, value in msgspec.structs.asdict(section).items():
        parts = name.split("_")
        scale = next((part for part in parts if part in _SCALES), None)
        if scale is None:
            out[name] = value
        else:
            renamed = "_".join("s" if part == scale else part for part in parts)
            out[renamed] = None if value is None else value / _SCALES[scale]
    return out


def build_profiles(
    file: FleetFile, document: Document, catalogue: Mapping[str, Profile]
) -> dict[str, Profile]:
    """Each pool's profile; a name that the catalogue has not, or an override that contradicts
    itself, becomes a fault and that pool is left out."""
    found: dict[str, Profile] = {}
    for name, pool in file.pools.items():
        section = pool.profile
        base = section if isinstance(section, str) else section.base
        path = ("pools", name, "profile", *(() if isinstance(section, str) else ("base",)))
        if base not in catalogue:
            document.fault(
                path,
                f"there is no profile named {base!r}",
                f"{did_you_mean(base, catalogue)}Known: {listed(catalogue, most=20)}.",
            )
            continue
        try:
            found[name] = _profile(pool, catalogue[base])
        except ValueError as error:
            document.fault(("pools", name, "profile"), str(error), "Correct the figure.")
    return found


def _profile(pool: PoolSection, base: Profile) -> Profile:
    profile = base
    if isinstance(pool.profile, ProfileSection):
        profile = _overridden(base, pool.profile)
    if pool.usd_per_hour is not None:
        profile = msgspec.structs.replace(profile, usd_per_hour=pool.usd_per_hour)
    return profile


def _overridden(base: Profile, section: ProfileSection) -> Profile:
    given = {name: value for name, value in in_seconds(section).items() if value is not None}
    power = _some(given, PowerCurve)
    changed: dict[str, Any] = {
        "limits": msgspec.structs.replace(base.limits, **_some(given, type(base.limits))),
        "power": msgspec.structs.replace(base.power, **power),
    }
    if changed["power"].idle_watts > changed["power"].full_watts:
        raise ValueError("idle_watts is above full_watts")
    for name in ("decode", "mixed"):
        if isinstance(step := given.get(name), StepCostSection):
            changed[name] = StepCost(**in_seconds(step))
    if "request_overhead_s" in given:
        changed["request_overhead_s"] = given["request_overhead_s"]
    return msgspec.structs.replace(base, **changed, source=f"{base.source} (overridden)".strip())


def _some(given: Mapping[str, Any], struct: type[Struct]) -> dict[str, Any]:
    return {name: given[name] for name in struct.__struct_fields__ if name in given}


def build_fleet(file: FleetFile, profiles: Mapping[str, Profile]) -> Fleet:
    """The fleet; raises ValueError where names are double or point nowhere (checked before)."""
    return Fleet(
        sites=tuple(_site(name, site) for name, site in file.sites.items()),
        pools=tuple(_pool(name, pool, profiles[name]) for name, pool in file.pools.items()),
        endpoints=tuple(
            endpoint for name, pool in file.pools.items() for endpoint in _endpoints(name, pool)
        ),
    )


def _site(name: str, site: SiteSection) -> Site:
    fields = in_seconds(site)
    if fields["power_watts_max"] is None:
        del fields["power_watts_max"]
    gbps = fields.pop("link_gbps")
    return Site(
        name=name,
        link_bytes_per_s_max=bytes_per_second(gbps) if gbps is not None else inf,
        link_usd_per_byte=fields.pop("link_usd_per_gb") / BYTES_PER_GB,
        **fields,
    )


def _pool(name: str, pool: PoolSection, profile: Profile) -> Pool:
    return Pool(
        name=name,
        site=pool.site,
        models=pool.models,
        engine=pool.engine,
        profile=profile,
        served_model=pool.served_model,
        surfaces=ENGINES[pool.engine].surfaces if pool.surfaces is None else pool.surfaces,
        prefix_cache=pool.prefix_cache,
        usd_per_million_input_tokens=pool.usd_per_million_input_tokens,
        usd_per_million_output_tokens=pool.usd_per_million_output_tokens,
        operator=pool.operator,
        certificates=pool.certificates,
    )


def _endpoints(pool_name: str, pool: PoolSection) -> Iterable[Endpoint]:
    for i, entry in enumerate(pool.endpoints):
        section = endpoint_section(entry)
        url = section.url.rstrip("/")
        metrics_url = section.metrics_url
        if metrics_url is None:
            path = ENGINES[pool.engine].metrics_path
            metrics_url = url + path if path and pool.engine not in _METRICS_ELSEWHERE else ""
        yield Endpoint(
            name=endpoint_name(pool_name, i, entry),
            pool=pool_name,
            url=url,
            metrics_url="" if metrics_url == NOT_SCRAPED else metrics_url,
        )


def build_classes(file: FleetFile) -> tuple[RequestClass, ...]:
    """The classes in the file's order; one named `default` if the file names none."""
    classes: list[RequestClass] = []
    for name, section in file.classes.items():
        fields = in_seconds(section)
        fields.update(in_seconds(fields.pop("contract")))
        promise = Promise(**{key: fields.pop(key) for key in Promise.__struct_fields__})
        if fields["realtime"] and promise.e2e_s:
            fields["deadline_s"] = min(fields["deadline_s"], promise.e2e_s)
        fields["context"] = msgspec.convert(section.context, ContextRule, from_attributes=True)
        fields["output"] = msgspec.convert(section.output, OutputRule, from_attributes=True)
        fields["tiers"] = tuple(
            ModelTier(model=tier.model, value_ratio=tier.value_ratio) for tier in section.tiers
        )
        fields["sessions"] = build_sessions(section.sessions)
        classes.append(RequestClass(name=name, promise=promise, **fields))
    return tuple(classes) or (RequestClass(name="default"),)


def build_principals(file: FleetFile, keys: Mapping[str, str]) -> tuple[Principal, ...]:
    """The principals whose key is known."""
    return tuple(
        Principal(
            name=name,
            key_sha256=keys[name],
            classes=party.classes,
            models=party.models,
            jurisdictions=party.jurisdictions,
            default_class=party.default_class,
        )
        for name, party in file.principals.items()
        if name in keys
    )


def build_policy(
    file: FleetFile, classes: tuple[RequestClass, ...], principals: tuple[Principal, ...]
) -> Policy:
    """All that the operator decides, apart from the fleet."""
    pricing = in_seconds(file.pricing)
    tick_s = pricing.pop("tick_s")
    return Policy(
        classes=classes,
        principals=principals,
        mode=file.mode,
        baseline=file.baseline,
        pricing=Pricing(**pricing),
        resilience=Resilience(**in_seconds(file.resilience)),
        promises=Promises(**in_seconds(file.promises)),
        refuse_without_ledger=file.ledger.on_fault == "refuse",
        workers=file.listen.workers,
        tick_s=tick_s,
        loops=build_loops(file.loops),
        foreign_loops=build_foreign(file.foreign_loops),
        budgets=build_budgets(file.budgets),
        diagnosis=build_diagnosis(file.diagnosis),
    )
