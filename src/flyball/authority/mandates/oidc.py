"""Did this identity provider say that this person logged in, for us, just now?

OpenID Connect Core 3.1.3.7. The key alone decides the algorithm: what the token's header names
must be it, so `none`, or a public key taken for a shared secret, verifies nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from flyball.authority.mandates.grant import Person
from flyball.authority.mandates.refusals import MandateError
from flyball.authority.mandates.thumbprint import thumbprint
from flyball.authority.revocation.signer import KeyTextError
from flyball.units import Seconds

TOKEN_CHARS_MAX = 16_384
CLOCK_SKEW_S: Seconds = 2.0
AGE_MAX_S: Seconds = 3_600.0
_RSA_BITS_MIN = 2_048
_ALGORITHMS = {"RSA": ("RS256", "PS256"), "EC": ("ES256",), "OKP": ("EdDSA",)}


def person_of(
    token: str,
    keys: Iterable[Mapping[str, Any]],
    issuer: str,
    audience: str,
    at: Seconds,
    nonce: str = "",
) -> Person:
    """Who an ID token names. `keys` = the provider's JWKS, `audience` = our client id there.

    Raises MandateError if it is another's, too old, not for us, or its signature does not hold.
    """
    claims = _claims(token, keys)
    audiences = claims.get("aud")
    audiences = [audiences] if isinstance(audiences, str) else audiences
    if claims.get("iss") != issuer:
        raise _claim("iss", "it is of another provider")
    if not isinstance(audiences, list) or audience not in audiences:
        raise _claim("aud", "it was made for another client")
    if len(audiences) > 1 and claims.get("azp") != audience:
        raise _claim("azp", "it was made for several clients, and another asked for it")
    if nonce and claims.get("nonce") != nonce:
        raise _claim("nonce", "it answers another login")
    check_times(claims, at, AGE_MAX_S)
    subject, session, acr = (claims.get(name, "") for name in ("sub", "sid", "acr"))
    methods = claims.get("amr", [])
    if not all(isinstance(one, str) for one in (subject, session, acr)) or not subject:
        raise _claim("sub", "it names nobody")
    if not isinstance(methods, list) or not all(isinstance(one, str) for one in methods):
        raise _claim("amr", "it is no list of words")
    return Person(issuer=issuer, subject=subject, session=session, acr=acr, amr=tuple(methods))


def check_times(claims: Mapping[str, Any], at: Seconds, age_max_s: Seconds) -> None:
    """Raises MandateError unless `iat` and `exp` are numbers around `at`, 2 s of skew allowed."""
    made, until, begins = (claims.get(name) for name in ("iat", "exp", "nbf"))
    begins = 0 if begins is None else begins
    if not (_is_number(made) and _is_number(until) and _is_number(begins)):
        raise _claim("iat", "it has not its times as numbers")
    if at > until + CLOCK_SKEW_S or at > made + age_max_s:
        raise MandateError("jwt_expired", "the token has expired: log in again")
    if max(made, begins) > at + CLOCK_SKEW_S:
        raise MandateError("jwt_expired", "the token is of a time yet to come: is a clock wrong?")


def _claims(token: str, keys: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    import jwt

    if len(token) > TOKEN_CHARS_MAX:
        raise MandateError("jwt_malformed", "the ID token is too long")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise MandateError("jwt_malformed", "the ID token is no signed JWT") from None
    key = _key_for(header, list(keys))
    algorithm = _algorithm_of(key)
    if header.get("alg") != algorithm:
        raise MandateError(
            "jwt_algorithm", f"the ID token is not signed by {algorithm}, which its key is for"
        )
    try:
        return jwt.decode(
            token, jwt.PyJWK(dict(key), algorithm).key, algorithms=[algorithm],
            options={
                "verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False,
            },
        )  # fmt: skip
    except (jwt.InvalidTokenError, jwt.PyJWKError, ValueError):
        raise MandateError("jwt_forged", "the ID token's signature does not hold") from None


def _key_for(header: Mapping[str, Any], keys: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    usable = [
        one for one in keys if one.get("use", "sig") == "sig" and one.get("kty") in _ALGORITHMS
    ]
    name = header.get("kid")
    found = [one for one in usable if one.get("kid") == name] if name is not None else usable
    if len(found) != 1:
        raise MandateError(
            "jwt_unknown_key", "the ID token's key is not, or not clearly, among the provider's"
        )
    return found[0]


def _algorithm_of(key: Mapping[str, Any]) -> str:
    kinds = _ALGORITHMS[key["kty"]]
    algorithm = key.get("alg", kinds[0])
    if algorithm not in kinds:
        raise MandateError("jwt_algorithm", "the provider's key is for no algorithm accepted here")
    if key["kty"] == "RSA":
        import jwt

        try:
            bits = jwt.PyJWK(dict(key), algorithm).key.key_size
        except jwt.PyJWKError:
            bits = 0
        if bits < _RSA_BITS_MIN:
            raise MandateError("jwt_unknown_key", "the provider's RSA key is weak or no key")
    else:
        try:
            thumbprint(dict(key))
        except KeyTextError as error:
            raise MandateError("jwt_unknown_key", f"the provider's key: {error}") from None
    return algorithm


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _claim(name: str, why: str) -> MandateError:
    return MandateError("jwt_claims", f"the ID token's `{name}` is not right: {why}")
