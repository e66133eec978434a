"""Who signed these bytes? (DSSE: Dead Simple Signing Envelope v1.)

What is signed is the pre-authentication encoding of type and payload
(github.com/secure-systems-lab/dsse, protocol.md). `keyid` is only a hint there; here it is the
whole public key, so that every signature can be checked by anybody and none can be altered unseen.
Whether a key is believed is for the receiver to say.
"""

from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from flyball.authority.bundles.archive import BundleError
from flyball.authority.revocation.signer import KeyTextError, Signer, key_text, read_key
from flyball.signing.ed25519 import SignatureError, verify
from flyball.signing.jcs import canonicalize

SIGNATURES_MAX = 64


class Signature(Struct, frozen=True, forbid_unknown_fields=True):
    """One signature: the key as text, and standard base64."""

    keyid: str
    sig: str


class Envelope(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A payload in base64, its type, and signatures in order of their keys."""

    payload: str
    payload_type: str
    signatures: tuple[Signature, ...]


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSEv1 SP len(type) SP type SP len(payload) SP payload; lengths count bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(
    payload_type: str, payload: bytes, signers: Sequence[Signer], before: bytes = b""
) -> bytes:
    """The envelope of the payload, signed by all of these and by those of `before`, if any.

    BundleError if `before` is of another payload, or a key signs twice.
    """
    found: list[Signature] = []
    if before:
        found += _read(before, payload_type, payload).signatures
    for signer in signers:
        signature = signer.private.sign(pae(payload_type, payload))
        found.append(Signature(key_text(signer.public), b64encode(signature).decode()))
    found.sort(key=lambda one: one.keyid)
    _check_once(found)
    envelope = Envelope(b64encode(payload).decode(), payload_type, tuple(found))
    return _spelled(envelope)


def signed_by(envelope: bytes, payload_type: str, payload: bytes) -> tuple[str, ...]:
    """The keys (as text, each once) whose signatures over this payload are in the envelope.

    Raises BundleError if it is not an envelope in its one spelling, is of anything else, or if
    any one signature does not hold.
    """
    found = _read(envelope, payload_type, payload)
    for one in found.signatures:
        try:
            signature = a2b_base64(one.sig, strict_mode=True)
            if b64encode(signature).decode() != one.sig:  # its last digit has bits to spare
                raise SignatureError("it is not base64 in its one right spelling")
            verify(read_key(one.keyid), signature, pae(payload_type, payload))
        except (KeyTextError, SignatureError, ValueError) as error:
            raise _bad(f"the signature of {one.keyid[:24]} is bad: {error}") from None
    return tuple(one.keyid for one in found.signatures)


def _read(envelope: bytes, payload_type: str, payload: bytes) -> Envelope:
    try:
        found = msgspec.json.decode(envelope, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(f"the envelope is none: {error}") from None
    if _spelled(found) != envelope:
        raise _bad("the envelope is not in canonical JSON")
    if found.payload_type != payload_type or found.payload != b64encode(payload).decode():
        raise _bad("the envelope is of another bundle")
    _check_once(found.signatures)
    return found


def _check_once(signatures: Sequence[Signature]) -> None:
    keys = [one.keyid for one in signatures]
    if len(keys) > SIGNATURES_MAX:
        raise _bad(f"it has more than {SIGNATURES_MAX} signatures")
    if len(set(keys)) != len(keys):
        raise BundleError("signed_twice", "a key signs twice: it would count for two parties")
    if keys != sorted(keys):
        raise _bad("its signatures are not in the order of their keys")


def _spelled(envelope: Envelope) -> bytes:
    return canonicalize(msgspec.json.encode(envelope))


def _bad(message: str) -> BundleError:
    return BundleError("signature", message, "Take the bundle from its publisher again.")
