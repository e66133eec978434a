"""Which bytes is a Biscuit made of, and how is a block that somebody else signed put behind it?

Biscuit 3.3 (schema.proto and "Cryptography" in SPECIFICATION.md of eclipse-biscuit/biscuit). The
library verifies the signatures; what stands here is what it leaves open: one spelling only (no
unknown, doubled or reordered field, no long varint), no weak key, and third-party blocks made from
a request that holds no token, which the binding cannot write down.
"""

from typing import TYPE_CHECKING

from msgspec import Struct

from flyball.signing.ed25519 import KEY_BYTES, SignatureError, check_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519 = 0
SECP256R1 = 1
ALGORITHMS = {ED25519: "ed25519", SECP256R1: "secp256r1"}
SIGNATURE_VERSION = 1  # 0 does not bind a third party's block to what stands before it
_BYTES, _NUMBER = 2, 0
_COMPRESSED_POINT_BYTES = 33
_U32_MAX = 2**32 - 1


class WireError(ValueError):
    """The bytes are not a Biscuit in its one spelling; the message says where."""


class WeakKeyError(WireError):
    """A key in the token is of small order or not canonical."""


class OldBlockError(WireError):
    """A third party's block is signed in the way of CVE-2024-42350."""


class PublicKey(Struct, frozen=True):
    """A key as a block holds it."""

    algorithm: int
    data: bytes

    def text(self) -> str:
        """`ed25519/<hex>` or `secp256r1/<hex>`, as Datalog writes it."""
        return f"{ALGORITHMS[self.algorithm]}/{self.data.hex()}"


class External(Struct, frozen=True):
    """A third party's signature over a block's content and all that stands before it."""

    signature: bytes
    key: PublicKey


class SignedBlock(Struct, frozen=True):
    """One block: `payload` = its Datalog, `next_key` signs what follows it."""

    payload: bytes
    next_key: PublicKey
    signature: bytes
    external: External | None
    version: int


class Frame(Struct, frozen=True):
    """A whole token. `next_secret` = what signs one more block; b"" = it is sealed."""

    root_key_id: int
    blocks: tuple[SignedBlock, ...]
    next_secret: bytes


def parse(data: bytes) -> Frame:
    """The token's parts. Raises WireError, WeakKeyError or OldBlockError for one that is not."""
    fields = _fields(data, {1: _NUMBER, 2: _BYTES, 3: _BYTES, 4: _BYTES}, repeated=3)
    if 1 not in fields or 2 not in fields or 4 not in fields:
        raise WireError("the root key's id, the first block or the proof is missing")
    if fields[1][0] > _U32_MAX:
        raise WireError("the root key's id is too large")
    blocks = tuple(_block(one) for one in (fields[2][0], *fields.get(3, ())))
    if blocks[0].external is not None:
        raise WireError("the first block is a third party's")
    proof = _fields(fields[4][0], {1: _BYTES, 2: _BYTES})
    if len(proof) != 1:
        raise WireError("the proof is neither a key nor a seal")
    secret = proof[1][0] if 1 in proof else b""
    if secret and len(secret) != KEY_BYTES:
        raise WireError("the proof has a wrong length")
    return Frame(fields[1][0], blocks, secret)


def external_message(payload: bytes, previous_signature: bytes) -> bytes:
    """What a third party signs: its block's content, behind the block of `previous_signature`."""
    return b"".join(
        (
            b"\0EXTERNAL\0\0VERSION\0", SIGNATURE_VERSION.to_bytes(4, "little"),
            b"\0PAYLOAD\0", payload, b"\0PREVSIG\0", previous_signature,
        )
    )  # fmt: skip


def append(
    data: bytes, payload: bytes, external: External | None, next_private: "Ed25519PrivateKey"
) -> bytes:
    """The token with one more block behind it; `next_private` = a fresh key for what follows it.

    Raises WireError if the token is sealed or its last key is not an Ed25519 one.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    frame = parse(data)
    last = frame.blocks[-1]
    if not frame.next_secret or last.next_key.algorithm != ED25519:
        raise WireError("nothing can be put behind this token: it is sealed")
    signer = Ed25519PrivateKey.from_private_bytes(frame.next_secret)
    block = _signed_block(payload, last.signature, external, signer, next_private)
    proof_bytes = len(_bytes_field(4, _bytes_field(1, frame.next_secret)))
    return data[:-proof_bytes] + _bytes_field(3, block) + _proof(next_private)


def carrier(frame: Frame, root: "Ed25519PrivateKey") -> bytes:
    """The token's own blocks signed anew by `root`: a block written into it fits the token too.

    (Symbols are shared between a token's own blocks; a third party's block has its own.)
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    out, previous, signer = _tag(1, _NUMBER) + _varint(frame.root_key_id), b"", root
    for number, block in enumerate(one for one in frame.blocks if one.external is None):
        following = Ed25519PrivateKey.generate()
        signed = _signed_block(block.payload, previous, None, signer, following)
        out += _bytes_field(3 if number else 2, signed)
        previous, signer = _block(signed).signature, following
    return out + _proof(signer)


