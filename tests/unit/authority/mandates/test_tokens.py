"""Is a token worth exactly what its blocks leave, and is every bad one refused?"""

import random
from base64 import urlsafe_b64decode
from datetime import timedelta

import pytest
from biscuit_auth import Algorithm, Biscuit, BlockBuilder, PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from flyball.authority.mandates import tokens
from flyball.authority.mandates.attenuate import (
    appended,
    attenuate,
    payload_of,
    reading_of,
    signed_by,
)
from flyball.authority.mandates.blocks import Block, Fact, Limits, source_of
from flyball.authority.mandates.grant import grant
from flyball.authority.mandates.refusals import MandateError
from flyball.authority.mandates.tokens import BLOCKS_MAX, PREFIX, bytes_of, frame_of, text_of
from flyball.authority.mandates.wire import SECP256R1, External
from flyball.authority.mandates.wire import PublicKey as WireKey
from flyball.authority.revocation.signer import Signer
from support.mandates import (
    ANNA,
    APPROVER,
    LOOSE,
    OLD_ROOT,
    ROOT,
    WIDE,
    T,
    chain,
    granted,
    jkt,
    verifier,
)  # fmt: skip

ROOT_KEY = PublicKey.from_bytes(ROOT.public, Algorithm.Ed25519)


def refused(token: str, at: float = T, holder: str = "", **changes: object) -> str:
    with pytest.raises(MandateError) as caught:
        verifier(**changes).verify(token, at, holder)
    assert (
        token[len(PREFIX) :][:24] not in str(caught.value) + repr(caught.value) or len(token) < 40
    )
    return caught.value.code


def written(token: str, source: str) -> str:
    """The token with a block of any Datalog behind it, as a hostile holder may write it."""
    biscuit = Biscuit.from_bytes(bytes_of(token), ROOT_KEY)
    return text_of(bytes(biscuit.append(BlockBuilder(source)).to_bytes()))


def third(token: str, signer: Signer, source: str) -> str:
    payload = payload_of(source, {})
    return appended(token, payload, signed_by(signer, payload, reading_of(token).chain[-1]))


def test_all_that_a_grant_says() -> None:
    mandate = verifier().verify(granted(tenant="acme"), T)
    assert mandate.human == "https://idp.example|u|17"
    assert (mandate.session, mandate.tenant, mandate.root_key) == ("s-1", "acme", "1")
    assert (mandate.acr, mandate.amr) == ("2", ("otp", "pwd"))
    assert (mandate.operations, mandate.models) == (("chat", "embed"), ("m", "n"))
    assert (mandate.classes, mandate.data_classes) == (("a", "b"), ("personal", "public"))
    assert (mandate.jurisdictions, mandate.autonomy) == (("EU",), 2)
    assert [one.limit_micro_usd for one in mandate.spends] == [5_000_000]
    assert (mandate.depth_left, mandate.policy_digest) == (5, "sha256:ab")
    assert (mandate.not_before, mandate.expires_at) == (T, T + 3600)
    assert len(mandate.chain) == 1 and not mandate.is_held


def test_four_hops_narrow_each() -> None:
    token = first = granted()
    for number, place in enumerate(("DE", "DE", "DE", "DE")):
        narrower = Limits(
            operations=("chat",), jurisdictions=(place,), budget_micro_usd=4_000_000 - number,
            expires_at=T + 3000 - number,
        )  # fmt: skip
        token = attenuate(token, narrower, agent=f"agent-{number}", depth=4 - number)
    mandate = verifier().verify(token, T)
    assert mandate.delegates == tuple(f"agent-{n}" for n in range(4))
    assert (mandate.operations, mandate.jurisdictions) == (("chat",), ("DE",))
    assert (mandate.expires_at, mandate.depth_left) == (T + 2997, 1)
    assert [one.limit_micro_usd for one in mandate.spends] == [
        5_000_000, 4_000_000, 3_999_999, 3_999_998, 3_999_997,
    ]  # fmt: skip
    assert [one.block for one in mandate.spends] == list(mandate.chain)
    assert mandate.chain[:1] == verifier().verify(first, T).chain


