"""How does a root key turn a person's proven identity into a mandate?"""

from typing import TYPE_CHECKING

from msgspec import Struct

from flyball.authority.mandates.blocks import Block, Fact, Limits, source_of
from flyball.authority.mandates.refusals import MandateError
from flyball.authority.mandates.tokens import text_of
from flyball.authority.revocation.signer import Signer
from flyball.units import Seconds

if TYPE_CHECKING:
    from biscuit_auth import PrivateKey

LIFE_MAX_S: Seconds = 366 * 86_400.0
_ROOT_MAX = 2**32 - 1


class Person(Struct, frozen=True, kw_only=True):
    """Who was authenticated: by whom (`issuer`), as whom, in which session and in which way."""

    issuer: str
    subject: str
    session: str = ""
    acr: str = ""
    amr: tuple[str, ...] = ()


def grant(
    root: Signer,
    person: Person,
    limits: Limits,
    at: Seconds,
    tenant: str = "",
    holder: str = "",
) -> str:
    """A token of one block, signed by `root`, whose name is its number; `holder` = thumbprint of
    the key that must be shown with it.

    Raises MandateError if it would not expire, or a name has no place in a token.
    """
    from biscuit_auth import BiscuitBuilder

    if limits.expires_at is None or not at < limits.expires_at <= at + LIFE_MAX_S:
        raise MandateError(
            "mandate_malformed", "a mandate must expire, in the future and within 366 days"
        )
    if not person.issuer or not person.subject or "|" in person.issuer:
        raise MandateError("mandate_malformed", "the person has no issuer or no subject")
    facts = [Fact("human", (person.issuer, person.subject)), Fact("granted", (), at)]
    for name, text in (
        ("session", person.session), ("tenant", tenant), ("acr", person.acr), ("holder", holder),
    ):  # fmt: skip
        facts += [Fact(name, (text,))] if text else []
    facts += [Fact("amr", (text,)) for text in sorted(set(person.amr))]
    builder = BiscuitBuilder(*source_of(Block(limits, tuple(facts))))
    builder.set_root_key_id(root_number(root.name))
    return text_of(bytes(builder.build(biscuit_key(root)).to_bytes()))


def root_number(name: str) -> int:
    """A root key's number, which is its name. Raises MandateError if it is none."""
    if not (name.isascii() and name.isdigit()) or int(name) > _ROOT_MAX or str(int(name)) != name:
        raise MandateError(
            "mandate_malformed", f"a root key's name is its number, 0 to {_ROOT_MAX}"
        )
    return int(name)


def biscuit_key(signer: Signer) -> "PrivateKey":
    """The same secret as the Biscuit library holds it."""
    from biscuit_auth import Algorithm, PrivateKey

    ed25519 = getattr(Algorithm, "Ed25519")  # noqa: B009 - not in the stubs
    seed = signer.private.private_bytes_raw()
    return PrivateKey.from_bytes(seed, ed25519)  # type: ignore[call-arg]
