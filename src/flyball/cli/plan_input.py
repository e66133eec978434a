"""What does a plan file ask to be placed, or what is wrong with it and where?"""

from math import inf
from pathlib import Path

import click
import msgspec

from flyball.cli import plan_paths
from flyball.cli.benchfiles import start_profile
from flyball.cli.file_shape import check_shape, raise_if_bad, read
from flyball.cli.plan_shape import ClassShape, PlanShape, SiteShape, schema
from flyball.dialects.profiles import catalogue
from flyball.dialects.sheets import accelerators
from flyball.model.fleet import Site
from flyball.model.profile import Profile
from flyball.model.request import Promise, RequestClass
from flyball.pricing.placement import Asset, Flow, Option, Placement
from flyball.pricing.work import Sizes
from flyball.serve.config.errors import did_you_mean, listed
from flyball.serve.config.text import Document
from flyball.units import Seconds, Usd, seconds_from_ms

HINT = "Correct it: `flyball plan --schema`."


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The problem of a plan file. `notes` = what was assumed in reading it."""

    name: str
    placement: Placement
    notes: tuple[str, ...]


def load(path: str) -> Asked:
    """Read and check; raises file_shape.CannotUse with every fault, each with file:line:column."""
    document = read(path)
    if isinstance(document.data, dict):
        check_shape(document, schema(), HINT)
    raise_if_bad(document)
    shape = msgspec.convert(document.data, PlanShape)
    profiles = _profiles(shape, document)
    sites = list(shape.sites.items())
    assets = _assets(shape, profiles, document)
    paths, notes = _paths(shape, Path(path).parent, document)
    flows = _flows(shape, profiles, paths, document)
    raise_if_bad(document)
    placement = Placement(
        sites=tuple(_site(name, site) for name, site in sites),
        assets=assets,
        options=tuple(
            Option(asset_index=place, profile=profile)
            for place, asset in enumerate(assets)
            for profile in profiles
            if profile.accelerator == asset.accelerator
        ),
        flows=flows,
        z=shape.demand_sds,
        in_time=shape.in_time,
    )
    return Asked(name=Path(path).stem, placement=placement, notes=tuple(notes))


def _site(name: str, shape: SiteShape) -> Site:
    return Site(
        name=name,
        jurisdiction=shape.jurisdiction,
        tier=shape.tier,
        power_watts_max=shape.power_watts_max or inf,
        usd_per_kwh=shape.usd_per_kwh,
    )


def _profiles(shape: PlanShape, document: Document) -> list[Profile]:
    """What may run, of the models asked for."""
    models = {one.model for one in shape.classes.values()}
    known = catalogue()
    found: list[Profile] = []
    for place, name in enumerate(shape.profiles):
        try:
            found.append(start_profile(name, None, None))
        except (ValueError, click.ClickException) as error:
            step = (
                f"{did_you_mean(name, known)}Catalogue names stand in the fleet file's reference."
            )
            document.fault(("profiles", place), str(error), step)
    if not shape.profiles:
        found = [profile for profile in known.values() if profile.model in models]
    names = [profile.name for profile in found]
    for place, name in enumerate(names):
        if name in names[:place]:
            document.fault(("profiles", place), f"{name!r} stands twice", "Keep one of them.")
    return found


def _assets(shape: PlanShape, profiles: list[Profile], document: Document) -> tuple[Asset, ...]:
    """Every kind of accelerator at every site, there or not: what is not there has a price too."""
    kinds = list(dict.fromkeys(profile.accelerator for profile in profiles))
    found: list[Asset] = []
    for number, (name, site) in enumerate(shape.sites.items()):
        for key in ("owned", "rent"):
            for kind in getattr(site, key):
                if kind not in kinds:
                    _unknown_kind(("sites", name, key, kind), kind, kinds, document)
        for kind in kinds:
            rent = site.rent.get(kind)
            price = rent.usd_per_hour if rent else None
            found.append(
                Asset(
                    site_index=number,
                    accelerator=kind,
                    owned=site.owned.get(kind, 0),
                    rent_max=rent.max if rent else 0,
                    usd_per_hour=_list_usd(kind, profiles) if price is None else price,
                )
            )
    return tuple(found)


def _unknown_kind(path: tuple[str, ...], kind: str, kinds: list[str], document: Document) -> None:
    if kind in accelerators():
        what = f"no profile here runs on {kind}"
        step = f"Add one under `profiles`, or take it away. There are {listed(kinds)}."
    else:
        what = f"no accelerator {kind!r}"
        step = f"{did_you_mean(kind, kinds)}There are {listed(kinds)}."
    document.fault(path, what, step, at="key")


def _list_usd(kind: str, profiles: list[Profile]) -> Usd:
    sheet = accelerators().get(kind)
    if sheet is not None:
        return sheet.usd_per_hour
    one = next(profile for profile in profiles if profile.accelerator == kind)
    return one.usd_per_hour / one.accelerators


def _paths(
    shape: PlanShape, folder: Path, document: Document
) -> tuple[dict[str, tuple[Seconds, ...]], list[str]]:
    """Round trips from every origin to every site in order, and how many of them are estimates."""
    found = plan_paths.matrix(shape.rtts, folder, document)
    for key, places in (("origins", shape.origins), ("sites", shape.sites)):
        for name, place in places.items():
            plan_paths.check_regions(found, key, name, place.region, document)
    for name, site in shape.sites.items():
        for origin in site.rtt_ms:
            if origin not in shape.origins:
                step = f"{did_you_mean(origin, shape.origins)}There are {listed(shape.origins)}."
                document.fault(("sites", name, "rtt_ms", origin), "no such origin", step, at="key")
    paths: dict[str, tuple[Seconds, ...]] = {}
    estimated = 0
    for origin in shape.origins.items():
        row: list[Seconds] = []
        for site in shape.sites.items():
            path = plan_paths.rtt_s(origin, site, found)
            if path is None:
                step = (
                    "Give `rtt_ms` there, a `region` to both with a file `rtts`, or `at` to both."
                )
                message = f"no round trip from {origin[0]!r} is known"
                document.fault(("sites", site[0]), message, step, at="key")
                continue
            row.append(path[0])
            estimated += path[1] == "estimated"
        paths[origin[0]] = tuple(row)
    notes = [f"{estimated} round trips are estimates from the distance"] if estimated else []
    return paths, notes


def _flows(
    shape: PlanShape,
    profiles: list[Profile],
    paths: dict[str, tuple[Seconds, ...]],
    document: Document,
) -> tuple[Flow, ...]:
    models = list(dict.fromkeys(profile.model for profile in profiles))
    for name, one in shape.classes.items():
        if one.model not in models:
            step = f"{did_you_mean(one.model, models)}There are {listed(models)}."
            document.fault(("classes", name, "model"), f"nothing runs {one.model!r}", step)
    found: list[Flow] = []
    for name, origins in shape.demand.items():
        if name not in shape.classes:
            step = f"{did_you_mean(name, shape.classes)}There are {listed(shape.classes)}."
            document.fault(("demand", name), f"no class {name!r}", step, at="key")
            continue
        one = shape.classes[name]
        for origin, demand in origins.items():
            if origin not in paths:
                step = f"{did_you_mean(origin, paths)}There are {listed(paths)}."
                document.fault(("demand", name, origin), f"no origin {origin!r}", step, at="key")
                continue
            found.append(
                Flow(
                    klass=_class(name, one),
                    origin=origin,
                    model=one.model,
                    sizes=Sizes(one.input_tokens, one.output_tokens, one.cached_ratio),
                    rate_per_s=demand.rate,
                    rate_sd_per_s=demand.sd,
                    rtt_s=paths[origin],
                    served_min=one.served_min,
                )
            )
    if not found and not document.is_bad:
        step = "Give each class its origins with a `rate`."
        document.fault(("demand",), "nothing is asked for", step)
    return tuple(found)


def _class(name: str, shape: ClassShape) -> RequestClass:
    return RequestClass(
        name=name,
        value_usd=shape.value_usd,
        promise=Promise(
            ttft_s=seconds_from_ms(shape.ttft_ms),
            tpot_s=seconds_from_ms(shape.tpot_ms),
            e2e_s=seconds_from_ms(shape.e2e_ms),
        ),
        jurisdictions=shape.jurisdictions,
        output_tokens_mean=max(1, round(shape.output_tokens)),
    )