WIDENED = {
    "operations": 'check all operation($x), {"chat", "admin"}.contains($x);',
    "models": 'check all model($x), {"m", "secret"}.contains($x);',
    "classes": 'check all class($x), {"a", "gold"}.contains($x);',
    "data_classes": 'check all data_class($x), {"public", "special"}.contains($x);',
    "jurisdictions": (
        'check all jurisdiction($x, $in), $in.intersection({"EU", "US"}).length() > 0;'
    ),
    "budget": "check all spend($x), $x <= 99000000000;",
    "hops": "check all hops($x), $x <= 8;",
    "autonomy": "check all autonomy($x), $x <= 9;",
    "expiry": "check if time($x), $x <= 2099-01-01T00:00:00Z;",
}


@pytest.mark.parametrize("source", WIDENED.values(), ids=WIDENED)
def test_a_block_that_asks_for_more_gets_nothing(source: str) -> None:
    before = verifier().verify(granted(), T)
    after = verifier().verify(written(granted(), source), T)
    for field in ("operations", "models", "classes", "data_classes", "jurisdictions"):
        assert set(getattr(after, field)) <= set(getattr(before, field))
    assert min(one.limit_micro_usd for one in after.spends) == 5_000_000
    assert after.expires_at == before.expires_at and after.autonomy == before.autonomy
    assert after.depth_left <= before.depth_left
    assert after.not_before == before.not_before


STATEMENTS = {
    "right": 'right("admin");',
    "human": 'human("https://idp.example", "root");',
    "session": 'session("other");',
    "granted later, past a revocation": "granted(2099-01-01T00:00:00Z);",
    "approved by oneself": f'approved("1", "{"0" * 64}", "", 2099-01-01T00:00:00Z);',
    "a rule": "operation($x) <- human($x, $y);",
    "a limit in another form": 'check if model($x), $x == "m";',
    "reject": "reject if time($x);",
    "either": 'check if model("m") or model("n");',
    "not before": "check if time($x), $x >= 2026-01-01T00:00:00Z;",
    "unknown dimension": 'check all colour($x), {"red"}.contains($x);',
    "nothing allowed": "check all operation($x), {,}.contains($x);",
    "scoped": 'check all model($x), {"m"}.contains($x) trusting previous;',
}


@pytest.mark.parametrize("source", STATEMENTS.values(), ids=STATEMENTS)
def test_what_cannot_be_enforced_is_refused(source: str) -> None:
    assert refused(written(granted(), source)) == "mandate_unreadable"


def test_a_block_that_leaves_nothing() -> None:
    for source in (
        'check all operation($x), {"other"}.contains($x);',
        'check all jurisdiction($x, $in), $in.intersection({"US"}).length() > 0;',
        'check all policy($x), $x == "sha256:other";',
    ):
        assert refused(written(granted(), source)) == "mandate_empty"


def test_quotes_in_a_string_cannot_pass_for_two_names() -> None:
    """The printed form shows two names, the token's set holds one: the token's own Datalog says."""
    builder = BlockBuilder("check all operation($x), {s}.contains($x);", {"s": {'chat", "embed'}})
    biscuit = Biscuit.from_bytes(bytes_of(granted()), ROOT_KEY).append(builder)
    assert refused(text_of(bytes(biscuit.to_bytes()))) == "mandate_check_failed"


def test_expiry_and_clocks() -> None:
    token = granted()
    assert verifier().verify(token, T + 3600)
    assert refused(token, T + 3600.001) == "mandate_expired"
    assert verifier().verify(token, T - 2.0)
    assert refused(token, T - 2.1) == "mandate_not_yet"
    known = verifier()
    known.verify(token, T)
    with pytest.raises(MandateError, match="expired"):
        known.verify(token, T + 3601)  # from memory, too


def test_forged() -> None:
    other = Signer.new("1")
    assert refused(grant(other, ANNA, WIDE, T)) == "mandate_forged"
    assert refused(grant(Signer.new("9"), ANNA, WIDE, T)) == "mandate_unknown_root"
    assert verifier().verify(grant(OLD_ROOT, ANNA, WIDE, T), T).root_key == "2"
    assert refused(grant(OLD_ROOT, ANNA, WIDE, T), roots={1: ROOT.public}) == "mandate_unknown_root"


def test_truncated_at_every_byte() -> None:
    token = chain(2)
    data = bytes_of(token)
    for size in range(len(data)):
        assert refused(text_of(data[:size])) in ("mandate_malformed", "mandate_weak_key")
    for size in range(len(token)):
        assert refused(token[:size])


def test_each_changed_byte_is_noticed() -> None:
    """All but the last 32 bytes: those are the secret of the next hop, which nobody signed. With
    another one the token is the same mandate, only it cannot be delegated on."""
    data = bytes_of(chain(1))
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for place in range(len(data) - 32):
        changed = bytearray(data)
        changed[place] ^= 1 << chance.randrange(8)
        refused(text_of(bytes(changed)))


