"""Which keys may a plan file have? (YAML, version v1; keys carry their unit.)"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from flyball.model.fleet import Tier

NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Count = Annotated[int, Meta(ge=0, le=100_000)]
RENT_MAX = 1_000


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every section refuses keys that it does not know."""


class OriginShape(_Section, frozen=True, kw_only=True):
    """Where requests come from."""

    region: Annotated[str, Meta(description="Its name in the file `rtts`.")] = ""
    at: Annotated[
        tuple[float, float] | None, Meta(description="Latitude and longitude, degrees.")
    ] = None
    access_ms: Annotated[NotNegative, Meta(description="Last mile, added to every path, ms.")] = 0.0


class RentShape(_Section, frozen=True, kw_only=True):
    """Accelerators that can be had at a site."""

    max: Annotated[Count, Meta(description="At most so many.")] = RENT_MAX
    usd_per_hour: Annotated[
        NotNegative | None, Meta(description="Of one, USD per hour. Absent = the list price.")
    ] = None


class SiteShape(_Section, frozen=True, kw_only=True):
    """A place with a jurisdiction, power, and accelerators owned or for rent."""

    jurisdiction: Annotated[str, Meta(description="Law that applies there.")]
    tier: Annotated[Tier, Meta(description="How central the place is.")] = "central"
    region: Annotated[str, Meta(description="Its name in the file `rtts`.")] = ""
    at: Annotated[
        tuple[float, float] | None, Meta(description="Latitude and longitude, degrees.")
    ] = None
    rtt_ms: Annotated[
        dict[Name, NotNegative], Meta(description="Round trip by origin, ms; first of all sources.")
    ] = {}
    power_watts_max: Annotated[
        Positive | None, Meta(description="Limit of all accelerators together, W. Absent = none.")
    ] = None
    usd_per_kwh: Annotated[NotNegative, Meta(description="Energy tariff, USD per kWh.")] = 0.0
    owned: Annotated[dict[str, Count], Meta(description="How many, by accelerator.")] = {}
    rent: Annotated[dict[str, RentShape], Meta(description="What can be had, by accelerator.")] = {}


class ClassShape(_Section, frozen=True, kw_only=True):
    """Requests alike in model, sizes, promise and value."""

    model: Annotated[str, Meta(description="The model that answers.")]
    input_tokens: Annotated[Positive, Meta(description="Mean prompt.")]
    output_tokens: Annotated[NotNegative, Meta(description="Mean answer; 0 = none (inference).")]
    cached_ratio: Annotated[
        float, Meta(ge=0, lt=1, description="Share of prompts found in the prefix cache.")
    ] = 0.0
    value_usd: Annotated[NotNegative, Meta(description="Worth of one answer in time.")] = 0.01
    ttft_ms: Annotated[NotNegative, Meta(description="Promised first token; 0 = none.")] = 0.0
    tpot_ms: Annotated[NotNegative, Meta(description="Promised per later token; 0 = none.")] = 0.0
    e2e_ms: Annotated[NotNegative, Meta(description="Promised whole answer; 0 = none.")] = 0.0
    jurisdictions: Annotated[
        tuple[str, ...], Meta(description="Where it may run; empty = anywhere.")
    ] = ()
    served_min: Annotated[
        float, Meta(ge=0, le=1, description="Share that must be served, even at a loss.")
    ] = 1.0


class DemandShape(_Section, frozen=True, kw_only=True):
    """How much of one class comes from one origin."""

    rate: Annotated[NotNegative, Meta(description="Mean requests per second in the busy hour.")]
    sd: Annotated[
        NotNegative, Meta(description="How sure that is: its standard deviation, requests per s.")
    ] = 0.0


class PlanShape(_Section, frozen=True, kw_only=True):
    """The whole plan file."""

    version: Annotated[Literal["v1"], Meta(description="Version of this format.")]
    origins: Annotated[dict[Name, OriginShape], Meta(min_length=1, description="By name.")]
    sites: Annotated[dict[Name, SiteShape], Meta(min_length=1, description="By name.")]
    classes: Annotated[dict[Name, ClassShape], Meta(min_length=1, description="By name.")]
    demand: Annotated[
        dict[Name, dict[Name, DemandShape]],
        Meta(min_length=1, description="By class, then by origin."),
    ]
    profiles: Annotated[
        tuple[str, ...],
        Meta(
            description="What may run: catalogue names, or by data sheet "
            "ACCELERATOR:MODEL:COUNT:PRECISION:ENGINE; empty = the catalogue's, for these models."
        ),
    ] = ()
    rtts: Annotated[
        str, Meta(description="CSV of round trips between regions: src,dst,rtt_ms.")
    ] = ""
    demand_sds: Annotated[
        NotNegative, Meta(description="Standard deviations of demand to be safe against.")
    ] = 2.0
    in_time: Annotated[
        float, Meta(ge=0.5, lt=1, description="Share of requests that keep their promise.")
    ] = 0.95


def schema() -> dict[str, Any]:
    """The JSON Schema of a plan file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "flyball.plan.v1.json",
        "title": "Placement plan of a Flyball fleet, version v1",
        **msgspec.json.schema(PlanShape),
    }
