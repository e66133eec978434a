"""What is the fleet made of: sites, pools, endpoints?"""

from typing import Literal

from msgspec import Struct

from flyball.model.profile import Profile
from flyball.model.split import Split
from flyball.units import Seconds, Usd, Watts

Tier = Literal["edge", "regional", "central"]
EngineKind = Literal["vllm", "sglang", "trtllm", "llamacpp", "ollama", "openai", "oip"]
Surface = Literal["openai", "anthropic", "oip"]


class Site(Struct, frozen=True, kw_only=True):
    """A place with a jurisdiction, a tier, a distance from this gateway and a power limit.

    `link_bytes_per_s_max` and `link_usd_per_byte` are those of the path from here to it.
    `operator` and `certificates` are what policy may ask of it.
    """

    name: str
    jurisdiction: str
    tier: Tier = "central"
    rtt_s: Seconds = 0.0
    power_watts_max: Watts = float("inf")
    usd_per_kwh: Usd = 0.0
    link_bytes_per_s_max: float = float("inf")
    link_usd_per_byte: Usd = 0.0
    operator: str = ""
    certificates: tuple[str, ...] = ()


class Pool(Struct, frozen=True, kw_only=True):
    """Endpoints of one model, accelerator and engine configuration at one site.

    Each of `models` is a name a client may ask for; `served_model` is what the engine calls it
    ("" = the name the client used). Token prices are for endpoints bought per token. `split` says
    how the engines behind each endpoint share its work, where there are several: then `profile` is
    the endpoint's as a whole. `operator` "" and `certificates` () = as its site's.
    """

    name: str
    site: str
    models: tuple[str, ...]
    engine: EngineKind
    profile: Profile
    served_model: str = ""
    surfaces: tuple[Surface, ...] = ("openai",)
    prefix_cache: bool = True
    usd_per_million_input_tokens: Usd = 0.0
    usd_per_million_output_tokens: Usd = 0.0
    split: Split | None = None
    operator: str = ""
    certificates: tuple[str, ...] = ()


class Endpoint(Struct, frozen=True, kw_only=True):
    """One engine replica.

    `url` is scheme://host:port[/base-path]; `metrics_url` "" = not scraped.
    """

    name: str
    pool: str
    url: str
    metrics_url: str = ""


class Fleet(Struct, frozen=True, kw_only=True):
    """The whole: endpoints are numbered by their place in `endpoints`; raises ValueError if a name
    is double or points nowhere."""

    sites: tuple[Site, ...]
    pools: tuple[Pool, ...]
    endpoints: tuple[Endpoint, ...]

    def __post_init__(self) -> None:
        site_names = _unique("site", [site.name for site in self.sites])
        pool_names = _unique("pool", [pool.name for pool in self.pools])
        _unique("endpoint", [endpoint.name for endpoint in self.endpoints])
        for pool in self.pools:
            if pool.site not in site_names:
                raise ValueError(f"pool {pool.name!r} names an unknown site {pool.site!r}")
        for endpoint in self.endpoints:
            if endpoint.pool not in pool_names:
                raise ValueError(
                    f"endpoint {endpoint.name!r} names an unknown pool {endpoint.pool!r}"
                )

    def pool(self, name: str) -> Pool:
        """The pool of that name; KeyError if there is none."""
        return {pool.name: pool for pool in self.pools}[name]

    def site_of(self, pool: Pool) -> Site:
        """The site where that pool stands."""
        return {site.name: site for site in self.sites}[pool.site]


def _unique(noun: str, names: list[str]) -> set[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two {noun}s are named {name!r}")
        seen.add(name)
    return seen
