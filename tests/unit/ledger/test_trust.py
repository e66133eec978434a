"""Is a checkpoint believed exactly when a trusted log and a quorum of witnesses signed it?"""

from itertools import combinations

import pytest

from flyball.ledger.checkpoint import Checkpoint
from flyball.ledger.note import ED25519, NoteError, Signer, VerifierKey, sign_note
from flyball.ledger.trust import Trust, TrustError, judge, parse_trust, trust_of
from support.signers import LOG, ORIGIN, WITNESS_KEYS, WITNESSES, signed, signer

KEYS = WITNESS_KEYS
TEXT = Checkpoint(ORIGIN, 7, bytes(32)).text()


def note(*cosigners: Signer, log: Signer = LOG) -> str:
    return signed(7, bytes(32), *cosigners, log=log)


def two_levels() -> Trust:
    lines = [f"witness {name} {key.text()}" for name, key in zip("ABCDEF", KEYS, strict=True)]
    return parse_trust(
        "\n".join(
            [
                "# two operators",
                f"log {LOG.key.text()} https://log.example/eu",
                *lines,
                "group X 2 A B C",
                "\tgroup Y any D E F  ",
                "group both all X Y",
                "",
                "quorum both",
                "",
            ]
        )
    )


@pytest.mark.parametrize("count", range(4))
def test_two_of_three(count: int) -> None:
    trust = trust_of([LOG.key], KEYS[:3], 2)
    for chosen in combinations(WITNESSES[:3], count):
        found = judge(note(*chosen), trust)
        assert found.has_quorum == (count >= 2)
        assert [one.key for one in found.cosigned] == [one.key for one in chosen]
        assert (found.checkpoint.size, found.text) == (7, TEXT)


def test_every_subset_under_a_policy_of_two_levels() -> None:
    trust = two_levels()
    assert trust.rule() == "2 of 2 (X, Y)"
    for count in range(7):
        for chosen in combinations(range(6), count):
            found = judge(note(*(WITNESSES[i] for i in chosen)), trust)
            wanted = len({0, 1, 2} & set(chosen)) >= 2 and bool({3, 4, 5} & set(chosen))
            assert found.has_quorum == wanted, chosen


def test_one_witness_cannot_stand_for_two() -> None:
    trust = trust_of([LOG.key], KEYS[:3], 2)
    one = WITNESSES[0]
    twice = note(one) + one.line(TEXT, 1_763_600_009)
    assert not judge(twice, trust).has_quorum


def test_strangers_do_not_count() -> None:
    trust = trust_of([LOG.key], KEYS[:2], 2)
    assert not judge(note(*WITNESSES[1:]), trust).has_quorum


def test_the_log_itself_must_have_signed() -> None:
    trust = trust_of([LOG.key], KEYS[:2], 2)
    with pytest.raises(NoteError, match="no trusted key signed this as"):
        judge(note(*WITNESSES[:2], log=signer(ORIGIN, 2, ED25519)), trust)


def test_a_log_key_under_another_name_is_not_the_log() -> None:
    other = signer("log.example/us", 1, ED25519)
    with pytest.raises(NoteError, match="no trusted key signed this as"):
        judge(sign_note(TEXT, [other]), trust_of([other.key], [], 0))


def test_no_quorum_asked_for() -> None:
    assert judge(note(), trust_of([LOG.key], [], 0)).has_quorum
    assert judge(note(), parse_trust("quorum none\n" + f"log {LOG.key.text()}")).has_quorum


def test_urls_are_kept() -> None:
    text = f"witness a {KEYS[0].text()} https://w.example/x\nquorum a\n"
    assert parse_trust(text).witnesses[0].url == "https://w.example/x"


W = KEYS[0].text()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "no quorum line"),
        ("quorum a\n", "line 1: a was not defined"),
        (f"witness a {W}\nwitness a {KEYS[1].text()}\nquorum a\n", "line 2: the name a stands"),
        (f"witness none {W}\nquorum none\n", "line 1: the name none"),
        (f"witness a {W}\nwitness b {W}\nquorum a\n", "given twice"),
        (f"log {LOG.key.text()}\nlog {LOG.key.text()}\nquorum none\n", "given twice"),
        (f"witness a {W}\ngroup g 2 a\nquorum g\n", "line 2: 2 of 1"),
        (f"witness a {W}\ngroup g 0 a\nquorum g\n", "line 2: 0 of 1"),
        (f"witness a {W}\ngroup g \u0661 a\nquorum g\n", "is no threshold"),
        (f"witness a {W}\ngroup g any a a\nquorum g\n", "line 2: a member is listed twice"),
        (f"witness a {W}\ngroup g any a\ngroup h any a\nquorum h\n", "member of two groups"),
        (f"witness a {W}\ngroup g any none\nquorum g\n", "none was not defined"),
        (f"witness a {W}\nquorum a\nquorum a\n", "line 3: not a line"),
        (f"witness a {LOG.key.text()}\nquorum a\n", "type 0x01; a witness has 0x04"),
        (f"log {W}\nquorum none\n", "type 0x04; a log has 0x01"),
        ("log x\nquorum none\n", "line 1: a verifier key"),
        ("what is this\n", "line 1: not a line"),
    ],
)
def test_what_is_no_policy_is_named_with_its_line(text: str, cause: str) -> None:
    with pytest.raises(TrustError, match=cause):
        parse_trust(text)


@pytest.mark.parametrize("least", [-1, 3])
def test_an_impossible_number_is_refused(least: int) -> None:
    with pytest.raises(TrustError, match="cannot come of 2 witnesses"):
        trust_of([LOG.key], KEYS[:2], least)


def test_a_key_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(TrustError, match="a witness has 0x04"):
        trust_of([LOG.key], [VerifierKey("w", LOG.key.public)], 1)
