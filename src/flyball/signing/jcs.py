"""Which bytes does RFC 8785 (JSON Canonicalization Scheme) give a JSON text?

Members sorted by the UTF-16 code units of their names, numbers as ECMAScript writes a double, no
white space, strings with the fewest escapes. What I-JSON (RFC 7493) forbids is refused: members of
one name twice, lone surrogates, numbers that no double holds.
"""

import json
import math
import re
from typing import Any, NoReturn

_ESCAPES = {
    "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\",
}  # fmt: skip
_SPECIAL = re.compile(r'[\x00-\x1f"\\]')
_FIXED_DIGITS_MAX = 21  # ECMAScript Number::toString: from 10^21 on with an exponent
_FIXED_ZEROS_MAX = 6  # and below 10^-6


class JcsError(ValueError):
    """The text is not JSON, or I-JSON forbids something in it."""


def canonicalize(text: bytes) -> bytes:
    """The canonical form of a JSON text. Raises JcsError naming what is wrong with it."""
    try:
        value = json.loads(text.decode(), object_pairs_hook=_members, parse_constant=_no_constant)
        return canonical(value)
    except RecursionError:
        raise JcsError("it is nested too deeply") from None
    except ValueError as error:
        raise JcsError(str(error)) from None


def canonical(value: Any) -> bytes:
    """The canonical form of a value as `json.loads` gives it; JcsError for what has none."""
    return "".join(_parts(value)).encode()


def number(value: float) -> str:
    """A double as ECMAScript writes it (ECMA-262 Number::toString); JcsError if not finite."""
    if not math.isfinite(value):
        raise JcsError(f"{value} is no number of JSON")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")  # the shortest digits that read back
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times 10 to the power of `point`.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    return sign + _placed(digits.rstrip("0"), point)


def _placed(digits: str, point: int) -> str:
    if len(digits) <= point <= _FIXED_DIGITS_MAX:
        return digits.ljust(point, "0")
    if 0 < point <= _FIXED_DIGITS_MAX:
        return f"{digits[:point]}.{digits[point:]}"
    if -_FIXED_ZEROS_MAX < point <= 0:
        return f"0.{'0' * -point}{digits}"
    power = f"e{point - 1:+d}"
    return digits + power if len(digits) == 1 else f"{digits[0]}.{digits[1:]}{power}"


def _parts(value: Any) -> list[str]:
    if value is None or isinstance(value, bool):
        return [{None: "null", True: "true", False: "false"}[value]]
    if isinstance(value, str):
        return [_string(value)]
    if isinstance(value, int | float):
        try:
            return [number(float(value))]
        except OverflowError:
            raise JcsError("a number is beyond what a double holds") from None
    if isinstance(value, list):
        return ["[", *_joined([_parts(item) for item in value]), "]"]
    if isinstance(value, dict):
        names = sorted(value, key=_utf16)
        return ["{", *_joined([[_string(name), ":", *_parts(value[name])] for name in names]), "}"]
    raise JcsError(f"a {type(value).__name__} has no JSON form")


def _joined(items: list[list[str]]) -> list[str]:
    return [part for place, item in enumerate(items) for part in ([","] * (place > 0) + item)]


def _string(text: str) -> str:
    _utf16(text)
    return '"' + _SPECIAL.sub(lambda found: _escape(found[0]), text) + '"'


def _escape(character: str) -> str:
    return _ESCAPES.get(character) or f"\\u{ord(character):04x}"


def _utf16(text: str) -> bytes:
    try:
        return text.encode("utf-16-be")
    except UnicodeEncodeError:
        raise JcsError("a string holds half of a surrogate pair") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JcsError("an object has two members of one name")
    return found


def _no_constant(word: str) -> NoReturn:
    raise JcsError(f"{word} is no number of JSON")
