"""How does a holder pass on less than they have, with no one else's leave and no network?

One block is put behind the token. It can only narrow (`blocks`); what asks for more is refused
here already, though a verifier would ignore it, since it is a mistake. Where the token is bound to
a key, that key signs the block that binds it to the next one.
"""

from typing import Any

from msgspec import Struct, structs

from flyball.authority.mandates.blocks import (
    CEILINGS,
    SETS,
    Block,
    Fact,
    Jurisdictions,
    Limits,
    Maker,
    meet,
    read,
    source_of,
)  # fmt: skip
from flyball.authority.mandates.refusals import MandateError
from flyball.authority.mandates.thumbprint import ed25519_jwk, thumbprint
from flyball.authority.mandates.tokens import BLOCKS_MAX, bytes_of, frame_of, text_of
from flyball.authority.mandates.wire import (
    ED25519,
    External,
    Frame,
    PublicKey,
    WireError,
    append,
    carrier,
    external_message,
    parse,
)  # fmt: skip
from flyball.authority.revocation.signer import Signer, base64url


class Reading(Struct, frozen=True, kw_only=True):
    """What a token says of itself, unverified: for people and for those who narrow it."""

    root_key_id: int
    chain: tuple[str, ...]
    blocks: tuple[Block, ...]
    third_parties: tuple[str, ...]
    limits: Limits
    human: str
    delegates: tuple[str, ...]
    holder: str


def reading_of(token: str) -> Reading:
    """The token's own words; no signature is checked. Raises MandateError if it is none."""
    from biscuit_auth import BiscuitSerializationError, BiscuitValidationError, UnverifiedBiscuit

    data = bytes_of(token)
    frame = frame_of(data)
    try:
        biscuit = UnverifiedBiscuit.from_base64(base64url(data))
        sources = [biscuit.block_source(place) for place in range(len(frame.blocks))]
    except (BiscuitSerializationError, BiscuitValidationError):
        raise MandateError("mandate_malformed", "a block of the mandate cannot be read") from None
    blocks = tuple(_read(source, frame, place) for place, source in enumerate(sources))
    facts = [fact for block in blocks for fact in block.facts]
    people = [fact.strings for fact in blocks[0].facts if fact.name == "human"]
    holders = [fact.strings[0] for fact in blocks[0].facts if fact.name == "holder"]
    holders += [fact.strings[1] for fact in facts if fact.name == "delegate" and fact.strings[1]]
    third = tuple(one.external.key.text() if one.external else "" for one in frame.blocks)
    return Reading(
        root_key_id=frame.root_key_id,
        chain=tuple(one.signature.hex() for one in frame.blocks),
        blocks=blocks,
        third_parties=third,
        limits=meet([block.limits for block in blocks], AnyPlace()),
        human="|".join(people[0]) if people else "",
        delegates=tuple(fact.strings[0] for fact in facts if fact.name == "delegate"),
        holder=holders[-1] if holders else "",
    )


