"""Is each record a CloudEvent with all that the specification demands, and the record inside?"""

import json
from datetime import datetime

import msgspec
import pytest

from flyball.ledger.cloudevents import event_of
from flyball.ledger.record import RecordError, encode
from support import records


@pytest.mark.parametrize("record", [records.intent(), *records.acts()], ids=lambda r: r.id)
def test_required_attributes_and_data(record) -> None:
    entry = encode(record)
    event = json.loads(msgspec.json.encode(event_of("log.example/eu", 7, entry)))
    assert event["specversion"] == "1.0" and event["id"] == "7"
    assert event["source"] == "//log.example/eu"
    assert event["type"] == "io.flyball.record." + json.loads(entry)["kind"]
    assert event["subject"] == record.id and event["data"] == json.loads(entry)
    assert datetime.fromisoformat(event["time"]).timestamp() == pytest.approx(record.at, abs=1e-3)
    assert all(name.isalnum() and name == name.lower() for name in event)


def test_what_is_no_record_is_none() -> None:
    with pytest.raises(RecordError):
        event_of("o", 0, b"{}")
