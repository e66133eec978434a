"""Do a bundle's limits only ever take freedom away?"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.authority.bundles.archive import BundleError
from flyball.authority.bundles.ceilings import (
    Ceilings,
    ClassLimits,
    check_ceilings,
    lowered,
    strangers,
)
from flyball.governor.policy import Policy, Pricing, Resilience
from flyball.model.request import ContextRule, ModelTier, OutputRule, RequestClass

FREE = RequestClass(
    name="chat",
    context=ContextRule(allow_truncation=True, tokens_min=100, probe_ratio=0.2),
    output=OutputRule(by_price=True, tokens_min=50),
    tiers=(ModelTier(model="a"), ModelTier(model="b")),
    allow_hedge=True,
)
POLICY = Policy(
    classes=(FREE, msgspec.structs.replace(FREE, name="batch")),
    resilience=Resilience(attempts_max=4, retry_budget_ratio=0.3),
    pricing=Pricing(explore_ratio=0.1),
)
NEVER = ClassLimits(
    allow_truncation=False, allow_demotion=False, allow_hedge=False, allow_output_cut=False
)
RATIOS = st.none() | st.floats(0, 1)
TOKENS = st.none() | st.integers(0, 10_000)
MAYBE = st.sampled_from([None, True, False])
LIMITS = st.builds(
    ClassLimits, allow_truncation=MAYBE, allow_demotion=MAYBE, allow_hedge=MAYBE,
    allow_output_cut=MAYBE, context_tokens_min=TOKENS, output_tokens_min=TOKENS,
    probe_ratio_max=RATIOS,
)  # fmt: skip
CEILINGS = st.builds(
    Ceilings,
    attempts_max=st.none() | st.integers(1, 9),
    retry_budget_ratio_max=RATIOS,
    explore_ratio_max=RATIOS,
    classes=st.dictionaries(st.sampled_from(["*", "chat", "elsewhere"]), LIMITS),
)


def freedom(policy: Policy) -> tuple:
    """Larger = freer, each by itself."""
    numbers: list[float] = [
        policy.resilience.attempts_max, policy.resilience.retry_budget_ratio,
        policy.pricing.explore_ratio,
    ]  # fmt: skip
    for klass in policy.classes:
        numbers += [
            klass.context.allow_truncation, -klass.context.tokens_min, klass.context.probe_ratio,
            klass.output.by_price, -klass.output.tokens_min, len(klass.tiers), klass.allow_hedge,
        ]  # fmt: skip
    return tuple(numbers)


@given(CEILINGS)
def test_no_limit_gives_freedom_and_twice_is_once(ceilings: Ceilings) -> None:
    found = lowered(POLICY, ceilings)
    assert all(now <= then for now, then in zip(freedom(found), freedom(POLICY), strict=True))
    assert lowered(found, ceilings) == found


@given(CEILINGS, CEILINGS)
def test_two_bundles_limit_in_any_order(one: Ceilings, two: Ceilings) -> None:
    assert lowered(lowered(POLICY, one), two) == lowered(lowered(POLICY, two), one)


def test_nothing_said_limits_nothing() -> None:
    assert lowered(POLICY, Ceilings()) == POLICY


def test_each_limit_holds() -> None:
    found = lowered(
        POLICY,
        Ceilings(
            attempts_max=1,
            retry_budget_ratio_max=0.05,
            explore_ratio_max=0.0,
            classes={
                "chat": NEVER,
                "*": ClassLimits(context_tokens_min=900, output_tokens_min=70, probe_ratio_max=0),
            },
        ),
    )
    chat, batch = found.classes
    assert (found.resilience.attempts_max, found.resilience.retry_budget_ratio) == (1, 0.05)
    assert found.pricing.explore_ratio == 0.0
    assert not (chat.context.allow_truncation or chat.tiers or chat.allow_hedge)
    assert not chat.output.by_price
    assert batch.context == ContextRule(allow_truncation=True, tokens_min=900, probe_ratio=0)
    assert batch.output.tokens_min == 70 and len(batch.tiers) == 2


def test_a_class_that_is_not_here_is_told() -> None:
    (told,) = strangers(POLICY, Ceilings(classes={"chatt": NEVER, "*": NEVER, "chat": NEVER}))
    assert "chatt" in told and "Did you mean 'chat'?" in told


@pytest.mark.parametrize(
    "ceilings",
    [
        Ceilings(attempts_max=0),
        Ceilings(attempts_max=-1),
        Ceilings(retry_budget_ratio_max=-0.1),
        Ceilings(explore_ratio_max=float("inf")),
        Ceilings(classes={"*": ClassLimits(context_tokens_min=-5)}),
    ],
)
def test_limits_that_make_no_sense_are_refused(ceilings: Ceilings) -> None:
    with pytest.raises(BundleError):
        check_ceilings(ceilings)
