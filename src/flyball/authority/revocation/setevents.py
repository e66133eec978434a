"""Whose sessions does this token of an identity provider end?

Two kinds: a Security Event Token (RFC 8417, profile SSF/CAEP: `session-revoked`) and an OIDC
back-channel logout token. Both are JWTs under a key of the provider's that was pinned with its
algorithm beforehand: the token's own header chooses among pinned keys, never the algorithm.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from msgspec import Struct

from flyball.authority.revocation.revocation import Revocation
from flyball.units import Bytes, Seconds

SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
VERIFICATION = "https://schemas.openid.net/secevent/ssf/event-type/verification"
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
ALGORITHMS = frozenset({"EdDSA", "ES256", "ES384", "RS256", "PS256"})
TOKEN_BYTES_MAX: Bytes = 16_384
SKEW_S: Seconds = 60.0
# Transmitters repeat what was not acknowledged; older than that it is refused.
AGE_S_MAX: Seconds = 86_400.0
RSA_BITS_MIN = 2048
TEXT_CHARS_MAX = 200


class SetError(ValueError):
    """The token is refused. `code` is RFC 8935's (invalid_request, invalid_key, invalid_issuer,
    invalid_audience)."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class PinnedKey(Struct, frozen=True):
    """A provider's public key and the one algorithm it is used with."""

    algorithm: str
    key: Any


class Issuer(Struct, frozen=True):
    """A provider: its `iss`, what it calls us (`aud`), its keys by `kid`."""

    issuer: str
    audience: str
    keys: Mapping[str, PinnedKey]


class Ended(Struct, frozen=True, kw_only=True):
    """A token that holds. `revocation` None = it only asks whether we are there (verification)."""

    issuer: str
    jti: str
    revocation: Revocation | None


