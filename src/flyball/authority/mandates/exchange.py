"""How does a mandate look to those who know only JWTs, and how is such a one read again?

RFC 8693 4.1: `sub` = the human, `act` = who acts, and nested in it who acted before. Made only
from a verified mandate, never from a header. It holds short and cannot be narrowed further.
"""

from collections.abc import Mapping
from typing import Any

from flyball.authority.mandates.oidc import check_times
from flyball.authority.mandates.refusals import MandateError
from flyball.authority.revocation.signer import Signer
from flyball.model.mandate import Mandate, Spend
from flyball.units import Seconds

TYP = "flyball-mandate+jwt"
LIFE_MAX_S: Seconds = 900.0
TOKEN_CHARS_MAX = 16_384
_LISTS = ("operations", "models", "classes", "data_classes", "jurisdictions")
_TEXTS = ("root_key", "session", "tenant", "policy_digest", "acr")


def to_jwt(mandate: Mandate, signer: Signer, issuer: str, audience: str, at: Seconds) -> str:
    """A JWT for `audience`, signed by EdDSA, that holds at most 15 minutes.

    Approvals stay behind: they are for one use, here. Raises MandateError for an expired mandate,
    and for one bound to a key that was not shown.
    """
    if at > mandate.expires_at or (mandate.holder and not mandate.is_held):
        raise MandateError("mandate_expired", "only a mandate in force, and held, is exchanged")
    claims: dict[str, Any] = {
        "iss": issuer, "aud": audience, "sub": mandate.human, "iat": int(at),
        "exp": int(min(at + LIFE_MAX_S, mandate.expires_at)), "jti": f"{mandate.id[:32]}.{at:.6f}",
        "scope": " ".join(mandate.operations),
        "flyball": {
            "chain": mandate.chain, "not_before": mandate.not_before, "amr": mandate.amr,
            "spends": [[one.block, one.limit_micro_usd] for one in mandate.spends],
            "autonomy": mandate.autonomy,
            **{name: getattr(mandate, name) for name in (*_LISTS, *_TEXTS)},
        },
    }  # fmt: skip
    if mandate.delegates:
        claims["act"] = _nested(mandate.delegates)
    if mandate.holder:
        claims["cnf"] = {"jkt": mandate.holder}  # RFC 9449 6.1
    return signer.jwt(claims, TYP)


def from_jwt(
    token: str, keys: Mapping[str, bytes], issuer: str, audience: str, at: Seconds, holder: str = ""
) -> Mandate:
    """The mandate in a JWT made by `to_jwt`. `keys` = `kid` -> Ed25519 key (`signer.read_key`).

    Each key is for EdDSA and nothing else. Its `depth_left` is 0: a JWT cannot be delegated on.
    Raises MandateError.
    """
    import jwt

    if len(token) > TOKEN_CHARS_MAX:
        raise MandateError("jwt_malformed", "the JWT is too long")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise MandateError("jwt_malformed", "it is no signed JWT") from None
    if header.get("alg") != "EdDSA" or header.get("typ") != TYP:
        raise MandateError("jwt_algorithm", f"the JWT is not a {TYP} signed by EdDSA")
    key = keys.get(str(header.get("kid")))
    if key is None:
        raise MandateError("jwt_unknown_key", "the JWT's key is not trusted here")
    claims = _verified(token, key)
    if claims.get("iss") != issuer or claims.get("aud") != audience:
        raise MandateError("jwt_claims", "the JWT is of another issuer or for another audience")
    check_times(claims, at, LIFE_MAX_S)
    bound = (claims.get("cnf") or {}).get("jkt", "")
    if bound != holder and bound:
        raise MandateError("mandate_holder_required", "the JWT is bound to a key not shown")
    try:
        return _mandate(claims, bound)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise MandateError("jwt_claims", "the JWT holds no mandate") from None


def _verified(token: str, key: bytes) -> dict[str, Any]:
    import jwt
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        return jwt.decode(
            token, Ed25519PublicKey.from_public_bytes(key), algorithms=["EdDSA"],
            options={
                "verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False,
            },
        )  # fmt: skip
    except (jwt.InvalidTokenError, ValueError):
        raise MandateError("jwt_forged", "the JWT's signature does not hold") from None


def _mandate(claims: dict[str, Any], holder: str) -> Mandate:
    stated = claims["flyball"]
    return Mandate(
        chain=tuple(stated["chain"]),
        human=claims["sub"],
        delegates=_unnested(claims.get("act")),
        spends=tuple(Spend(block=name, limit_micro_usd=most) for name, most in stated["spends"]),
        autonomy=stated["autonomy"],
        holder=holder,
        is_held=bool(holder),
        not_before=stated["not_before"],
        expires_at=float(claims["exp"]),
        amr=tuple(stated["amr"]),
        **{name: tuple(stated[name]) for name in _LISTS},
        **{name: stated[name] for name in _TEXTS},
    )


def _nested(delegates: tuple[str, ...]) -> dict[str, Any]:
    act: dict[str, Any] = {}
    for one in delegates:
        act = {"sub": one, "act": act} if act else {"sub": one}
    return act


def _unnested(act: Any) -> tuple[str, ...]:
    found: list[str] = []
    while act:
        found.append(act["sub"])
        act = act.get("act")
    return tuple(reversed(found))
