"""Is an Azure trace read to the tick, and are its faults named by line?"""

import gzip
from pathlib import Path

import pytest

from flyball.dialects.traces import azure, formats, scale
from flyball.dialects.traces.row import Tally, TraceError

HEADER = b"TIMESTAMP,ContextTokens,GeneratedTokens\n"


def test_reads_ticks_and_offsets() -> None:
    lines = [
        HEADER,
        b"2023-11-16 18:15:46.6805900,374,44\n",
        b"2023-11-16 18:15:50.9951690,396,109\n",
        b"2023-11-16 19:15:51.0000001+01:00,1,2\n",
    ]
    rows = [row for _, row in azure.read(lines, "a.csv", Tally())]
    assert [row.at_s for row in rows] == pytest.approx([0.68059, 4.995169, 5.0000001], abs=1e-9)
    assert (rows[1].input_tokens, rows[1].output_tokens) == (396, 109)


def test_whole_seconds_and_utc_mark() -> None:
    lines = [HEADER, b"2024-05-10 00:00:00Z,1,1\n", b"2024-05-10 00:00:02,1,1\n"]
    assert [row.at_s for _, row in azure.read(lines, "a.csv", Tally())] == [0.0, 2.0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"yesterday,1,1\n", "a.csv:2: TIMESTAMP is 'yesterday'"),
        (b"2023-11-16 18:15:46,many,1\n", "ContextTokens is 'many'"),
        (b"2023-11-16 18:15:46,-3,1\n", "ContextTokens is '-3'"),
        (b"2023-11-16 18:15:46,3.5,1\n", "ContextTokens is '3.5'"),
        (b"2023-11-16 18:15:46,nan,1\n", "ContextTokens is 'nan'"),
        (b"2023-11-16 18:15:46,1\n", "the row has 2 cells and the header 3"),
        (b"\xff\xfe,1,1\n", "a.csv:2: the line is not UTF-8"),
    ],
)
def test_faults_name_the_line(line: bytes, said: str) -> None:
    with pytest.raises(TraceError) as caught:
        list(azure.read([HEADER, line], "a.csv", Tally()))
    assert said in str(caught.value)


def test_real_hour(real_data: Path) -> None:
    path = real_data / "azure_llm_2023_conv" / "AzureLLMInferenceTrace_conv.csv.gz"
    tally = Tally()
    with gzip.open(path) as lines:
        known = scale.extent(formats.read("azure", lines, path.name, tally))
    assert (known.rows, tally.notes()) == (19_366, [])
    assert known.duration_s == pytest.approx(3501.7, abs=0.1)
    assert known.rate_rps == pytest.approx(5.53, abs=0.005)
    assert known.input_tokens / known.rows == pytest.approx(1155, abs=1)
    assert known.output_tokens / known.rows == pytest.approx(211, abs=1)
