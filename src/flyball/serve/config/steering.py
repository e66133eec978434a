"""What may a fleet file say about loops, foreign loops and actuators, and does it fit the fleet?"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from flyball.governor.loops.registry import PERIOD_LOOPS, REQUEST_LOOPS
from flyball.model.loop import ForeignLoop, Law, LoopMode, LoopPolicy
from flyball.serve.config.errors import did_you_mean, listed
from flyball.serve.config.text import Document, Path

NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Expanded = Annotated[str, Meta(extra_json_schema={"x-env": True})]
EnvName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
WORKLOAD = r"^[a-z0-9.-]+/(deployments|statefulsets)/[a-z0-9.-]+$"


class LoopSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the governor's loops, and what it may do.

    A loop of the control period that is not named does not run; a loop of each request (context,
    output, retry, hedge, demotion) that is not named does what the class allows.
    """

    name: Annotated[str, Meta(description="Which loop: autoscaling, power, consolidation, …")]
    mode: Annotated[
        LoopMode, Meta(description="observe = record only; advise = recommend; enforce = act.")
    ] = "advise"
    scopes: Annotated[
        tuple[str, ...], Meta(description="Pools, sites or classes; empty = all that fit.")
    ] = ()
    limit_low: Annotated[float | None, Meta(description="Lowest set-point.")] = None
    limit_high: Annotated[float | None, Meta(description="Highest set-point.")] = None
    period_s: Annotated[Positive | None, Meta(description="Between two looks, s.")] = None
    rate_per_s: Annotated[Positive | None, Meta(description="Largest move in a second.")] = None
    dead_band: Annotated[NotNegative | None, Meta(description="Wishes this near are no move.")] = (
        None
    )
    horizon_s: Annotated[Positive | None, Meta(description="Over which worth is counted, s.")] = (
        None
    )
    start_s: Annotated[
        NotNegative | None, Meta(description="From a set-point to its effect, s.")
    ] = None


class ForeignLoopSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A loop that is not the governor's but moves the same fleet: its set-points allow for it."""

    name: Annotated[str, Meta(min_length=1, description="What you call it.")]
    law: Annotated[Law, Meta(description="What kind of loop it is.")]
    actuator: Annotated[str, Meta(min_length=1, description="What it moves: pool.replicas, …")]
    scope: Annotated[str, Meta(description="Pool, site or class; empty = everywhere.")] = ""
    period_s: Annotated[Positive, Meta(description="Between two of its moves, s.")] = 15.0
    delay_s: Annotated[NotNegative, Meta(description="Until its moves show, s.")] = 0.0
    gain: Annotated[
        NotNegative, Meta(description="Relative move per relative error; retries: load fed back.")
    ] = 1.0


class ActuatorSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What drives one actuator at one scope."""

    actuator: Annotated[str, Meta(min_length=1, description="pool.replicas, pool.clock, …")]
    scope: Annotated[str, Meta(min_length=1, description="A pool or class.")]
    kind: Annotated[
        Literal["webhook", "kubernetes", "sleep", "command"], Meta(description="How it is driven.")
    ]
    url: Annotated[Expanded, Meta(description="webhook: whom to tell; kubernetes: the API.")] = ""
    workload: Annotated[
        str, Meta(description="kubernetes: NAMESPACE/deployments|statefulsets/NAME.")
    ] = ""
    secret_env: Annotated[
        EnvName | None, Meta(description="webhook: environment variable with its bearer token.")
    ] = None
    token_file: Annotated[Expanded, Meta(description="kubernetes: file with its token.")] = ""
    ca: Annotated[Expanded, Meta(description="PEM file: CA of an https URL; empty = system's.")] = (
        ""
    )
    words: Annotated[
        tuple[str, ...],
        Meta(description="command: program and words; {value}, {scaled}, {scope} are filled in."),
    ] = ()
    scale: Annotated[Positive, Meta(description="command: {scaled} = value x this, rounded.")] = 1.0
    timeout_s: Annotated[Positive, Meta(description="One try is given up after this, s.")] = 10.0


class AdminSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may hold loops and change their modes while the gateway runs."""

    key_env: Annotated[
        EnvName | None,
        Meta(
            description="Environment variable with the operators' key. Absent = anyone, as long as "
            "no principals are named and the gateway listens on this machine alone; else nobody."
        ),
    ] = None


def build_loops(sections: tuple[LoopSection, ...]) -> tuple[LoopPolicy, ...]:
    """The core's own form."""
    return tuple(LoopPolicy(**msgspec.structs.asdict(one)) for one in sections)


def build_foreign(sections: tuple[ForeignLoopSection, ...]) -> tuple[ForeignLoop, ...]:
    """The core's own form."""
    return tuple(ForeignLoop(**msgspec.structs.asdict(one)) for one in sections)


def check_steering(
    loops: tuple[LoopSection, ...],
    actuators: tuple[ActuatorSection, ...],
    scopes: Mapping[str, object],
    document: Document,
) -> None:
    """Note loops that there are not, scopes that point nowhere, actuators that lack something.

    `scopes` = the names of pools, sites and classes."""
    known = (*PERIOD_LOOPS, *REQUEST_LOOPS)
    for place, one in enumerate(loops):
        at: Path = ("loops", place)
        if one.name not in known:
            step = f"{did_you_mean(one.name, known)}Known: {listed(known, most=20)}."
            document.fault((*at, "name"), f"there is no loop named {one.name!r}", step)
        for number, scope in enumerate(one.scopes):
            _known(document, (*at, "scopes", number), scope, scopes)
        low, high = one.limit_low, one.limit_high
        if low is not None and high is not None and low > high:
            document.fault((*at, "limit_low"), "it is above limit_high", "Swap the two.")
    seen: set[tuple[str, str]] = set()
    for place, actuator in enumerate(actuators):
        at = ("actuators", place)
        _known(document, (*at, "scope"), actuator.scope, scopes)
        key = (actuator.actuator, actuator.scope)
        if key in seen:
            text = f"{key[0]} of {key[1]} has a driver already"
            document.fault((*at, "actuator"), text, "Name each actuator and scope once.")
        seen.add(key)
        _check_actuator(document, at, actuator)


def _known(document: Document, path: Path, name: str, scopes: Mapping[str, object]) -> None:
    if name not in scopes:
        step = f"{did_you_mean(name, scopes)}Known: {listed(scopes, most=20)}."
        document.fault(path, f"there is no pool, site or class named {name!r}", step)


def _check_actuator(document: Document, at: Path, one: ActuatorSection) -> None:
    if one.kind in ("webhook", "kubernetes") and not one.url.startswith(("http://", "https://")):
        document.fault((*at, "url"), "a URL is needed here", "Give http(s)://host[:port]/path.")
    if one.kind == "kubernetes" and not re.fullmatch(WORKLOAD, one.workload):
        step = "Write NAMESPACE/deployments/NAME or NAMESPACE/statefulsets/NAME."
        document.fault((*at, "workload"), f"{one.workload!r} names no workload", step)
    if one.kind == "command" and not one.words:
        step = "Give the program and its words as a list."
        document.fault((*at, "words"), "there is no program to run", step)
