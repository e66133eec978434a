"""Can a holder pass on less, offline, and is asking for more told at once?"""

import pytest

from flyball.authority.mandates.attenuate import AnyPlace, attenuate, check_narrower, reading_of
from flyball.authority.mandates.blocks import Limits
from flyball.authority.mandates.refusals import MandateError
from flyball.authority.revocation.signer import Signer
from support.mandates import WIDE, T, chain, granted, jkt, verifier

MORE = {
    "operations": Limits(operations=("chat", "admin")),
    "models": Limits(models=("x",)),
    "classes": Limits(classes=("gold",)),
    "data_classes": Limits(data_classes=("special",)),
    "budget": Limits(budget_micro_usd=5_000_001),
    "autonomy": Limits(autonomy=3),
    "hops": Limits(hops=6),
    "policy": Limits(policy_digest="sha256:other"),
    "expiry": Limits(expires_at=T + 3601),
}


@pytest.mark.parametrize("limits", MORE.values(), ids=MORE)
def test_more_is_told_as_a_mistake(limits: Limits) -> None:
    with pytest.raises(MandateError) as caught:
        attenuate(granted(), limits)
    assert caught.value.code == "mandate_widened"
    with pytest.raises(MandateError):
        check_narrower(WIDE, limits)


def test_no_root_key_is_needed_and_the_chain_grows() -> None:
    short = granted()
    long = attenuate(short, Limits(models=("m",)), agent="a", depth=2)
    found = reading_of(long)
    assert found.chain[0] == reading_of(short).chain[0] and len(found.chain) == 2
    assert found.delegates == ("a",) and found.limits.models == ("m",) and found.limits.hops == 3
    assert verifier().verify(long, T).chain == found.chain
    assert found.human == "https://idp.example|u|17" and found.root_key_id == 1
    assert found.third_parties == ("", "") and len(found.blocks) == 2


def test_narrowing_names_nobody() -> None:
    assert verifier().verify(attenuate(granted(), Limits(autonomy=0)), T).delegates == ()
    with pytest.raises(MandateError, match="agent"):
        attenuate(granted(), Limits(), next_holder="k")


def test_hops_run_out() -> None:
    token = chain(5)
    with pytest.raises(MandateError, match="further"):
        attenuate(token, Limits(), agent="one more")
    full = attenuate(attenuate(token, Limits()), Limits())
    with pytest.raises(MandateError, match="blocks"):
        attenuate(full, Limits())


def test_only_the_holder_hands_over_what_is_bound() -> None:
    one, two, other = (Signer.new(name) for name in ("one", "two", "other"))
    token = granted(holder=jkt(one))
    for signer in (None, other):
        with pytest.raises(MandateError) as caught:
            attenuate(token, Limits(), agent="two", next_holder=jkt(two), signer=signer)
        assert caught.value.code == "mandate_rebound"
    given_on = attenuate(
        token, Limits(models=("m",)), agent="two", next_holder=jkt(two), signer=one
    )
    last = attenuate(given_on, Limits(), agent="three", next_holder=jkt(other), signer=two)
    mandate = verifier().verify(last, T, jkt(other))
    assert mandate.models == ("m",) and mandate.delegates == ("two", "three") and mandate.is_held
    kept = attenuate(token, Limits(), agent="same key")
    assert verifier().verify(kept, T, jkt(one)).holder == jkt(one)


def test_without_a_tree_the_smaller_place_is_taken() -> None:
    assert AnyPlace().meet(("EU",), ("DE",)) == ("DE",)
    assert reading_of(attenuate(granted(), Limits(jurisdictions=("DE",)))).limits.jurisdictions == (
        "DE",
    )


def test_rubbish() -> None:
    for text in ("", "sk-fly-", "sk-other", "sk-fly-AAAA"):
        with pytest.raises(MandateError):
            reading_of(text)
