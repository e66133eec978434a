"""Is a plain table of requests read, with what it leaves out said?"""

from pathlib import Path

from flyball.dialects.traces import formats
from flyball.dialects.traces.row import Tally


def test_optional_columns_in_any_order() -> None:
    tally = Tally()
    lines = [
        b"\xef\xbb\xbfmodel,Output_Tokens,arrival_s,input_tokens,colour\n",
        b"m,4,10.5,3,red\n",
    ]
    row = next(formats.read("table", lines, "t.csv", tally))
    assert (row.at_s, row.input_tokens, row.output_tokens, row.model) == (0.0, 3, 4, "m")
    assert tally.notes() == ["columns not used: colour"]


def test_real_engine_runs(real_data: Path) -> None:
    path = real_data / "vllm_per_request" / "requests.csv"
    with path.open("rb") as lines:
        assert sum(1 for _ in formats.read("table", lines, path.name, Tally())) == 600
