"""Is a smaller model's answer worth more, after its price, than the one that was asked for?"""

from flyball.model.loop import Loop
from flyball.model.request import ModelTier
from flyball.units import Ratio, Usd

DEMOTION = Loop(
    name="demotion",
    sensor="value less price of each tier",
    actuator="request.model",
    objective="the most value after all prices",
    period_s=0.0,
)
# Of the class's value: below that the client gets the model it asked for.
DEAD_BAND: Ratio = 0.05


def lower_tiers(tiers: tuple[ModelTier, ...], model: str) -> tuple[tuple[str, Ratio], ...]:
    """(model, what its answer is worth of `model`'s) for each tier below `model`, best first.

    Empty where `model` is none of them: a client gets no model of a series it did not ask for.
    """
    for place, tier in enumerate(tiers):
        if tier.model == model and tier.value_ratio > 0.0:
            return tuple(
                (lower.model, lower.value_ratio / tier.value_ratio) for lower in tiers[place + 1 :]
            )
    return ()


def is_better(surplus_usd: Usd, than_usd: Usd, value_usd: Usd) -> bool:
    """Whether a lower tier's value less price beats the other by more than the dead band."""
    return surplus_usd > 0.0 and surplus_usd > than_usd + DEAD_BAND * value_usd
