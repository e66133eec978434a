"""What stands in a request's body apart from the prompt, and where exactly is it wrong?

Only the envelope is decoded; prompt-bearing fields stay raw bytes (msgspec `Raw`), so a body costs
little and the prompt is never looked into. Unknown fields are skipped: engines have their own.
"""

import re

import msgspec
from msgspec import Raw, Struct

from flyball.model.faults import Refusal
from flyball.model.request import Operation

_NOTHING = Raw()
_MODEL_CHARS_MAX = 256
_INT32_MAX = 2**31 - 1
_AT_BYTE = re.compile(r"^(?:JSON is malformed: )?(.*?)(?: \(byte (\d+)\))?$")
_AT_FIELD = re.compile(r"^(.*?)(?: - at `\$\.?(.*)`)?$")
_MISSING = re.compile(r"^Object missing required field `(.*)`$")


class Envelope(Struct, gc=False):
    """The fields of OpenAI's and Anthropic's bodies that a decision may depend on."""

    model: str | None = None
    messages: Raw = _NOTHING
    prompt: Raw = _NOTHING
    input: Raw = _NOTHING
    system: Raw = _NOTHING
    instructions: Raw = _NOTHING
    tools: Raw = _NOTHING
    stream: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    priority: int | None = None
    prompt_cache_key: str | None = None
    previous_response_id: str | None = None
    conversation: Raw = _NOTHING
    metadata: Raw = _NOTHING


_DECODE = msgspec.json.Decoder(Envelope).decode


class RefusedError(Exception):
    """Carries a Refusal out of reading a request; `surface.read_head` hands the Refusal back."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def read_envelope(body: bytes) -> Envelope:
    """The envelope of a JSON body; RefusedError names line and column, or the field at fault."""
    try:
        envelope = _DECODE(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise refuse_body(error, body) from error
    model = envelope.model
    if not model or len(model) > _MODEL_CHARS_MAX or not model.isprintable():
        raise _refuse_model(model)
    if envelope.priority is not None and abs(envelope.priority) > _INT32_MAX:
        raise bad_field("priority", f"Must be within ±{_INT32_MAX}")
    return envelope


def read_prompt(operation: Operation, envelope: Envelope) -> bytes:
    """The raw JSON of what the engine will read as the prompt, in its order, joined.

    Raises RefusedError if it is missing or of the wrong type.
    """
    if operation == "chat":
        messages = _array("messages", envelope.messages)
        return bytes(envelope.tools) + messages if envelope.tools else messages
    if operation == "message":
        messages = _array("messages", envelope.messages)
        return b"".join((bytes(envelope.tools), bytes(envelope.system), messages))
    if operation == "completion":
        return _text_or_array("prompt", envelope.prompt)
    if operation == "embedding":
        return _text_or_array("input", envelope.input)
    # OpenAI's `input` may be left out where a stored prompt or conversation stands for it.
    value = _text_or_array("input", envelope.input) if envelope.input else b""
    return b"".join((bytes(envelope.tools), bytes(envelope.instructions), value))


def read_output_bound(envelope: Envelope) -> int:
    """The client's bound on the answer in tokens, 0 if it set none.

    `max_completion_tokens` (newer) wins over `max_tokens`; the Responses API has
    `max_output_tokens`. Raises RefusedError if it is out of range.
    """
    param, bound = "max_completion_tokens", envelope.max_completion_tokens
    if bound is None:
        param, bound = "max_output_tokens", envelope.max_output_tokens
    if bound is None:
        param, bound = "max_tokens", envelope.max_tokens
    if bound is None:
        return 0
    if 0 <= bound <= _INT32_MAX:
        return bound
    raise bad_field(param, f"Must be from 0 to {_INT32_MAX}")


def bad_field(param: str, why: str) -> RefusedError:
    """A `bad_field` refusal in OpenAI's words: `Invalid 'param': why`."""
    return RefusedError(Refusal(code="bad_field", detail=f"Invalid '{param}': {why}", param=param))


def missing_field(param: str) -> RefusedError:
    """A `bad_field` refusal for a field that must be there."""
    detail = f"Missing required parameter: '{param}'"
    return RefusedError(Refusal(code="bad_field", detail=detail, param=param))


def bad_json(detail: str) -> RefusedError:
    """A `bad_json` refusal."""
    return RefusedError(Refusal(code="bad_json", detail=detail))


def refuse_body(error: Exception, body: bytes) -> RefusedError:
    """What msgspec found wrong with `body`, for its author: line and column, or the field."""
    if isinstance(error, msgspec.ValidationError):
        return _refuse_field(str(error))
    if isinstance(error, UnicodeDecodeError):
        return bad_json("a string is not valid UTF-8")
    if isinstance(error, RecursionError):
        return bad_json("it is nested too deeply")
    found = _AT_BYTE.match(str(error))
    what, byte = (found[1], found[2]) if found else (str(error), None)
    at = int(byte) if byte else len(body)
    if what == "trailing characters":
        at -= 1  # msgspec has stepped past the first of them
    line = body.count(b"\n", 0, at) + 1
    column = at - body.rfind(b"\n", 0, at)
    return bad_json(f"{what} at line {line} column {column}")


def _array(param: str, raw: Raw) -> bytes:
    value = bytes(raw)
    if value[:1] != b"[":
        raise bad_field(param, "Expected array") if value else missing_field(param)
    return value


def _text_or_array(param: str, raw: Raw) -> bytes:
    value = bytes(raw)
    if value[:1] not in (b"[", b'"'):
        raise bad_field(param, "Expected str or array") if value else missing_field(param)
    return value


def _refuse_field(message: str) -> RefusedError:
    missing = _MISSING.match(message)
    if missing:
        return missing_field(missing[1])
    found = _AT_FIELD.match(message)
    what, param = (found[1], found[2]) if found else (message, None)
    if not param:
        return bad_json("the body must be a JSON object")
    return bad_field(param, what.replace("`", ""))


def _refuse_model(model: str | None) -> RefusedError:
    if not model:
        return missing_field("model")
    return bad_field("model", f"Must be printable and at most {_MODEL_CHARS_MAX} characters long")
