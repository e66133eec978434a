"""Is what a reader noticed said in sentences, and nothing where nothing was?"""

from flyball.dialects.traces.row import Tally, TraceError


def test_notes() -> None:
    assert Tally(rows=5, kept=5, gap_s_max=59.0).notes() == []
    said = " | ".join(Tally(zero_output=1200, unmatched=2, gap_s_max=7200.0).notes())
    assert "1,200 rows with no output tokens" in said
    assert "2 entries without their counterpart" in said
    assert "7,200 s" in said


def test_an_error_has_place_fault_and_remedy() -> None:
    error = TraceError("f.csv:3", "it is bad", "Mend it")
    assert str(error) == "f.csv:3: it is bad. Mend it."
