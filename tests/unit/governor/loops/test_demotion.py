"""Which models may answer in place of another, and when is one of them better?"""

from flyball.governor.loops.demotion import is_better, lower_tiers
from flyball.model.request import ModelTier

TIERS = (
    ModelTier(model="large"),
    ModelTier(model="middle", value_ratio=0.8),
    ModelTier(model="small", value_ratio=0.4),
)


def test_only_lower_tiers_of_the_model_asked_for() -> None:
    assert lower_tiers(TIERS, "large") == (("middle", 0.8), ("small", 0.4))
    assert lower_tiers(TIERS, "middle") == (("small", 0.5),)
    assert lower_tiers(TIERS, "small") == ()
    assert lower_tiers(TIERS, "other") == ()
    assert lower_tiers((), "large") == ()


def test_the_client_gets_what_it_asked_for_unless_another_is_clearly_better() -> None:
    assert not is_better(0.0090, 0.0088, 0.01)
    assert is_better(0.0094, 0.0088, 0.01)
    assert not is_better(-0.001, -0.01, 0.01)
