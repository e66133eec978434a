"""Are coding-agent sessions interleaved in time, with their blocks kept apart?"""

import pytest

from flyball.dialects.traces import agentic, formats
from flyball.dialects.traces.row import Tally, TraceError

HEADER = b"trace_id,agent,t_s,model,in_tokens,out_tokens,blocks_rle\n"


def test_sessions_are_interleaved() -> None:
    lines = [
        HEADER,
        b't1,0,0,m,150,10,"1-2"\n',
        b't1,0,25,m,300,10,"1-2,9"\n',
        b't2,0,0,m,150,10,"1"\n',
        b"t2,0.1,3,m,150,10,\n",
    ]
    rows = list(formats.read("agentic", lines, "c.csv", Tally()))
    gap = agentic.SESSION_GAP_S
    assert [(row.session, row.at_s) for row in rows] == [
        ("t1", 0.0), ("t2", gap), ("t2/0.1", gap + 3), ("t1", 25.0),
    ]  # fmt: skip
    assert rows[3].prefix_blocks == (1, 2, 9)
    assert rows[1].prefix_blocks == ((1 << 32) + 1,)
    assert rows[2].block_tokens == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b't1,0,0,m,1,1,"5-2"\n', "blocks_rle has '5-2'"),
        (b't1,0,0,m,1,1,"x"\n', "blocks_rle has 'x'"),
        (b't1,0,0,m,1,1,"1-99999999"\n', "blocks_rle has"),
        (b"t1,0,-1,m,1,1,\n", "t_s is '-1'"),
    ],
)
def test_faults_name_the_line(line: bytes, said: str) -> None:
    with pytest.raises(TraceError) as caught:
        list(agentic.read([HEADER, line], "c.csv", Tally()))
    assert said in str(caught.value)
    assert "c.csv:2" in str(caught.value)


def test_a_session_must_stand_together() -> None:
    lines = [HEADER, b"a,0,0,m,1,1,\n", b"b,0,0,m,1,1,\n", b"a,0,1,m,1,1,\n"]
    with pytest.raises(TraceError, match="Sort the file by trace_id"):
        list(agentic.read(lines, "c.csv", Tally()))
