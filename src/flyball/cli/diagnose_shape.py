"""Which keys may the files that `flyball diagnose` reads have? (YAML, version v1.)"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from flyball.dialects.telemetry.csvmap import MapFile

Name = Annotated[str, Meta(min_length=1, max_length=200)]
NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Way = Literal["up", "down"]


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every section refuses keys that it does not know."""


class ReadingShape(_Section, frozen=True, kw_only=True):
    """A signal that a loop acts on; the first of a loop's list is the one that it regulates."""

    signal: Annotated[Name, Meta(description="Its name, the same as under `effects`.")]
    when_high: Annotated[
        Literal["raise", "lower"] | None,
        Meta(description="What the loop does with its actuator while the signal is above target."),
    ] = None
    gain: Annotated[
        NotNegative | None,
        Meta(description="Relative move of the actuator per relative error in one period."),
    ] = None
    wants: Annotated[
        Way | None, Meta(description="Where it would have the signal; absent = at its target.")
    ] = None
    target: Annotated[float | None, Meta(description="Its set-point for the signal.")] = None
    band: Annotated[NotNegative, Meta(description="Share of the target that is near enough.")] = (
        0.05
    )
    stands_for: Annotated[
        str, Meta(description="The truth that the signal is read for, if it is a proxy.")
    ] = ""
    falls_with_it: Annotated[bool, Meta(description="The signal falls when that truth rises.")] = (
        False
    )


class LoopShape(_Section, frozen=True, kw_only=True):
    """One loop: anybody's."""

    actuator: Annotated[Name, Meta(description="What it moves: pool.replicas, pool.clock, …")]
    scope: Annotated[str, Meta(description="Pool, site or class; empty = everywhere.")] = ""
    reads: Annotated[tuple[ReadingShape, ...], Meta(description="What it acts on.")] = ()
    objective: Annotated[str, Meta(description="What it is for, in words.")] = ""
    period_s: Annotated[
        NotNegative, Meta(description="Between two moves, s; 0 = each request.")
    ] = 0.0
    delay_s: Annotated[
        NotNegative, Meta(description="From a move until its sensor can show it, s.")
    ] = 0.0
    limit_low: Annotated[float | None, Meta(description="Lowest set-point.")] = None
    limit_high: Annotated[float | None, Meta(description="Highest set-point.")] = None
    value: Annotated[float | None, Meta(description="Set-point now.")] = None
    spends: Annotated[str, Meta(description="Quota that its moves draw on.")] = ""
    claim: Annotated[NotNegative | None, Meta(description="The most it may draw.")] = None
    is_acting: Annotated[bool, Meta(description="false = it only observes or recommends.")] = True


class EffectShape(_Section, frozen=True, kw_only=True):
    """How an actuator moves a signal."""

    actuator: Annotated[Name, Meta(description="What is moved.")]
    signal: Annotated[Name, Meta(description="What that moves.")]
    scope: Annotated[str, Meta(description="Where it is so; empty = everywhere.")] = ""
    moves: Annotated[
        Way | None, Meta(description="Which way the signal goes when the actuator goes up.")
    ] = None
    gain: Annotated[
        float | None, Meta(description="Relative change of signal per relative change of actuator.")
    ] = None
    reference: Annotated[float | None, Meta(description="The gain at commissioning.")] = None
    delay_s: Annotated[NotNegative, Meta(description="Until the signal follows, s.")] = 0.0


class QuotaShape(_Section, frozen=True, kw_only=True):
    """Something that several loops may spend."""

    limit: Annotated[NotNegative, Meta(description="How much there is.")]
    unit: Annotated[str, Meta(description="Of the limit and the claims.")] = ""
    arbiter: Annotated[str, Meta(description="Who shares it out, if anybody does.")] = ""


class LoopsFile(_Section, frozen=True, kw_only=True):
    """Loops, and what their actuators do."""

    version: Annotated[Literal["v1"], Meta(description="Version of this format.")]
    loops: Annotated[dict[Name, LoopShape], Meta(description="By name.")] = {}
    effects: Annotated[tuple[EffectShape, ...], Meta(description="Of actuators on signals.")] = ()
    quotas: Annotated[dict[Name, QuotaShape], Meta(description="By name.")] = {}


class LoopChangeShape(_Section, frozen=True, kw_only=True):
    """What of a loop changes; what is not named stays."""

    scope: str | None = None
    period_s: NotNegative | None = None
    delay_s: NotNegative | None = None
    limit_low: float | None = None
    limit_high: float | None = None
    value: Annotated[float | None, Meta(description="The new set-point.")] = None
    spends: str | None = None
    claim: NotNegative | None = None
    is_acting: bool | None = None
    gain: Annotated[NotNegative | None, Meta(description="On the signal it regulates.")] = None
    target: Annotated[float | None, Meta(description="Of the signal it regulates.")] = None


class QuotaChangeShape(_Section, frozen=True, kw_only=True):
    """What of a quota changes."""

    limit: NotNegative | None = None
    arbiter: str | None = None


class ChangeFile(_Section, frozen=True, kw_only=True):
    """A change of loops, before it is applied."""

    version: Annotated[Literal["v1"], Meta(description="Version of this format.")]
    loops: Annotated[dict[Name, LoopChangeShape], Meta(description="By name of a loop.")] = {}
    add: Annotated[dict[Name, LoopShape], Meta(description="New loops by name.")] = {}
    remove: Annotated[tuple[Name, ...], Meta(description="Loops that go.")] = ()
    effects: Annotated[tuple[EffectShape, ...], Meta(description="As they will be.")] = ()
    quotas: Annotated[dict[Name, QuotaChangeShape], Meta(description="By name of a quota.")] = {}


class SuppressionShape(_Section, frozen=True, kw_only=True):
    """Findings that are known and put aside for a time."""

    code: Annotated[str, Meta(pattern=r"^FB-[0-9]{3}$", description="Which finding.")]
    until: Annotated[
        str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", description="Last day (UTC) it is put aside.")
    ]
    reason: Annotated[str, Meta(min_length=8, description="Why, for those who come later.")]
    loops: Annotated[tuple[Name, ...], Meta(description="That it names; empty = any.")] = ()
    scope: Annotated[str, Meta(description="Where; empty = anywhere.")] = ""


class SuppressFile(_Section, frozen=True, kw_only=True):
    """What is put aside."""

    version: Annotated[Literal["v1"], Meta(description="Version of this format.")]
    suppress: Annotated[tuple[SuppressionShape, ...], Meta(description="One per entry.")]


FILES: dict[str, type[Struct]] = {
    "loops": LoopsFile,
    "what-if": ChangeFile,
    "suppress": SuppressFile,
    "map": MapFile,
}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of one of `FILES`; KeyError for another name."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"flyball.{name}.v1.json",
        "title": f"`flyball diagnose --{name}`, version v1",
        **msgspec.json.schema(FILES[name]),
    }
