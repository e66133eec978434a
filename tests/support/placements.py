"""Which placements do the tests draw?"""

import random

from flyball.dialects.profiles import catalogue
from flyball.model.fleet import Site
from flyball.model.profile import Profile
from flyball.model.request import Promise, RequestClass
from flyball.pricing.placement import Asset, Flow, Option, Placement
from flyball.pricing.work import Sizes

PLACES = ("EU", "US", "NO")
PROFILES = ("h100/llama-3.1-8b", "a100/llama-3.1-8b", "l40s/llama-3.1-8b", "l4/llama-3.1-8b")


def profiles(*names: str) -> list[Profile]:
    return [catalogue()[name] for name in names or PROFILES]


def flow(name: str = "chat", sites: int = 1, rate: float = 10.0, **fields: object) -> Flow:
    """Chat of the Azure lengths, at 20 ms from every site, unless told otherwise."""
    klass = RequestClass(
        name=name,
        value_usd=float(fields.pop("value_usd", 0.01)),  # type: ignore[arg-type]
        promise=fields.pop("promise", Promise(ttft_s=1.0, tpot_s=0.06)),  # type: ignore[arg-type]
        jurisdictions=fields.pop("jurisdictions", ()),  # type: ignore[arg-type]
    )
    whole: dict[str, object] = {
        "klass": klass,
        "origin": "here",
        "model": "llama-3.1-8b",
        "sizes": Sizes(1155.0, 211.0),
        "rate_per_s": rate,
        "rtt_s": (0.02,) * sites,
        **fields,
    }
    return Flow(**whole)  # type: ignore[arg-type]


def placement(
    flows: list[Flow],
    assets: list[Asset],
    sites: list[Site] | None = None,
    of: list[Profile] | None = None,
    **fields: float,
) -> Placement:
    """Every profile on every asset of its accelerator; one site in the EU unless told otherwise."""
    runs = of if of is not None else profiles()
    return Placement(
        sites=tuple(sites or [Site(name="here", jurisdiction="EU", usd_per_kwh=0.1)]),
        assets=tuple(assets),
        options=tuple(
            Option(asset_index=place, profile=profile)
            for place, asset in enumerate(assets)
            for profile in runs
            if profile.accelerator == asset.accelerator
        ),
        flows=tuple(flows),
        **fields,
    )


def drawn(seed: int, flows: int, sites: int, kinds: int, most: int) -> Placement:
    """Unlike sites, prices, promises and rules; at most `most` accelerators of a kind at a site."""
    draw = random.Random(seed)
    runs = profiles()[:kinds]
    places = [
        Site(
            name=f"site-{number}",
            jurisdiction=PLACES[number % len(PLACES)],
            power_watts_max=draw.uniform(300.0, 3000.0) if draw.random() < 0.5 else float("inf"),
            usd_per_kwh=draw.uniform(0.05, 0.3),
        )
        for number in range(sites)
    ]
    assets: list[Asset] = []
    for number in range(sites):
        for profile in runs:
            owned = draw.randint(0, most)
            assets.append(
                Asset(
                    site_index=number,
                    accelerator=profile.accelerator,
                    owned=owned,
                    rent_max=draw.randint(0, most - owned),
                    usd_per_hour=draw.uniform(1.0, 9.0),
                )
            )
    asked = [
        flow(
            f"class-{number}",
            sites,
            rate=draw.uniform(0.5, 12.0),
            value_usd=draw.uniform(0.00005, 0.002),
            promise=Promise(ttft_s=draw.uniform(0.3, 2.0), tpot_s=draw.uniform(0.03, 0.1)),
            jurisdictions=() if draw.random() < 0.6 else (draw.choice(PLACES),),
            sizes=Sizes(draw.uniform(200, 3000), draw.uniform(50, 400)),
            rtt_s=tuple(draw.uniform(0.002, 0.15) for _ in range(sites)),
            rate_sd_per_s=draw.uniform(0.0, 0.5),
            served_min=draw.choice((0.0, 0.0, 0.5)),
        )
        for number in range(flows)
    ]
    return placement(asked, assets, places, runs)
