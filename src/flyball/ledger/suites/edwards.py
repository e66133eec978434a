"""What does RFC 8032 say of an Ed25519 signature, computed with whole numbers and no library?

Slow and plain on purpose: an oracle for the verifier in use, with which it shares no code. The
rules are the strict ones: canonical encodings, no point of small order as key or R, S reduced, and
the equation without the cofactor.
"""

from hashlib import sha512

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)  # of -1

# X, Y, Z, T of RFC 8032 5.1.4: x = X/Z, y = Y/Z, x·y = T/Z.
Point = tuple[int, int, int, int]
_NEUTRAL: Point = (0, 1, 1, 0)


def is_valid(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a strict verifier takes it."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, point = _decode(public), _decode(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or point is None or scalar >= _L:
        return False
    if any(_is_same(_times(8, one), _NEUTRAL) for one in (key, point)):
        return False
    digest = sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % _L
    return _is_same(_times(scalar, _BASE), _add(point, _times(challenge, key)))


def _decode(encoded: bytes) -> Point | None:
    """RFC 8032 5.1.3; None for what is no canonical point of the curve."""
    value = int.from_bytes(encoded, "little")
    y, sign = value & (1 << 255) - 1, value >> 255
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * _ROOT % _P
    if x * x % _P != square or (x == 0 and sign):
        return None
    x = x if x % 2 == sign else _P - x
    return x, y, 1, x * y % _P


def _add(one: Point, other: Point) -> Point:
    """The formula of RFC 8032 5.1.4, which holds for equal points too."""
    a = (one[1] - one[0]) * (other[1] - other[0])
    b = (one[1] + one[0]) * (other[1] + other[0])
    c = 2 * _D * one[3] * other[3]
    d = 2 * one[2] * other[2]
    e, f, g, h = (b - a) % _P, (d - c) % _P, (d + c) % _P, (b + a) % _P
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _is_same(one: Point, other: Point) -> bool:
    across = (one[place] * other[2] - other[place] * one[2] for place in (0, 1))
    return all(difference % _P == 0 for difference in across)


def _times(scalar: int, point: Point) -> Point:
    found = _NEUTRAL
    while scalar:
        if scalar & 1:
            found = _add(found, point)
        point = _add(point, point)
        scalar >>= 1
    return found


def _base() -> Point:
    point = _decode((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
    assert point is not None
    return point


_BASE = _base()
