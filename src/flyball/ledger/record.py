"""Which bytes stand for a record, and which record do bytes stand for?

The bytes are msgspec JSON: the tag `kind` first, then the fields in the order of the struct,
numbers in their shortest form; equal records give equal bytes. JSON has no infinity and no NaN, so
such a number is written as null and read back as NaN.
"""

from typing import Any

import msgspec

from flyball.ledger.tiles import ENTRY_BYTES_MAX
from flyball.model.decision import Intent, Record, TurnedAway

KINDS = (
    "intent", "outcome", "feasibility", "loop-action", "prices", "config", "turned-away",
    "bundle", "mandate", "revocation", "oversight", "admin-call", "erasure", "commitment",
    "finding",
)  # fmt: skip
CANDIDATES_KEPT_MIN = 16

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)
_generic = msgspec.json.Decoder(dict[str, Any])


class RecordError(ValueError):
    """The bytes are no record that this version knows, or the record is too large for the log."""


def encode(record: Record) -> bytes:
    """The canonical bytes of a record, at most ENTRY_BYTES_MAX.

    An intent over that keeps the chosen candidate and as many of the cheapest as fit;
    `candidates_count` still says how many there were. RecordError if nothing can be left out.
    """
    data = _encoder.encode(record)
    if len(data) <= ENTRY_BYTES_MAX:
        return data
    if isinstance(record, Intent):
        keep = len(record.candidates) // 2
        while keep >= CANDIDATES_KEPT_MIN:
            data = _encoder.encode(_shortened(record, keep))
            if len(data) <= ENTRY_BYTES_MAX:
                return data
            keep //= 2
    raise RecordError(
        f"the record {record.id} has {len(data)} bytes; {ENTRY_BYTES_MAX} is the most"
    )


def _shortened(intent: Intent, keep: int) -> Intent:
    ranked = sorted(intent.candidates, key=lambda c: (c.endpoint != intent.endpoint, c.total_usd))
    kept = {id(candidate) for candidate in ranked[:keep]}
    candidates = tuple(c for c in intent.candidates if id(c) in kept)
    return msgspec.structs.replace(intent, candidates=candidates)


def is_about(record: Record, record_id: str) -> bool:
    """Whether the record is that one, or the request of that id is one of those it counts."""
    return record.id == record_id or (isinstance(record, TurnedAway) and record_id in record.ids)


def decode(data: bytes) -> Record:
    """The record of these bytes. Raises RecordError naming the kind or the field at fault."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _decode_slowly(data, error)


def _decode_slowly(data: bytes, error: Exception) -> Record:
    try:
        fields = _generic.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RecordError(f"not a record: {error}") from None
    kind = fields.get("kind")
    if kind not in KINDS:
        raise RecordError(f"a record of the kind {kind!r}, which this version does not know")
    try:
        return msgspec.convert(_null_to_nan(fields), Record)
    except msgspec.ValidationError as final:
        raise RecordError(f"not a record of the kind {kind!r}: {final}") from None


def _null_to_nan(value: Any) -> Any:
    if value is None:
        return float("nan")
    if isinstance(value, dict):
        return {key: _null_to_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_null_to_nan(item) for item in value]
    return value