def read_keys(jwks: bytes) -> dict[str, PinnedKey]:
    """A JWK Set (RFC 7517), each key with `kid` and `alg`. ValueError for what cannot be pinned:
    no algorithm, a symmetric key, a private one, one that is too short."""
    import jwt

    try:
        listed = json.loads(jwks)["keys"]
        found: dict[str, PinnedKey] = {}
        for one in listed:
            kid, algorithm = str(one.get("kid", "")), str(one.get("alg", ""))
            if not kid or kid in found or algorithm not in ALGORITHMS:
                known = ", ".join(sorted(ALGORITHMS))
                raise ValueError(f"each key has a kid of its own and an alg out of {known}")
            if "d" in one or one.get("kty") == "oct":
                raise ValueError(f"{kid} is a secret key: give the provider's public one")
            key = jwt.PyJWK(one, algorithm).key
            if getattr(key, "key_size", RSA_BITS_MIN) < RSA_BITS_MIN and one["kty"] == "RSA":
                raise ValueError(f"{kid} has fewer than {RSA_BITS_MIN} bits")
            found[kid] = PinnedKey(algorithm, key)
    except (jwt.PyJWTError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no JWK Set: {error}"[:TEXT_CHARS_MAX]) from None
    return found


class SetReader:
    """Reads tokens of the pinned issuers.

    A token counts once: the revocation's id comes from `iss` and `jti`, and a feed takes each id
    once, whatever restarts in between.
    """

    def __init__(self, issuers: tuple[Issuer, ...]) -> None:
        self._issuers = {one.issuer: one for one in issuers}

    def security_event(self, token: bytes, at: Seconds) -> Ended:
        """An SSF/CAEP token. Raises SetError."""
        claims, typ = self._claims(token, at)
        if typ != "secevent+jwt":
            raise SetError("invalid_request", "its typ is not secevent+jwt")
        if "exp" in claims or "sub" in claims:
            raise SetError("invalid_request", "a security event token has no exp and no sub")
        events = _events(claims)
        if VERIFICATION in events:
            return _ended(claims, None)
        if SESSION_REVOKED not in events:
            raise SetError("invalid_request", "it tells of no event that is understood here")
        told = events[SESSION_REVOKED]
        subjects = _subjects(claims.get("sub_id", told.get("subject")), str(claims["iss"]))
        made_at = _time(told.get("event_timestamp", claims["iat"]))
        reason = told.get("reason_admin", {})
        reason = next(iter(reason.values()), "") if isinstance(reason, dict) else reason
        return _ended(claims, (subjects, min(made_at, at), str(reason)))

    def logout(self, token: bytes, at: Seconds) -> Ended:
        """An OIDC back-channel logout token (2.4 and 2.6 there). Raises SetError."""
        claims, typ = self._claims(token, at)
        if typ not in ("logout+jwt", "jwt", ""):
            raise SetError("invalid_request", "its typ is not logout+jwt")
        if LOGOUT not in _events(claims) or "nonce" in claims:
            raise SetError("invalid_request", "it is no logout token")
        if not isinstance(claims.get("exp"), int | float) or claims["exp"] + SKEW_S < at:
            raise SetError("invalid_request", "it has expired, or does not say when it does")
        iss, sub, sid = str(claims["iss"]), claims.get("sub"), claims.get("sid")
        if isinstance(sid, str) and sid:
            subjects = (f"session:{iss}|{_text(sid)}",)
        elif isinstance(sub, str) and sub:
            subjects = (f"human:{iss}|{_text(sub)}",)
        else:
            raise SetError("invalid_request", "it names neither sub nor sid")
        return _ended(claims, (subjects, min(_time(claims["iat"]), at), ""))

    def _claims(self, token: bytes, at: Seconds) -> tuple[dict[str, Any], str]:
        """The claims of a token whose signature, issuer, audience and time are right."""
        import jwt

        if len(token) > TOKEN_BYTES_MAX:
            raise SetError("invalid_request", f"a token has at most {TOKEN_BYTES_MAX} bytes")
        try:
            header = jwt.get_unverified_header(token)
            unverified = jwt.decode(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise SetError("invalid_request", "it is no JWT") from None
        issuer = self._issuers.get(str(unverified.get("iss")))
        if issuer is None:
            raise SetError("invalid_issuer", "nobody of that iss is named in oversight.issuers")
        pinned = issuer.keys.get(str(header.get("kid")))
        if pinned is None or header.get("alg") != pinned.algorithm or "crit" in header:
            raise SetError("invalid_key", "its kid and alg are not those of a pinned key")
        claims = _verified(token, pinned, issuer)
        issued = _time(claims.get("iat"))
        if not at - AGE_S_MAX <= issued <= at + SKEW_S:
            raise SetError("invalid_request", "it was issued in the future, or over a day ago")
        if not isinstance(claims.get("jti"), str) or not claims["jti"]:
            raise SetError("invalid_request", "it has no jti")
        return claims, str(header.get("typ", "")).lower().removeprefix("application/")


def _ended(claims: dict[str, Any], told: tuple[tuple[str, ...], Seconds, str] | None) -> Ended:
    iss, jti = str(claims["iss"]), str(claims["jti"])
    if told is None:
        return Ended(issuer=iss, jti=jti, revocation=None)
    subjects, made_at, reason = told
    revocation = Revocation(
        id=sha256(f"set {iss} {jti}".encode()).hexdigest()[:32],
        by=f"issuer {iss}",
        reason=(reason or "session ended at the identity provider")[:TEXT_CHARS_MAX],
        made_at=made_at,
        subjects=subjects,
    )
    return Ended(issuer=iss, jti=jti, revocation=revocation)


def _verified(token: bytes, pinned: PinnedKey, issuer: Issuer) -> dict[str, Any]:
    import jwt

    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    try:
        return jwt.decode(
            token,
            pinned.key,
            algorithms=[pinned.algorithm],
            audience=issuer.audience,
            issuer=issuer.issuer,
            options=options,
        )
    except (jwt.InvalidAudienceError, jwt.MissingRequiredClaimError):
        raise SetError("invalid_audience", "it is not meant for this governor") from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise SetError("invalid_key", "its signature does not hold") from None


def _events(claims: dict[str, Any]) -> dict[str, dict[str, Any]]:
    events = claims.get("events")
    if not isinstance(events, dict) or len(events) != 1:
        raise SetError("invalid_request", "it tells of one event, in `events`")
    if not all(isinstance(told, dict) for told in events.values()):
        raise SetError("invalid_request", "its event is no object")
    return events


def _subjects(subject: Any, iss: str) -> tuple[str, ...]:
    """RFC 9493 identifiers: iss_sub, opaque (a session), or complex ones made of them. An issuer
    speaks of its own people alone."""
    if not isinstance(subject, dict):
        raise SetError("invalid_request", "it names no subject")
    kind = subject.get("format")
    if kind == "iss_sub" and subject.get("iss") == iss:
        return (f"human:{iss}|{_text(subject.get('sub'))}",)
    if kind == "opaque":
        return (f"session:{iss}|{_text(subject.get('id'))}",)
    parts = [subject.get(name) for name in ("session", "user")]
    found = [part for part in parts if isinstance(part, dict) and "format" in part]
    if (kind in (None, "complex")) and found and "complex" not in [f["format"] for f in found]:
        return _subjects(found[0], iss)
    raise SetError("invalid_request", "its subject is not one of iss_sub, opaque or complex")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_CHARS_MAX:
        raise SetError("invalid_request", f"a subject's text has 1 to {TEXT_CHARS_MAX} characters")
    return value


def _time(value: Any) -> Seconds:
    """Unix seconds; milliseconds where the number can only be that."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e14:
        raise SetError("invalid_request", "a time is missing or is none")
    return value / 1e3 if value > 1e11 else float(value)
