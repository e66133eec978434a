"""Which mandates are revoked, as a list that anybody can fetch and check offline?

IETF Token Status List (draft-ietf-oauth-status-list): a bit for each index, least significant bit
of each byte first, compressed with zlib (DEFLATE), as base64url in a signed JWT of the type
`statuslist+jwt`. An index is given to a chain when it is registered; 1 = INVALID.
"""

import zlib
from typing import Any

from flyball.authority.revocation.signer import Signer, base64url, read_base64url
from flyball.units import Bytes, Seconds

VALID, INVALID = 0, 1
TYP = "statuslist+jwt"
MEDIA_TYPE = "application/statuslist+jwt"
TTL_S = 5
LIFE_S = 3600
SIZE_MIN = 1 << 13
SIZE_MAX = 1 << 20
_LIST_BYTES_MAX: Bytes = SIZE_MAX // 8


class StatusList:
    """One bit for each index below `size`. Raises ValueError for a size that is not a multiple of
    eight in (0, SIZE_MAX]."""

    def __init__(self, size: int = SIZE_MIN) -> None:
        if size % 8 or not 0 < size <= SIZE_MAX:
            raise ValueError(f"a list has a multiple of 8 places, at most {SIZE_MAX}")
        self._bits = bytearray(size // 8)

    @property
    def size(self) -> int:
        """How many places it has."""
        return 8 * len(self._bits)

    def reach(self, index: int) -> None:
        """Double it until there is such a place. IndexError beyond SIZE_MAX."""
        if not 0 <= index < SIZE_MAX:
            raise IndexError(f"there is no place {index} in a list of {SIZE_MAX}")
        while index >= self.size:
            self._bits += bytes(len(self._bits))

    def revoke(self, index: int) -> None:
        """Mark it INVALID, reaching there first."""
        self.reach(index)
        self._bits[index // 8] |= 1 << index % 8

    def status(self, index: int) -> int:
        """VALID or INVALID; a place beyond the list's end has no status: IndexError."""
        if not 0 <= index < self.size:
            raise IndexError(f"there is no place {index} in a list of {self.size}")
        return self._bits[index // 8] >> index % 8 & 1

    def packed(self) -> str:
        """Its `lst`: compressed, base64url."""
        return base64url(zlib.compress(self._bits, 9))

    @classmethod
    def unpacked(cls, text: str) -> "StatusList":
        """What `packed` made. ValueError for anything else, and for a list beyond the bound."""
        inflate = zlib.decompressobj()
        try:
            bits = inflate.decompress(read_base64url(text), _LIST_BYTES_MAX)
        except zlib.error:
            raise ValueError("the list is not compressed with zlib") from None
        if not inflate.eof:
            raise ValueError(f"the list is cut short, or has more than {SIZE_MAX} places")
        made = cls(8 * len(bits))
        made._bits[:] = bits
        return made


def status_token(listed: StatusList, url: str, at: Seconds, signer: Signer) -> str:
    """The list as a signed JWT (EdDSA). `url` = where it is fetched, which is its `sub`."""
    claims: dict[str, Any] = {
        "sub": url,
        "iat": int(at),
        "exp": int(at) + LIFE_S,
        "ttl": TTL_S,
        "status_list": {"bits": 1, "lst": listed.packed()},
    }
    return signer.jwt(claims, TYP)


def read_token(token: str, url: str, public: bytes) -> StatusList:
    """The list in a token that `public` signed for `url`. ValueError if it does not hold."""
    import jwt
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        if jwt.get_unverified_header(token).get("typ") != TYP:
            raise ValueError("its typ is not statuslist+jwt")
        key = Ed25519PublicKey.from_public_bytes(public)
        claims = jwt.decode(token, key, algorithms=["EdDSA"])
        if claims.get("sub") != url or claims["status_list"]["bits"] != 1:
            raise ValueError("it is another list than the one that was asked for")
        return StatusList.unpacked(claims["status_list"]["lst"])
    except (jwt.PyJWTError, KeyError, TypeError) as error:
        raise ValueError(f"it is no status list: {error}") from None