class AnyPlace(Jurisdictions):
    """Knows no tree: of two sets of places the later one is taken. A verifier knows better."""

    def __init__(self) -> None:
        super().__init__({})

    def meet(self, one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
        """The later."""
        return tuple(sorted(set(other)))


def attenuate(
    token: str,
    limits: Limits,
    agent: str = "",
    next_holder: str = "",
    depth: int | None = None,
    signer: Signer | None = None,
) -> str:
    """The token with one narrower block behind it.

    `agent` = whom it is delegated to ("" = nobody, it is only narrowed), `next_holder` = the
    thumbprint of that agent's key, `depth` = how often it may be delegated on from there, `signer`
    = the present holder's key where the token is bound to one. Raises MandateError if the block
    would ask for more than there is, or the token is full.
    """
    found = reading_of(token)
    if len(found.blocks) >= BLOCKS_MAX:
        raise MandateError("mandate_oversized", f"the mandate has {BLOCKS_MAX} blocks already")
    hops = len(found.delegates) + bool(agent)
    if depth is not None:
        limits = structs.replace(limits, hops=hops + depth)
    check_narrower(found.limits, limits)
    if found.limits.hops is not None and hops > found.limits.hops:
        raise MandateError("mandate_depth", "the mandate may not be delegated any further")
    facts = (Fact("delegate", (agent, next_holder)),) if agent else ()
    if next_holder and not agent:
        raise MandateError("mandate_malformed", "a key is of somebody: name the agent too")
    source, values = source_of(Block(limits, facts))
    if found.holder and next_holder not in ("", found.holder):
        if signer is None or thumbprint(ed25519_jwk(signer.public)) != found.holder:
            raise MandateError(
                "mandate_rebound",
                "the mandate is bound to a key: only that key can hand it to another "
                "(--signing-key)",
            )
        payload = payload_of(source, values)
        return appended(token, payload, signed_by(signer, payload, found.chain[-1]))
    return appended(token, _payload_in(token, source, values), None)


def check_narrower(held: Limits, wanted: Limits) -> None:
    """Raises MandateError (mandate_widened) naming the first thing that is more than is held."""
    for field in SETS:
        if field == "jurisdictions":  # a place may lie in an allowed one: the verifier's tree says
            continue
        extra = set(getattr(wanted, field)) - set(getattr(held, field))
        if extra and getattr(held, field):
            raise _widened(field, ", ".join(sorted(extra)))
    for field in (*CEILINGS, "expires_at"):
        most, value = getattr(held, field), getattr(wanted, field)
        if most is not None and value is not None and value > most:
            raise _widened(field, f"{value:.0f} > {most:.0f}")
    if held.policy_digest and wanted.policy_digest not in ("", held.policy_digest):
        raise _widened("policy_digest", "another bundle than the one it is pinned to")


def signed_by(signer: Signer, payload: bytes, previous_id: str) -> External:
    """A third party's signature over a block that goes behind the block of that id."""
    message = external_message(payload, bytes.fromhex(previous_id))
    return External(signer.private.sign(message), PublicKey(ED25519, signer.public))


def appended(token: str, payload: bytes, external: External | None) -> str:
    """The token with a block behind it, a third party's or its own. Raises MandateError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        data = append(bytes_of(token), payload, external, Ed25519PrivateKey.generate())
    except WireError as error:
        raise MandateError("mandate_malformed", str(error)) from None
    frame_of(data)
    return text_of(data)


def payload_of(source: str, values: dict[str, Any]) -> bytes:
    """A third party's block content. It has symbols of its own, so any token can serve to make it.

    The binding writes blocks only into tokens: this one is made up, used and forgotten.
    """
    from biscuit_auth import BiscuitBuilder, BlockBuilder, KeyPair

    builder = BiscuitBuilder('carrier("");')
    builder.set_root_key_id(0)
    carrier = builder.build(KeyPair().private_key)
    made = KeyPair()
    block = carrier.third_party_request().create_block(
        made.private_key, BlockBuilder(source, values)
    )
    return (
        parse(bytes(carrier.append_third_party(made.public_key, block).to_bytes()))
        .blocks[1]
        .payload
    )


def _payload_in(token: str, source: str, values: dict[str, Any]) -> bytes:
    """The content of a block of this token's own. The binding writes blocks only into tokens that
    it has verified, and a holder needs no root key: so it writes into a copy signed anew."""
    from biscuit_auth import Algorithm, Biscuit, BlockBuilder
    from biscuit_auth import PublicKey as BiscuitKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    made = Ed25519PrivateKey.generate()
    ed25519 = getattr(Algorithm, "Ed25519")  # noqa: B009 - not in the stubs
    public = made.public_key().public_bytes_raw()
    root = BiscuitKey.from_bytes(public, ed25519)  # type: ignore[call-arg]
    copy = Biscuit.from_bytes(carrier(frame_of(bytes_of(token)), made), root)
    longer = copy.append(BlockBuilder(source, values))
    return parse(bytes(longer.to_bytes())).blocks[-1].payload


def _read(source: str, frame: Frame, place: int) -> Block:
    makers: tuple[Maker, ...] = ("authority",) if place == 0 else ("holder",)
    if frame.blocks[place].external is not None:
        makers = ("holder", "approver")
    for maker in makers[:-1]:
        try:
            return read(source, maker, place)
        except MandateError:
            continue
    return read(source, makers[-1], place)


def _widened(field: str, what: str) -> MandateError:
    return MandateError(
        "mandate_widened", f"{field.replace('_', ' ')}: {what}: the mandate does not hold that"
    )
