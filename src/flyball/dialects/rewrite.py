"""How is the model's name replaced in a body, every other byte left as it was?"""

import re

import msgspec

_KEY = b'"model"'
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_COLON_AND_STRING = re.compile(rb"\s*:\s*(" + _STRING + rb")", re.DOTALL)
_COLON = re.compile(rb"\s*:\s*")
_TOKEN = re.compile(_STRING + rb"|[{}\[\]]", re.DOTALL)
_ESCAPED_LETTER = b"\\u006"  # each letter of the key is U+0064 to U+006F


def rewrite_model(body: bytes, model: str) -> bytes:
    """`body` (a JSON object that was read before) with the value of its top-level "model" replaced.

    The bytes of the key stand in a well-formed body only as a key or a string value, never within a
    text, whose quotes are escaped. So if they stand there once before a colon, and no key is spelt
    with escapes, that is the place; otherwise the whole body is scanned for keys at depth 1, and
    each of a repeated key is replaced, so that no reader can take another model. A body without
    such a key comes back as it is.
    """
    value = msgspec.json.encode(model)
    at = body.find(_KEY)
    alone = at >= 0 and body.find(_KEY, at + len(_KEY)) < 0
    if alone and body[at - 1] != 0x5C and _ESCAPED_LETTER not in body:
        found = _COLON_AND_STRING.match(body, at + len(_KEY))
        if found:
            return body[: found.start(1)] + value + body[found.end(1) :]
    return _rewrite_scanned(body, value)


def _rewrite_scanned(body: bytes, value: bytes) -> bytes:
    pieces: list[bytes] = []
    kept, depth, skip = 0, 0, -1
    for token in _TOKEN.finditer(body):
        start = token.start()
        first = body[start]
        if first in b"{[":
            depth += 1
        elif first in b"}]":
            depth -= 1
        elif depth == 1 and start != skip and _is_model(token[0]):
            colon = _COLON.match(body, token.end())
            text = _TOKEN.match(body, colon.end()) if colon else None
            if text and text[0][:1] == b'"':
                pieces += (body[kept : text.start()], value)
                kept, skip = text.end(), text.start()
    return b"".join((*pieces, body[kept:]))


def _is_model(string: bytes) -> bool:
    if string == _KEY:
        return True
    try:
        return b"\\" in string and msgspec.json.decode(string) == "model"
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
