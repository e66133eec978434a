"""Are times told in UTC, to the millisecond?"""

from flyball.ledger.section import utc


def test_utc() -> None:
    assert utc(1_763_600_000.25) == "2025-11-20T00:53:20.250Z"
