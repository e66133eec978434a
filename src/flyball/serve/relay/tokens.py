"""Is the API key of a request a token, and which mandate is it?

A token is verified once; the mandate is kept under the SHA-256 of the token, and of the key whose
possession was shown with it, so that the next request costs one look. What the token may not do is
the core's to say; here it is only whether it is one. Opaque keys pass through untouched.
"""

from collections.abc import Callable
from typing import Protocol

from msgspec.structs import force_setattr

from flyball.model.faults import Refusal
from flyball.model.mandate import Mandate
from flyball.model.request import RequestHead
from flyball.serve.relay.heads import Fields, Request
from flyball.units import Seconds

PREFIX = b"sk-fly-"
KEPT_MAX = 65_536
# Tokens that were refused: an attacker can make any number of them.
REFUSED_MAX = 4_096
REFUSED_S: Seconds = 5.0
_KEYS = (b"authorization", b"x-api-key", b"api-key")
_PROOF = b"dpop"
_FAULTS = {
    "mandate_expired": "mandate_expired",
    "mandate_not_yet": "mandate_expired",
    "mandate_holder_required": "holder_not_shown",
    "mandate_holder_mismatch": "holder_not_shown",
    "mandate_check_busy": "mandate_check_busy",
    "proof_busy": "mandate_check_busy",
}


class Verifier(Protocol):
    """Who knows the root keys: `flyball.authority.mandates.tokens.Verifier`."""

    def verify(self, token: str, at: Seconds, holder: str = "") -> Mandate:
        """The mandate; raises an error with `code` and `detail`."""
        ...


Shown = Callable[[str, str, str, str, Seconds], str]
"""(proof, method, URL, token, now) -> thumbprint of the key that the proof shows; or it raises."""


class TokenDesk:
    """One gateway's. `shown` checks the proof of a holder's key; `refusals` = what both raise.

    `public_url` = scheme and host by which clients reach this gateway: proofs are made for those.
    One that ends in "//" is completed by the request's Host.
    """

    def __init__(
        self,
        verifier: Verifier,
        shown: Shown,
        *,
        public_url: str,
        refusals: type[Exception] = ValueError,
    ) -> None:
        self._verifier = verifier
        self._shown = shown
        self._public_url = public_url
        self._refusals = refusals
        self._kept: dict[tuple[str, str], Mandate] = {}
        self._refused: dict[tuple[str, str], tuple[Seconds, Refusal]] = {}

    def look(self, head: RequestHead, request: Request, at: Seconds) -> Refusal | None:
        """Set `head.mandate` if the key is a token; a refusal if it is one that is not accepted."""
        sha256 = head.key_sha256
        if not sha256:
            return None
        fields = request.fields
        if any(name == _PROOF for name, _ in fields):
            return self._look_with_proof(head, request, at)
        mandate = self._kept.get((sha256, ""))
        if mandate is not None:
            # The head was made a moment ago, for this request alone.
            force_setattr(head, "mandate", mandate)
            return None
        return self._verify(head, fields, "", at)

    def _look_with_proof(self, head: RequestHead, request: Request, at: Seconds) -> Refusal | None:
        token = _token(request.fields).decode("latin-1")
        if not token:
            return None
        proofs = [value for name, value in request.fields if name == _PROOF]
        if len(proofs) > 1:
            return Refusal(code="holder_not_shown", detail="there are several proofs")
        url = self._public_url
        if url.endswith("//"):
            host = next((value for name, value in request.fields if name == b"host"), b"")
            url += host.decode("latin-1")
        url += request.target.decode("latin-1")
        try:
            method = request.method.decode("latin-1")
            holder = self._shown(proofs[0].decode("latin-1"), method, url, token, at)
        except self._refusals as fault:
            return refusal_of(fault)
        mandate = self._kept.get((head.key_sha256, holder))
        if mandate is not None:
            force_setattr(head, "mandate", mandate)
            return None
        return self._verify(head, request.fields, holder, at)

    def _verify(
        self, head: RequestHead, fields: Fields, holder: str, at: Seconds
    ) -> Refusal | None:
        token = _token(fields)
        if not token:
            return None
        key = (head.key_sha256, holder)
        refused = self._refused.get(key)
        if refused is not None and at - refused[0] < REFUSED_S:
            return refused[1]
        try:
            mandate = self._verifier.verify(token.decode("latin-1"), at, holder)
        except self._refusals as fault:
            refusal = refusal_of(fault)
            if not refusal.fault.should_retry:
                if len(self._refused) >= REFUSED_MAX:
                    self._refused.clear()
                self._refused[key] = (at, refusal)
            return refusal
        if len(self._kept) >= KEPT_MAX:
            self._kept.clear()
        self._kept[key] = mandate
        force_setattr(head, "mandate", mandate)
        return None


def refusal_of(fault: Exception) -> Refusal:
    """The refusal that a verifier's error amounts to; its own code stands in the detail."""
    code = str(getattr(fault, "code", "mandate_invalid"))
    detail = str(getattr(fault, "detail", fault))
    known = _FAULTS.get(code)
    if known is None:
        known = "holder_not_shown" if code.startswith("proof_") else "mandate_invalid"
    retry_after_s = 1.0 if known == "mandate_check_busy" else 0.0
    return Refusal(code=known, detail=f"{code}: {detail}", retry_after_s=retry_after_s)


def _token(fields: Fields) -> bytes:
    """The API key as it was sent, if it is a token."""
    for wanted in _KEYS:
        for name, value in fields:
            if name == wanted:
                scheme, _, rest = value.partition(b" ")
                key = rest.strip() if scheme.lower() in (b"bearer", b"dpop") else value.strip()
                return key if key.startswith(PREFIX) else b""
    return b""
