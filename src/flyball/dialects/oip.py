"""What does an Open Inference Protocol v2 call ask for, how is it answered and refused?

KServe, Triton and MLServer over HTTP: `specification/protocol/inference_rest.md` of
kserve/open-inference-protocol, and Triton's binary tensor extension (`extension_binary_data.md`):
with `Inference-Header-Content-Length: N` only the first N bytes of the body are JSON.
"""

from urllib.parse import quote, unquote_to_bytes

import msgspec
from msgspec import Raw, Struct
from xxhash import xxh3_64_intdigest

from flyball.dialects.envelope import RefusedError, bad_field, missing_field, refuse_body
from flyball.model.faults import Refusal

_MODELS = b"/v2/models/"
_MODEL_CHARS_MAX = 256
_JSON_LENGTH_HEADER = b"inference-header-content-length"


class _Infer(Struct, gc=False):
    inputs: Raw = Raw()
    parameters: Raw = Raw()


_DECODE = msgspec.json.Decoder(_Infer).decode


def read_model(target: bytes) -> str:
    """The model named in the path `/v2/models/NAME…`, percent-decoded, or RefusedError."""
    name = unquote_to_bytes(_model_part(target))
    try:
        model = name.decode()
    except UnicodeDecodeError as error:
        raise bad_field("model", "The name in the path is not valid UTF-8") from error
    if not model or len(model) > _MODEL_CHARS_MAX or not model.isprintable():
        why = f"Must be printable and at most {_MODEL_CHARS_MAX} characters long"
        raise bad_field("model", why)
    return model


def read_tensors(headers: list[tuple[bytes, bytes]], body: bytes) -> tuple[int, int]:
    """(bytes of the request's tensors and their JSON, 64-bit digest of them), or RefusedError."""
    size = _json_bytes(headers, len(body))
    try:
        infer = _DECODE(body if size == len(body) else body[:size])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise refuse_body(error, body[:size]) from error
    if not infer.inputs:
        raise missing_field("inputs")
    if bytes(infer.inputs)[:1] != b"[":
        raise bad_field("inputs", "Expected array")
    return len(body), xxh3_64_intdigest(body)


def rewrite_target(target: bytes, model: str) -> bytes:
    """The target with another model in its path; any other target is returned as it is."""
    if not target.startswith(_MODELS):
        return target
    old = _model_part(target)
    return _MODELS + quote(model, safe="").encode() + target[len(_MODELS) + len(old) :]


def error_body(message: str) -> bytes:
    """The protocol's `$inference_error_response`: {"error": message}."""
    return msgspec.json.encode({"error": message})


def answer(path: bytes, models: dict[str, int], ready: bool) -> tuple[int, bytes]:
    """(status, body) of health, readiness and `/v2` itself, which the gateway answers.

    Live = the process runs; ready = the gateway is ready for work, or has the model asked for.
    """
    if path == b"/v2":
        return 200, msgspec.json.encode({"name": "flyball", "version": "2", "extensions": []})
    if path == b"/v2/health/live":
        return 200, b'{"live":true}'
    if path == b"/v2/health/ready":
        return (200 if ready else 503), msgspec.json.encode({"ready": ready})
    try:
        model = read_model(path)
    except RefusedError as refused:
        return 400, error_body(refused.refusal.message)
    if model not in models:
        return 404, error_body(Refusal(code="model_not_found", detail=model).message)
    return (200 if ready else 503), msgspec.json.encode({"name": model, "ready": ready})


def _model_part(target: bytes) -> bytes:
    path = target.partition(b"?")[0]
    return path[len(_MODELS) :].partition(b"/")[0]


def _json_bytes(headers: list[tuple[bytes, bytes]], size: int) -> int:
    for name, value in headers:
        if name == _JSON_LENGTH_HEADER:
            if len(value) <= 12 and value.isdigit() and int(value) <= size:
                return int(value)
            why = f"Must be a whole number up to the body's {size} bytes"
            raise bad_field(name.decode(), why)
    return size


def read_last_segment(path: bytes) -> str:
    """The last part of a path, percent-decoded (what is not UTF-8 is replaced)."""
    return unquote_to_bytes(path.rpartition(b"/")[2]).decode("utf-8", "replace")
