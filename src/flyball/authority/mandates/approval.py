"""How does a named person allow one action, once, without ever seeing the token?

The holder asks with the hash of the action and the id of the token's last block, which is no
secret. The approver signs a third-party block over both (Biscuit 3.3, "Third party blocks"), so
that it fits behind that block of that token and nowhere else. It counts where the approver's key is
trusted; the id in it can be spent once.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from flyball.authority.mandates.attenuate import appended, payload_of, reading_of, signed_by
from flyball.authority.mandates.blocks import Block, Fact, Limits, source_of
from flyball.authority.mandates.once import Once
from flyball.authority.mandates.refusals import MandateError
from flyball.authority.mandates.wire import ED25519, External, PublicKey
from flyball.authority.revocation.signer import KeyTextError, Signer, base64url, read_base64url
from flyball.model.mandate import Approval
from flyball.signing.jcs import JcsError, canonical
from flyball.units import Seconds

ASKED_BYTES_MAX = 16_384
LIFE_MAX_S: Seconds = 7 * 86_400.0
_ID_BYTES = 16


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request for approval: all that the approver must know, and no token.

    `mandate` = id of the token's last block; `human` and `delegates` are the token's own words.
    """

    mandate: str
    action: dict[str, str | int | bool]
    action_sha256: str
    human: str
    delegates: tuple[str, ...]
    policy_digest: str
    at: Seconds

    @property
    def id(self) -> str:
        """A short name for it: the first 16 hex digits of the action's hash."""
        return self.action_sha256[:16]


class Granted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An approval on its way back to the holder: a signed block, base64url."""

    id: str
    mandate: str
    payload: str
    signature: str
    key: str


def action_sha256(action: Mapping[str, str | int | bool]) -> str:
    """The hash by which an action is approved: SHA-256 (hex) of its RFC 8785 form."""
    try:
        return sha256(canonical(dict(action))).hexdigest()
    except JcsError as error:
        raise MandateError("approval_malformed", f"the action: {error}") from None


def ask(token: str, action: Mapping[str, str | int | bool], at: Seconds) -> Asked:
    """What the holder of `token` sends to an approver. Raises MandateError."""
    found = reading_of(token)
    return Asked(
        mandate=found.chain[-1],
        action=dict(action),
        action_sha256=action_sha256(action),
        human=found.human,
        delegates=found.delegates,
        policy_digest=found.limits.policy_digest,
        at=at,
    )


def read_asked(data: bytes) -> Asked:
    """A request as it was written. Raises MandateError, also where hash and action differ."""
    asked = _decoded(data, Asked)
    if action_sha256(asked.action) != asked.action_sha256:
        raise MandateError("approval_malformed", "the request's hash is not that of its action")
    return asked


def approve(asked: Asked, signer: Signer, at: Seconds, life_s: Seconds, nonce: bytes) -> Granted:
    """The approval by `signer`, good until `at + life_s`; `nonce` = 16 random bytes."""
    if not 0 < life_s <= LIFE_MAX_S:
        raise MandateError("approval_malformed", "an approval lives at most 7 days")
    if len(nonce) != _ID_BYTES:
        raise MandateError("approval_malformed", f"the nonce has not {_ID_BYTES} bytes")
    strings = (nonce.hex(), asked.action_sha256, asked.policy_digest)
    payload = payload_of(*source_of(Block(Limits(), (Fact("approved", strings, at + life_s),))))
    external = signed_by(signer, payload, asked.mandate)
    return Granted(
        id=nonce.hex(),
        mandate=asked.mandate,
        payload=base64url(payload),
        signature=base64url(external.signature),
        key=base64url(signer.public),
    )


def attach(token: str, granted: Granted) -> str:
    """The token with the approval behind it. MandateError if it was made for another token."""
    if reading_of(token).chain[-1] != granted.mandate:
        raise MandateError(
            "approval_misplaced",
            "the approval was made for another mandate, or for this one before it changed: "
            "ask again",
        )
    try:
        payload, signature, key = map(
            read_base64url, (granted.payload, granted.signature, granted.key)
        )
    except KeyTextError as error:
        raise MandateError("approval_malformed", str(error)) from None
    return appended(token, payload, External(signature, PublicKey(ED25519, key)))


def seen_once() -> Once:
    """What remembers spent approvals for as long as one may live."""
    return Once(LIFE_MAX_S)


def read_granted(data: bytes) -> Granted:
    """An approval as it was written. Raises MandateError."""
    return _decoded(data, Granted)


def use(
    approvals: tuple[Approval, ...], action: str, policy: str, at: Seconds, spent: Once
) -> Approval:
    """The approval of the action with this hash under this policy, used up by this call.

    `spent` is kept by whoever decides, for as long as approvals live. Raises MandateError.
    """
    fitting = [one for one in approvals if one.action_sha256 == action]
    live = [one for one in fitting if one.policy_digest in ("", policy) and at <= one.expires_at]
    for one in live:
        if spent.use(one.id, at):
            return one
    if live:
        raise MandateError("approval_spent", "the approval was used already: ask for another")
    if fitting:
        raise MandateError("approval_expired", "the approval is out of date: ask for another")
    raise MandateError("approval_misplaced", "no approval is of this action")


def _decoded(data: bytes, kind: Any) -> Any:
    if len(data) > ASKED_BYTES_MAX:
        raise MandateError("approval_malformed", "the document is too long")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise MandateError("approval_malformed", "it is no request or approval") from None
