"""How many tokens does an engine say it read, found in its cache, and wrote?

Read off the end of an answer: the last `usage` object of a JSON body or SSE stream, in the spelling
of OpenAI's chat and text completions and embeddings (`prompt_tokens`, `completion_tokens`,
`prompt_tokens_details.cached_tokens`: also vLLM, SGLang, TensorRT-LLM, llama.cpp, Ollama), of some
vendors (`prompt_cache_hit_tokens`), of the Responses API (`input_tokens`, `output_tokens`,
`input_tokens_details.cached_tokens`) or of Anthropic (`input_tokens` without what the cache held,
`cache_read_input_tokens`, `cache_creation_input_tokens`).

An Anthropic stream tells its input in `message_start`, its first event; in the tail of a long
stream only `message_delta` is left, and where that repeats no input (older servers) the input
counts are 0, "not told": the caller then knows only the output. A stream of OpenAI's tells usage
only if the client asked (`stream_options.include_usage`), else all are 0.
"""

import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from flyball.model.request import Operation
from flyball.units import Tokens

TAIL_BYTES = 4096
_KEY = b'"usage"'
_OBJECTS_MAX = 16
_TOKENS_MAX = 2**31 - 1


class Usage(Struct, frozen=True, gc=False):
    """Tokens of one answer as the engine counted them; 0 = it did not tell.

    `input_tokens` is the whole prompt; `cached_tokens` is that part of it that was in the cache.
    """

    input_tokens: Tokens = 0
    cached_tokens: Tokens = 0
    output_tokens: Tokens = 0


_RESPONSE_ID = re.compile(rb'"id"\s*:\s*"(resp_[0-9A-Za-z_-]{1,128})"')


def read_response_id(opening: bytes) -> str:
    """The id of a stored answer (Responses API) in the first bytes of its body, or ""."""
    found = _RESPONSE_ID.search(opening[:TAIL_BYTES])
    return found[1].decode() if found else ""


class _Details(Struct, gc=False):
    cached_tokens: int | None = None


class _Wire(Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    prompt_cache_hit_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Details | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


_DECODE = msgspec.json.Decoder(_Wire).decode
NO_USAGE = Usage()


def read_usage(tail: bytes, operation: Operation, streamed: bool) -> Usage:
    """The usage told in `tail`, an answer's last bytes (`TAIL_BYTES` are looked at); never raises.

    A stream of Anthropic's counts upward over its events, so there the greatest of each is taken.
    """
    found = _usages_from_end(tail[-TAIL_BYTES:])
    if operation != "message" or not streamed:
        return next((_usage(wire) for wire in found), NO_USAGE)
    read = [_usage(wire) for wire in found]
    return Usage(
        input_tokens=max((usage.input_tokens for usage in read), default=0),
        cached_tokens=max((usage.cached_tokens for usage in read), default=0),
        output_tokens=max((usage.output_tokens for usage in read), default=0),
    )


def _usages_from_end(tail: bytes) -> Iterator[_Wire]:
    """The `usage` objects, last first.

    Inside a JSON string quotes are escaped, so the key's bytes cannot stand in generated text.
    """
    end = len(tail)
    for _ in range(_OBJECTS_MAX):
        at = tail.rfind(_KEY, 0, end)
        if at < 0:
            return
        end = at
        if at and tail[at - 1] == 0x5C:
            continue
        rest = tail[at + len(_KEY) :].lstrip()
        if rest[:1] == b":":
            raw = _leading_object(rest[1:].lstrip())
            try:
                yield _DECODE(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue


def _leading_object(text: bytes) -> bytes:
    """The JSON object at the start of `text` (no brace in its strings), b"" if there is none."""
    if text[:1] != b"{":
        return b""
    depth, at = 1, 1
    while depth:
        close = text.find(b"}", at)
        if close < 0:
            return b""
        depth += text.count(b"{", at, close) - 1
        at = close + 1
    return text[:at]


def _usage(wire: _Wire) -> Usage:
    details = wire.prompt_tokens_details or wire.input_tokens_details
    cached = details.cached_tokens if details else wire.prompt_cache_hit_tokens
    read = _bounded(wire.cache_read_input_tokens)
    outside = read + _bounded(wire.cache_creation_input_tokens)
    told = wire.prompt_tokens if wire.prompt_tokens is not None else wire.input_tokens
    wrote = wire.completion_tokens if wire.completion_tokens is not None else wire.output_tokens
    return Usage(
        input_tokens=_bounded(told) + outside,
        cached_tokens=_bounded(cached) or read,
        output_tokens=_bounded(wrote),
    )


def _bounded(count: int | None) -> int:
    return min(max(count or 0, 0), _TOKENS_MAX)