def test_oversized() -> None:
    token = granted(LOOSE)
    for number in range(BLOCKS_MAX - 1):
        token = attenuate(token, Limits(), agent=f"a{number}")
    assert verifier().verify(token, T).depth_left == 0
    assert refused(written(token, 'delegate("one", "more");')) == "mandate_oversized"
    assert refused(PREFIX + "A" * 5000) == "mandate_oversized"
    with pytest.raises(MandateError, match="characters"):
        granted(Limits(models=tuple("x" * 150 + str(n) for n in range(40)), expires_at=T + 9))


def test_one_spelling_only() -> None:
    token = granted()
    for other in (token + "=", token.upper(), " " + token, token[:-1] + "é", "sk-" + token[7:]):
        assert refused(other) == "mandate_malformed"
    assert urlsafe_b64decode(token[len(PREFIX) :] + "==")


WEAK = ["01" + "00" * 31, "ec" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f", "00" * 32]


@pytest.mark.parametrize("key", WEAK)
def test_weak_keys(key: str) -> None:
    data = bytes_of(granted())
    public = frame_of(data).blocks[0].next_key.data
    assert refused(text_of(data.replace(public, bytes.fromhex(key)))) == "mandate_weak_key"


def test_a_third_party_that_is_nobody() -> None:
    stranger = Signer.new("stranger")
    source = f'approved("1", "{"0" * 64}", "", 2099-01-01T00:00:00Z);'
    assert refused(third(granted(), stranger, source)) == "mandate_foreign_block"
    mandate = verifier().verify(third(granted(), APPROVER, source), T)
    assert [(one.by, one.id) for one in mandate.approvals] == [("ann", "1")]


def test_an_approver_states_nothing_else() -> None:
    for source in ('human("a", "b");', 'delegate("a", "");', 'operation("x");'):
        assert refused(third(granted(), APPROVER, source)) == "mandate_unreadable"


def test_who_holds_it_cannot_approve_it() -> None:
    token = granted(holder=jkt(APPROVER))
    source = f'approved("1", "{"0" * 64}", "", 2099-01-01T00:00:00Z);'
    assert refused(third(token, APPROVER, source), holder=jkt(APPROVER)) == "mandate_self_approved"


def test_an_old_third_party_block_is_refused() -> None:
    """Signed as before CVE-2024-42350 was mended: without the version, over the previous key."""
    token = granted()
    data, frame = bytes_of(token), frame_of(bytes_of(token))
    payload = payload_of(f'approved("1", "{"0" * 64}", "", 2099-01-01T00:00:00Z);', {})
    old = payload + (0).to_bytes(4, "little") + frame.blocks[-1].next_key.data
    external = External(APPROVER.private.sign(old), WireKey(0, APPROVER.public))
    following = Ed25519PrivateKey.generate()
    public = following.public_key().public_bytes_raw()
    signed = payload + external.signature + (0).to_bytes(4, "little") + public
    signature = Ed25519PrivateKey.from_private_bytes(frame.next_secret).sign(signed)

    def field(number: int, body: bytes) -> bytes:
        size = len(body)
        length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
        return bytes([number << 3 | 2]) + length + body

    def key(body: bytes) -> bytes:
        return b"\x08\x00" + field(2, body)

    outer = field(1, external.signature) + field(2, key(APPROVER.public))
    block = field(1, payload) + field(2, key(public)) + field(3, signature) + field(4, outer)
    whole = data[:-36] + field(3, block) + field(4, field(1, following.private_bytes_raw()))
    assert refused(text_of(whole)) == "mandate_old_block"


def test_a_bound_mandate_needs_its_key() -> None:
    holder, thief = Signer.new("holder"), Signer.new("thief")
    token = granted(holder=jkt(holder))
    assert verifier().verify(token, T, jkt(holder)).is_held
    assert refused(token) == "mandate_holder_required"
    assert refused(token, holder=jkt(thief)) == "mandate_holder_mismatch"


def test_a_thief_cannot_bind_it_to_another_key() -> None:
    holder, thief = Signer.new("holder"), Signer.new("thief")
    token = granted(holder=jkt(holder))
    source, values = source_of(Block(Limits(), (Fact("delegate", ("thief", jkt(thief))),)))
    builder = BlockBuilder(source, values)
    stolen = Biscuit.from_bytes(bytes_of(token), ROOT_KEY).append(builder)
    text = text_of(bytes(stolen.to_bytes()))
    assert refused(text, holder=jkt(thief)) == "mandate_rebound"
    forged = third(token, thief, f'delegate("thief", "{jkt(thief)}");')
    assert refused(forged, holder=jkt(thief)) == "mandate_foreign_block"
    given_on = attenuate(token, Limits(), agent="b", next_holder=jkt(thief), signer=holder)
    assert verifier().verify(given_on, T, jkt(thief)).delegates == ("b",)
    assert refused(given_on, holder=jkt(holder)) == "mandate_holder_mismatch"


def test_deeper_than_allowed() -> None:
    token = attenuate(granted(), Limits(), agent="a", depth=0)
    assert verifier().verify(token, T).depth_left == 0
    assert refused(written(token, 'delegate("b", "");')) == "mandate_depth"


def test_a_mandate_must_expire() -> None:
    biscuit = Biscuit.builder()
    biscuit.add_code('human("a", "b");')
    biscuit.set_root_key_id(1)
    from flyball.authority.mandates.grant import biscuit_key

    endless = text_of(bytes(biscuit.build(biscuit_key(ROOT)).to_bytes()))
    assert refused(endless) == "mandate_unreadable"


def test_no_human_no_mandate() -> None:
    from flyball.authority.mandates.grant import biscuit_key

    biscuit = Biscuit.builder()
    biscuit.add_code("check if time($x), $x <= 2099-01-01T00:00:00Z;")
    biscuit.set_root_key_id(1)
    nobody = text_of(bytes(biscuit.build(biscuit_key(ROOT)).to_bytes()))
    assert refused(nobody) == "mandate_check_failed"


def test_a_limit_of_time_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "CHECK_TIME", timedelta(0))
    with pytest.raises(MandateError) as caught:
        verifier().verify(chain(4), T)
    assert caught.value.code == "mandate_check_busy" and caught.value.is_retryable


