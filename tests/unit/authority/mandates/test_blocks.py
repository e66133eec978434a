"""Does a block that is written come back as it was, and do several give their meet?"""

import pytest
from biscuit_auth import BiscuitBuilder, KeyPair
from hypothesis import given
from hypothesis import strategies as st

from flyball.authority.mandates.blocks import (
    Block,
    Fact,
    Jurisdictions,
    Limits,
    check_name,
    meet,
    read,
    source_of,
)  # fmt: skip
from flyball.authority.mandates.refusals import MandateError
from support.mandates import WIDE, T

CHARACTER = st.characters(exclude_categories=["C"], exclude_characters='"\\')
NAME = st.text(CHARACTER, min_size=1, max_size=30)  # fmt: skip
NAMES = st.sets(NAME, max_size=4).map(lambda found: tuple(sorted(found)))
NUMBER = st.one_of(st.none(), st.integers(0, 2**62))
LIMITS = st.builds(
    Limits, operations=NAMES, models=NAMES, classes=NAMES, data_classes=NAMES,
    jurisdictions=NAMES, budget_micro_usd=NUMBER, hops=NUMBER, autonomy=NUMBER,
    policy_digest=st.one_of(st.just(""), NAME),
    expires_at=st.one_of(st.none(), st.integers(0, 4_000_000_000).map(float)),
)  # fmt: skip
NOWHERE = Jurisdictions({})


def printed(block: Block) -> str:
    return BiscuitBuilder(*source_of(block)).build(KeyPair().private_key).block_source(0)


@given(LIMITS, NAME)
def test_written_and_read(limits: Limits, name: str) -> None:
    block = Block(limits, (Fact("human", ("https://i", name)), Fact("granted", (), T)))
    assert read(printed(block), "authority", 0) == block


@given(LIMITS, LIMITS)
def test_a_meet_is_within_both(one: Limits, other: Limits) -> None:
    try:
        met = meet([one, other], NOWHERE)
    except MandateError as error:
        assert error.code == "mandate_empty"
        return
    assert met == meet([met, one], NOWHERE) == meet([other, one], NOWHERE)
    for each in (one, other):
        for field in ("operations", "models", "jurisdictions"):
            if names := getattr(each, field):
                assert set(getattr(met, field)) <= set(names) and getattr(met, field)
        for field in ("budget_micro_usd", "hops", "autonomy", "expires_at"):
            most = getattr(each, field)
            assert most is None or getattr(met, field) <= most


def test_a_tree_of_jurisdictions() -> None:
    tree = Jurisdictions({"DE-BY": "DE", "DE": "EU", "FR": "EU"})
    assert tree.around("DE-BY") == {"DE-BY", "DE", "EU"}
    assert tree.meet(("EU",), ("DE", "US")) == ("DE",)
    assert tree.meet(("DE-BY", "FR"), ("DE",)) == ("DE-BY",)
    assert tree.meet(("DE",), ("FR",)) == ()
    assert len(Jurisdictions({"a": "b", "b": "a"}).around("a")) == 2


def test_names_that_have_no_place() -> None:
    for name in ('a"b', "a\nb", "a\\b", "x" * 201, "\x00"):
        with pytest.raises(MandateError):
            check_name(name)
        with pytest.raises(MandateError):
            source_of(Block(Limits(models=(name,)), ()))
    for number in (-1, 2**62 + 1):
        with pytest.raises(MandateError):
            source_of(Block(Limits(budget_micro_usd=number), ()))


def test_each_maker_states_only_its_own_facts() -> None:
    source = printed(Block(WIDE, (Fact("human", ("a", "b")),)))
    assert read(source, "authority", 0).limits == WIDE
    for maker in ("holder", "approver"):
        with pytest.raises(MandateError) as caught:
            read(source, maker, 3)
        assert caught.value.code == "mandate_unreadable" and "block 3" in caught.value.detail
