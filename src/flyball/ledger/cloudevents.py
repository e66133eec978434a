"""How does a record look as a CloudEvent, for those who collect events of many sources?

CloudEvents 1.0.2, JSON format: one object per record, `data` is the record itself. `source` is the
log's origin and `id` the entry's index in it, which together are unique as the specification asks;
`subject` is the record's own id.
"""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from flyball.ledger.record import decode

TYPE_PREFIX = "io.flyball.record."


def event_of(origin: str, index: int, entry: bytes) -> dict[str, Any]:
    """The event of one entry. Raises RecordError if it is no record that this version knows."""
    record = decode(entry)
    at = datetime.fromtimestamp(record.at, UTC).isoformat(timespec="milliseconds")
    fields = msgspec.to_builtins(record)
    return {
        "specversion": "1.0",
        "id": str(index),
        "source": f"//{quote(origin)}",
        "type": TYPE_PREFIX + fields["kind"],
        "subject": record.id,
        "time": at.replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": msgspec.Raw(entry),
    }
