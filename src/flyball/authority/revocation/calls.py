"""Who makes this call to a governor, and is it this very call that they signed?

`authorization: Flyball BASE64URL(CALL).SIGNATURE`, CALL being the canonical JSON of who calls,
which governor (`site`), method, target, SHA-256 of the body, when, and an id that is used once. So
a call that somebody overhears works neither again nor elsewhere nor with another body.
"""

import json
from collections.abc import Mapping
from hashlib import sha256

import msgspec
from msgspec import Struct

from flyball.authority.mandates.once import Once
from flyball.authority.revocation.signer import (
    KeyTextError,
    Signer,
    base64url,
    check_signature,
    read_base64url,
)
from flyball.signing.ed25519 import SignatureError
from flyball.signing.jcs import JcsError, canonical
from flyball.units import Seconds

LABEL = "flyball.call/v1"
SCHEME = "Flyball "
AGE_S_MAX: Seconds = 60.0
HEADER_CHARS_MAX = 4096


class CallError(ValueError):
    """The call is not believed; the message says why and what to do."""


class Call(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a caller signs. `by` = a person's name, or a site's."""

    body_sha256: str
    by: str
    id: str
    made_at: Seconds
    method: str
    site: str
    target: str


def sign_call(
    signer: Signer, call_id: str, site: str, method: str, target: str, body: bytes, at: Seconds
) -> str:
    """The value of the header `authorization`. `call_id` = drawn by the caller, used once."""
    call = Call(
        body_sha256=sha256(body).hexdigest(),
        by=signer.name,
        id=call_id,
        made_at=at,
        method=method,
        site=site,
        target=target,
    )
    told = canonical(json.loads(msgspec.json.encode(call)))
    return f"{SCHEME}{base64url(told)}.{signer.sign(LABEL, told)}"


class Calls:
    """Checks calls made to `site` by those in `keys` (name -> public key)."""

    def __init__(self, site: str, keys: Mapping[str, bytes]) -> None:
        self._site = site
        self._keys = keys
        self._once = Once(2 * AGE_S_MAX)

    def adopt(self, keys: Mapping[str, bytes]) -> None:
        """Others are known from now on; calls that were made stay made."""
        self._keys = keys

    def caller(self, header: str, method: str, target: str, body: bytes, at: Seconds) -> str:
        """The name of who made this call. Raises CallError."""
        told, signature = _parted(header)
        try:
            call = msgspec.json.decode(told, type=Call)
            is_canonical = canonical(json.loads(told)) == told
        except (msgspec.MsgspecError, UnicodeDecodeError, JcsError, RecursionError):
            raise CallError("the authorization holds no call") from None
        public = self._keys.get(call.by)
        if public is None:
            raise CallError("nobody of that name is known here: see oversight.people")
        try:
            check_signature(public, LABEL, told, signature)
        except SignatureError as error:
            raise CallError(f"signed as {call.by}: {error}") from None
        self._check(call, is_canonical, method, target, body, at)
        return call.by

    def _check(
        self, call: Call, is_canonical: bool, method: str, target: str, body: bytes, at: Seconds
    ) -> None:
        if call.site != self._site:
            raise CallError(f"the call is for site {call.site!r}; this is {self._site!r}")
        same = (call.method, call.target, call.body_sha256)
        if not is_canonical or same != (method, target, sha256(body).hexdigest()):
            raise CallError("another call was signed than the one that came")
        if abs(at - call.made_at) > AGE_S_MAX:
            raise CallError(
                f"the call was signed {at - call.made_at:.0f} s ago by its clock; at most "
                f"{AGE_S_MAX:g} s are right: compare the clocks"
            )
        if not self._once.use(f"{call.by} {call.id}", at):
            raise CallError("this call was made before")


def _parted(header: str) -> tuple[bytes, str]:
    told, dot, signature = header.removeprefix(SCHEME).partition(".")
    if not header.startswith(SCHEME) or not dot or len(header) > HEADER_CHARS_MAX:
        raise CallError("an authorization is needed: Flyball CALL.SIGNATURE, by a person's key")
    try:
        return read_base64url(told), signature
    except KeyTextError:
        raise CallError("the authorization is not base64url") from None
