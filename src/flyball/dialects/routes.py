"""Which operation does a method and a path ask for, and what was probably meant if none?

OpenAI's paths (platform.openai.com/docs/api-reference), Anthropic's Messages
(docs.anthropic.com/en/api/messages) and the Open Inference Protocol v2 over HTTP
(kserve/open-inference-protocol, `specification/protocol/inference_rest.md`).
"""

from difflib import get_close_matches

from flyball.model.faults import Refusal
from flyball.model.request import Operation

POSTS: dict[bytes, Operation] = {
    b"/v1/chat/completions": "chat",
    b"/v1/completions": "completion",
    b"/v1/embeddings": "embedding",
    b"/v1/responses": "response",
    b"/v1/messages": "message",
    b"/v1/messages/count_tokens": "message",
}
GETS: dict[bytes, Operation] = {
    b"/v1/models": "models",
    b"/v2": "models",
    b"/v2/health/live": "models",
    b"/v2/health/ready": "models",
}
_ROUTES: dict[tuple[bytes, bytes], Operation] = {
    **{(b"POST", path): operation for path, operation in POSTS.items()},
    **{(b"GET", path): operation for path, operation in GETS.items()},
}
_OIP_MODELS = b"/v2/models/"
_OPENAI_MODEL = b"/v1/models/"
_GUESSABLE = [path.decode() for path in (*POSTS, *GETS)] + ["/v2/models/NAME/infer"]
_SHOWN_CHARS_MAX = 120


def route(method: bytes, path: bytes) -> Operation | Refusal:
    """The operation of a request line; `path` may carry a query, which is not looked at.

    "models" = answered by the gateway itself (lists of models, health); GET of an Open Inference
    Protocol model is "infer" since only the engine knows its tensors. Else `not_found` with what
    was probably meant, or `method_not_allowed` with the methods in `allow`.
    """
    known = _ROUTES.get((method, path))
    if known is not None:
        return known
    return _route_rare(method, path.partition(b"?")[0])


def _route_rare(method: bytes, path: bytes) -> Operation | Refusal:
    if len(path) > 1:
        path = path.rstrip(b"/")
    allowed = _allowed(path)
    if allowed is None:
        return Refusal(code="not_found", detail=_missing(path))
    wanted, operation = allowed
    if method != wanted:
        asked, right = _shown(method), wanted.decode()
        detail = f"{asked} is not allowed on {_shown(path)}, only {right}"
        return Refusal(code="method_not_allowed", detail=detail, allow=right)
    return operation


def _allowed(path: bytes) -> tuple[bytes, Operation] | None:
    if path in POSTS:
        return b"POST", POSTS[path]
    if path in GETS:
        return b"GET", GETS[path]
    if path.startswith(_OPENAI_MODEL) and len(path) > len(_OPENAI_MODEL):
        return b"GET", "models"
    if path.startswith(_OIP_MODELS):
        return _allowed_oip(path[len(_OIP_MODELS) :].split(b"/"))
    return None


def _allowed_oip(parts: list[bytes]) -> tuple[bytes, Operation] | None:
    """NAME[/versions/V][/infer|/ready], after `/v2/models/`."""
    if not parts[0]:
        return None
    rest = parts[1:]
    if len(rest) >= 2 and rest[0] == b"versions" and rest[1]:
        rest = rest[2:]
    if rest == [b"infer"]:
        return b"POST", "infer"
    if rest == [b"ready"]:
        return b"GET", "models"
    return (b"GET", "infer") if not rest else None


def _missing(path: bytes) -> str:
    shown = _shown(path)
    if b"/v1" + path in POSTS or b"/v1" + path in GETS:
        return f"{shown}; did you mean /v1{shown}"
    close = get_close_matches(shown, _GUESSABLE, n=1, cutoff=0.6)
    return f"{shown}; did you mean {close[0]}" if close else shown


def _shown(raw: bytes) -> str:
    """Bytes of a request line, fit to be shown: ASCII, no control characters, bounded."""
    text = raw[:_SHOWN_CHARS_MAX].decode("ascii", "backslashreplace")
    return "".join(char if char.isprintable() else "?" for char in text)