def test_what_was_verified_is_kept_in_bounds() -> None:
    known = verifier(cache_max=3)
    for number in range(10):
        known.verify(granted(LOOSE, tenant=f"t{number}"), T)
    assert len(known._kept) == 3
    token = granted()
    assert known.verify(token, T) is known.verify(token, T)


def test_p256_external_keys_are_known_by_their_thumbprint() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from flyball.authority.mandates.thumbprint import thumbprint
    from support.mandates import ec_jwk

    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    assert tokens.holder_name(WireKey(SECP256R1, point)) == thumbprint(ec_jwk(private))
    with pytest.raises(MandateError):
        tokens.holder_name(WireKey(SECP256R1, b"\x02" + b"\xff" * 32))


NAMES = st.sets(st.sampled_from(["chat", "embed", "rerank", "admin"]), min_size=1)
ANY_LIMITS = st.builds(
    Limits,
    operations=st.one_of(st.just(()), NAMES.map(lambda x: tuple(sorted(x)))),
    models=st.one_of(st.just(()), st.just(("m",)), st.just(("m", "n"))),
    jurisdictions=st.one_of(st.just(()), st.just(("DE",)), st.just(("EU", "US"))),
    budget_micro_usd=st.one_of(st.none(), st.integers(0, 10**7)),
    autonomy=st.one_of(st.none(), st.integers(0, 5)),
    expires_at=st.one_of(st.none(), st.integers(1, 9999).map(lambda s: T + s)),
)


@given(st.lists(ANY_LIMITS, max_size=4))
def test_no_chain_of_blocks_ever_widens(all_limits: list[Limits]) -> None:
    """Whatever holders write, each longer token allows no more than the shorter one."""
    token = granted()
    judge = verifier()
    before = judge.verify(token, T)
    for limits in all_limits:
        source, values = source_of(Block(limits, ()))
        biscuit = Biscuit.from_bytes(bytes_of(token), ROOT_KEY).append(BlockBuilder(source, values))
        token = text_of(bytes(biscuit.to_bytes()))
        try:
            after = judge.verify(token, T)
        except MandateError as error:
            assert error.code == "mandate_empty"
            return
        for field in ("operations", "models"):
            assert set(getattr(after, field)) <= set(getattr(before, field))
            assert getattr(after, field)
        assert set(after.jurisdictions) <= {*before.jurisdictions, "DE"} and after.jurisdictions
        assert after.expires_at <= before.expires_at and after.autonomy <= before.autonomy
        assert after.spends[: len(before.spends)] == before.spends
        before = after
