"""Is a Mooncake trace read with its blocks, and are sessions inferred?"""

import gzip
from pathlib import Path

import pytest

from flyball.dialects.traces import formats, mooncake
from flyball.dialects.traces.row import Tally, TraceError


def test_reads_blocks_and_sessions() -> None:
    lines = [
        b'{"timestamp": 0, "input_length": 900, "output_length": 5, "hash_ids": [0, 1]}\n',
        b'{"timestamp": 1500, "input_length": 800, "output_length": 6, "hash_ids": [0, 7]}\n',
        b"\n",
        b'{"timestamp": 9000.5, "input_length": 1400, "output_length": 7, "hash_ids": [0,1,2]}\n',
    ]
    rows = [row for _, row in mooncake.read(lines, "m.jsonl", Tally())]
    assert [row.at_s for row in rows] == [0.0, 1.5, 9.0005]
    assert rows[2].prefix_blocks == (0, 1, 2)
    assert rows[2].block_tokens == 512
    assert rows[0].session == rows[2].session != rows[1].session


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"timestamp": 0, "input_length": 9', "m.jsonl:1: not valid JSON"),
        (b'{"timestamp": 0, "input_length": 9}', "missing required field `output_length`"),
        (b'{"timestamp": "x", "input_length": 9, "output_length": 1}', "of the wrong type"),
        (b'{"timestamp": -5, "input_length": 9, "output_length": 1}', "timestamp is -5.0"),
        (b'{"timestamp": 0, "input_length": -9, "output_length": 1}', "input_length is -9.0"),
        (b'{"timestamp": 0, "input_length": 1e12, "output_length": 1}', "input_length is 1"),
    ],
)
def test_faults_name_the_line(line: bytes, said: str) -> None:
    with pytest.raises(TraceError) as caught:
        list(mooncake.read([line], "m.jsonl", Tally()))
    assert said in str(caught.value)


def test_empty_file() -> None:
    with pytest.raises(TraceError, match="the file is empty"):
        list(mooncake.read([], "m.jsonl", Tally()))


def test_real_hour(real_data: Path) -> None:
    path = real_data / "mooncake_conversation" / "conversation_trace.jsonl.gz"
    with gzip.open(path) as lines:
        rows = list(formats.read("mooncake", lines, path.name, Tally()))
    assert len(rows) == 12_031
    seen: set[int] = set()
    hits = blocks = 0
    for row in rows:
        assert len(row.prefix_blocks) == -(-row.input_tokens // 512)
        blocks += len(row.prefix_blocks)
        hits += sum(block in seen for block in row.prefix_blocks)
        seen.update(row.prefix_blocks)
    assert (blocks, len(seen)) == (288_500, 182_790)
    assert hits / blocks == pytest.approx(0.366, abs=0.001)
    assert 6000 < len({row.session for row in rows}) < 9000
