"""What may a fleet file say a class's requests are granted: context, length of answers, tiers?"""

from typing import Annotated

from msgspec import Meta, Struct

from flyball.model.request import RequestClass

ModelName = Annotated[str, Meta(min_length=1, max_length=256)]
RatioOfOne = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
_CLASS = RequestClass(name="")


class ContextSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether old turns of a class's chats may be dropped where that is proven to save."""

    allow_truncation: Annotated[
        bool, Meta(description="Whole oldest turns may be dropped from chat prompts.")
    ] = _CLASS.context.allow_truncation
    keep_system: Annotated[
        bool, Meta(description="System messages amid the turns stay (those in front always do).")
    ] = _CLASS.context.keep_system
    tokens_min: Annotated[Count, Meta(description="Prompt tokens that always stay.")] = (
        _CLASS.context.tokens_min
    )
    probe_ratio: Annotated[
        RatioOfOne, Meta(description="Share of them cut by chance, to measure the effect.")
    ] = _CLASS.context.probe_ratio


class OutputSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The longest answer that a class is granted."""

    tokens_max: Annotated[
        int, Meta(ge=0, description="Most answer tokens; 0 = as the client asks.")
    ] = _CLASS.output.tokens_max
    by_price: Annotated[bool, Meta(description="The price may grant less than that.")] = (
        _CLASS.output.by_price
    )
    tokens_min: Annotated[Count, Meta(description="The price never grants less, tokens.")] = (
        _CLASS.output.tokens_min
    )


class TierSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model of a class's tiers."""

    model: Annotated[ModelName, Meta(description="A model that some pool serves.")]
    value_ratio: Annotated[
        RatioOfOne, Meta(description="What its answer is worth of the class's value.")
    ] = 1.0
