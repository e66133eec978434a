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


def read_envelope(body: bytes) -> Envelope | Refusal:
    """The envelope of a JSON body; a Refusal names line and column, or the field at fault."""
    try:
        envelope = _DECODE(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return refuse_body(error, body)
    model = envelope.model
    if not model or len(model) > _MODEL_CHARS_MAX or not model.isprintable():
        return _refuse_model(model)
    if envelope.priority is not None and abs(envelope.priority) > _INT32_MAX:
        return bad_field("priority", f"Must be within ±{_INT32_MAX}")
    return envelope


def read_parts(operation: Operation, envelope: Envelope) -> tuple[bytes, ...] | Refusal:
    """The raw JSON values that the engine will read as the prompt, in its order; b"" = absent."""
    if operation == "chat":
        messages = bytes(envelope.messages)
        if messages[:1] != b"[":
            return _refuse_part("messages", messages, "Expected array")
        return (bytes(envelope.tools), messages) if envelope.tools else (messages,)
    if operation == "message":
        messages = bytes(envelope.messages)
        if messages[:1] != b"[":
            return _refuse_part("messages", messages, "Expected array")
        return bytes(envelope.tools), bytes(envelope.system), messages
    param = "prompt" if operation == "completion" else "input"
    value = bytes(envelope.prompt if operation == "completion" else envelope.input)
    if value[:1] not in (b"[", b'"') and (value or operation != "response"):
        return _refuse_part(param, value, "Expected str or array")
    if operation == "response":
        return bytes(envelope.tools), bytes(envelope.instructions), value
    return (value,)


def read_output_bound(envelope: Envelope) -> int | Refusal:
    """The client's bound on the answer in tokens, 0 if it set none.

    `max_completion_tokens` (newer) wins over `max_tokens`; `max_output_tokens` is the Responses API's.
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
    return bad_field(param, f"Must be from 0 to {_INT32_MAX}")


def bad_field(param: str, why: str) -> Refusal:
    """A `bad_field` refusal in OpenAI's words: `Invalid 'param': why`."""
    return Refusal(code="bad_field", detail=f"Invalid '{param}': {why}", param=param)


def missing_field(param: str) -> Refusal:
    """A `bad_field` refusal for a field that must be there."""
    return Refusal(code="bad_field", detail=f"Missing required parameter: '{param}'", param=param)


def refuse_body(error: Exception, body: bytes) -> Refusal:
    """What msgspec found wrong with `body`, for its author: line and column, or the field."""
    if isinstance(error, msgspec.ValidationError):
        return _refuse_field(str(error))
    if isinstance(error, UnicodeDecodeError):
        return Refusal(code="bad_json", detail="a string is not valid UTF-8")
    if isinstance(error, RecursionError):
        return Refusal(code="bad_json", detail="it is nested too deeply")
    found = _AT_BYTE.match(str(error))
    what, byte = (found[1], found[2]) if found else (str(error), None)
    at = int(byte) if byte else len(body)
    line = body.count(b"\n", 0, at) + 1
    column = at - body.rfind(b"\n", 0, at)
    return Refusal(code="bad_json", detail=f"{what} at line {line} column {column}")


def _refuse_part(param: str, raw: bytes, expected: str) -> Refusal:
    return bad_field(param, expected) if raw else missing_field(param)


def _refuse_field(message: str) -> Refusal:
    missing = _MISSING.match(message)
    if missing:
        return missing_field(missing[1])
    found = _AT_FIELD.match(message)
    what, param = (found[1], found[2]) if found else (message, None)
    if not param:
        return Refusal(code="bad_json", detail="the body must be a JSON object")
    return bad_field(param, what.replace("`", ""))


def _refuse_model(model: str | None) -> Refusal:
    if not model:
        return missing_field("model")
    return bad_field("model", f"Must be printable and at most {_MODEL_CHARS_MAX} characters long")
