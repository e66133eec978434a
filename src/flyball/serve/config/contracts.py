"""What may a fleet file say of a class's contract, and of guarantees given on request?"""

from typing import Annotated

from msgspec import Meta, Struct

from flyball.governor.policy import Promises
from flyball.model.request import RequestClass
from flyball.units import ms_from_seconds

_CLASS = RequestClass(name="")
_PROMISES = Promises()
# As many as one worker's part of the shared table holds.
_QUOTES_MAX = 1024


class ContractSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a class is owed over time, what a broken guarantee costs, how far its clients are."""

    objective: Annotated[
        float,
        Meta(gt=0, lt=1, description="Share of requests to be answered as promised, below 1."),
    ] = _CLASS.objective
    objective_window_s: Annotated[
        float, Meta(ge=300, le=31_536_000, description="Time over which that share counts, s.")
    ] = _CLASS.objective_window_s
    penalty_usd: Annotated[
        float, Meta(ge=0, description="Cost of one broken guarantee, USD; 0 = the answer's value.")
    ] = _CLASS.penalty_usd
    realtime: Annotated[
        bool,
        Meta(description="e2e_ms is a hard deadline: what will probably miss it is refused early."),
    ] = _CLASS.realtime
    client_rtt_ms: Annotated[
        float,
        Meta(ge=0, description="Round trip from its clients to here, part of e2e_ms, ms."),
    ] = ms_from_seconds(_CLASS.client_rtt_s)


class PromisesSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Guarantees on request (`POST /v1/flyball/quote`)."""

    quote_s: Annotated[
        float, Meta(gt=0, le=3600, description="How long a quote stays open, s.")
    ] = _PROMISES.quote_s
    quotes_max: Annotated[
        int, Meta(ge=0, le=_QUOTES_MAX, description="Open quotes per worker; 0 = none are given.")
    ] = _PROMISES.quotes_max
    quotes_per_principal_max: Annotated[
        int, Meta(ge=0, description="Open quotes of one caller per worker.")
    ] = _PROMISES.quotes_per_principal_max
    reserve_ratio_max: Annotated[
        float, Meta(ge=0, le=1, description="Share of an endpoint that may be under guarantee.")
    ] = _PROMISES.reserve_ratio_max
    risk: Annotated[
        float, Meta(gt=0, lt=0.5, description="Chance accepted of missing a guaranteed deadline.")
    ] = _PROMISES.risk
