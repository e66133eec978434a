"""Which measurements may a fit read, and which may only judge it?

Decided by names alone, so it cannot follow from how well a prediction does: a name is kept for
judging if SHA-256 of "SALT name" is below a third of its range. Model shapes and accelerators are
drawn so; models of one shape (DeepSeek-V3 and -R1) fall on one side, and so do the copies of one
measurement under both names. What reads measurements in order to choose a coefficient or the form
of a model takes them from `fit_part`; `flyball validate` alone sees the rest.
"""

import hashlib
from collections.abc import Sequence
from typing import Protocol, TypeVar

from flyball.dialects.sheets import architectures
from flyball.sim.validate.figures import Split

# The first number that leaves each engine of `data/efficiency.json` two model shapes and two
# accelerators to fit on, and from half to three quarters of the points: counts, no measurement.
SALT = 5
SHARE_JUDGED = 1.0 / 3.0
# Their data sheets were added after the form of every model was settled, to be judged only.
NEVER_SEEN = frozenset({"glm-5", "gemma-3-12b", "gemma-3-27b", "llama-4-scout", "llama-4-maverick"})


class Point(Protocol):
    """A row that names a model shape and an accelerator, "" where there is no data sheet."""

    @property
    def model(self) -> str: ...

    @property
    def accelerator(self) -> str: ...


AnyPoint = TypeVar("AnyPoint", bound=Point)


def kept_for_judging(name: str) -> bool:
    """Whether rows under this name (of a shape, or of an accelerator) may only judge."""
    digest = hashlib.sha256(f"{SALT} {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < SHARE_JUDGED * 2.0**64


def shape_name(model: str) -> str:
    """A model by its layers and widths: equal for two models that cost the same.

    Raises KeyError for a model without a data sheet.
    """
    shape = architectures()[model]
    return f"{shape.layers} x {shape.hidden} x {shape.expert_ffn or shape.ffn}"


def model_split(model: str) -> Split:
    """The side of a model; one without a data sheet has no side to be fitted on."""
    if model not in architectures() or model in NEVER_SEEN:
        return "judged"
    return "judged" if kept_for_judging(shape_name(model)) else "fit"


def split_of(row: Point) -> Split:
    """The side of a point: fitted on only if both its model and its accelerator may be."""
    known = row.accelerator and not kept_for_judging(row.accelerator)
    return model_split(row.model) if known else "judged"


def fit_part(rows: Sequence[AnyPoint]) -> list[AnyPoint]:
    """The rows that a fit or a choice of form may read."""
    return [row for row in rows if split_of(row) == "fit"]