def _signed_block(
    payload: bytes,
    previous: bytes,
    external: External | None,
    signer: "Ed25519PrivateKey",
    next_private: "Ed25519PrivateKey",
) -> bytes:
    next_public = next_private.public_key().public_bytes_raw()
    message = _block_message(payload, next_public, previous, external)
    parts = [
        _bytes_field(1, payload),
        _bytes_field(2, _key_field(PublicKey(ED25519, next_public))),
        _bytes_field(3, signer.sign(message)),
    ]
    if external is not None:
        key = _bytes_field(2, _key_field(external.key))
        parts.append(_bytes_field(4, _bytes_field(1, external.signature) + key))
    return b"".join(parts) + _tag(5, _NUMBER) + _varint(SIGNATURE_VERSION)


def _block_message(
    payload: bytes, next_key: bytes, previous: bytes, external: External | None
) -> bytes:
    parts = [
        b"\0BLOCK\0\0VERSION\0", SIGNATURE_VERSION.to_bytes(4, "little"),
        b"\0PAYLOAD\0", payload, b"\0ALGORITHM\0", ED25519.to_bytes(4, "little"),
        b"\0NEXTKEY\0", next_key,
    ]  # fmt: skip
    parts += [b"\0PREVSIG\0", previous] if previous else []
    parts += [b"\0EXTERNALSIG\0", external.signature] if external else []
    return b"".join(parts)


def _proof(next_private: "Ed25519PrivateKey") -> bytes:
    return _bytes_field(4, _bytes_field(1, next_private.private_bytes_raw()))


def _block(data: bytes) -> SignedBlock:
    fields = _fields(data, {1: _BYTES, 2: _BYTES, 3: _BYTES, 4: _BYTES, 5: _NUMBER})
    if not {1, 2, 3} <= fields.keys():
        raise WireError("a block has no content, key or signature")
    external = _external(fields[4][0]) if 4 in fields else None
    version = fields[5][0] if 5 in fields else 0
    if version > SIGNATURE_VERSION:
        raise WireError("a block's signature is of an unknown version")
    if external is not None and version != SIGNATURE_VERSION:
        raise OldBlockError("a third party's block is of an old version (CVE-2024-42350)")
    return SignedBlock(fields[1][0], _key(fields[2][0]), fields[3][0], external, version)


def _external(data: bytes) -> External:
    fields = _fields(data, {1: _BYTES, 2: _BYTES})
    if len(fields) != 2:
        raise WireError("a third party's signature is not whole")
    return External(fields[1][0], _key(fields[2][0]))


def _key(data: bytes) -> PublicKey:
    fields = _fields(data, {1: _NUMBER, 2: _BYTES})
    if len(fields) != 2 or fields[1][0] not in ALGORITHMS:
        raise WireError("a key is of an unknown kind")
    key = PublicKey(fields[1][0], fields[2][0])
    try:
        if key.algorithm == ED25519:
            check_key(key.data)
    except SignatureError as error:
        raise WeakKeyError(str(error)) from None
    if key.algorithm == SECP256R1 and len(key.data) != _COMPRESSED_POINT_BYTES:
        raise WeakKeyError("a P-256 key is not a compressed point")
    return key


def _fields(data: bytes, kinds: dict[int, int], repeated: int = 0) -> dict[int, list]:
    """Field number -> its values, in ascending order of numbers and none twice but `repeated`."""
    found: dict[int, list] = {}
    place, last = 0, 0
    while place < len(data):
        tag, place = _read_varint(data, place)
        number, kind = tag >> 3, tag & 7
        if kinds.get(number) != kind:
            raise WireError("an unknown field stands in the token")
        if number < last or (number == last and number != repeated):
            raise WireError("a field stands twice or out of order")
        value, place = _read_varint(data, place)
        if kind == _BYTES:
            end = place + value
            if end > len(data):
                raise WireError("the token ends too early")
            found.setdefault(number, []).append(data[place:end])
            place = end
        else:
            found.setdefault(number, []).append(value)
        last = number
    return found


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < 35:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if shift and not byte:
                raise WireError("a number is written longer than it must be")
            return value, place
        shift += 7
    raise WireError("the token ends too early, or a number in it is too long")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _tag(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _bytes_field(number: int, data: bytes) -> bytes:
    return _tag(number, _BYTES) + _varint(len(data)) + data


def _key_field(key: PublicKey) -> bytes:
    return _tag(1, _NUMBER) + _varint(key.algorithm) + _bytes_field(2, key.data)
