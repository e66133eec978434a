"""Are agents' step logs interleaved in time, with blocks named by what a prompt shares?"""

from pathlib import Path

import pytest

from flyball.dialects.traces import agentsteps, formats
from flyball.dialects.traces.agentic import SESSION_GAP_S
from flyball.dialects.traces.row import Tally, TraceError

HEADER = b"workload,session,step,t_s,in_chars,out_chars,lcp_prev_chars,lcp_best_chars\n"
SESSIONS = [
    HEADER,
    b"swe,swe-0,0,0.0,1024,40,0,0\n",
    b"swe,swe-0,1,25.0,2048,400,1024,1024\n",
    b"swe,swe-0,2,26.0,1536,400,600,600\n",
    b"tau,tau-0,0,0.0,1024,40,0,0\n",
]


def test_sessions_are_interleaved_and_characters_are_four_to_a_token() -> None:
    rows = list(formats.read("agentsteps", SESSIONS, "s.csv", Tally()))
    assert [(row.session, row.at_s, row.input_tokens, row.output_tokens) for row in rows] == [
        ("swe/swe-0", 0.0, 256, 10),
        ("tau/tau-0", SESSION_GAP_S, 256, 10),
        ("swe/swe-0", 25.0, 512, 100),
        ("swe/swe-0", 26.0, 384, 100),
    ]
    assert {row.block_tokens for row in rows} == {agentsteps.BLOCK_TOKENS}


def test_blocks_are_shared_as_far_as_the_last_prompt_goes_on() -> None:
    first, other, second, third = formats.read("agentsteps", SESSIONS, "s.csv", Tally())
    assert second.prefix_blocks[:4] == first.prefix_blocks and len(second.prefix_blocks) == 8
    assert third.prefix_blocks[:2] == second.prefix_blocks[:2]  # 150 tokens are two blocks
    assert not set(third.prefix_blocks[2:]) & set(second.prefix_blocks)
    assert not set(other.prefix_blocks) & set(second.prefix_blocks)


def test_the_format_is_known_by_its_header() -> None:
    assert formats.detect(HEADER, "steps.csv") == "agentsteps"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"swe,swe-0,0,-1,10,1,0,0\n", "t_s is '-1'"),
        (b"swe,swe-0,0,0,ten,1,0,0\n", "in_chars is 'ten'"),
        (b"swe,swe-0,0,0,10,1,-4,0\n", "lcp_prev_chars is '-4'"),
        (b"swe,swe-0,0,0,10\n", "the row has 5 cells"),
    ],
)
def test_faults_name_the_line(line: bytes, said: str) -> None:
    with pytest.raises(TraceError) as caught:
        list(agentsteps.read([HEADER, line], "s.csv", Tally()))
    assert said in str(caught.value) and "s.csv:2" in str(caught.value)


def test_a_session_must_stand_together() -> None:
    lines = [HEADER, *(b"w,%s,0,0,1024,4,0,0\n" % name for name in (b"a", b"b", b"a"))]
    with pytest.raises(TraceError, match="Sort the file by workload"):
        list(agentsteps.read(lines, "s.csv", Tally()))


def test_the_published_logs_are_read_whole(real_data: Path) -> None:
    tally = Tally()
    with (real_data / "agent_steps_lmcache" / "steps.csv").open("rb") as stream:
        rows = list(formats.read("agentsteps", stream, "steps.csv", tally))
    assert tally.rows == 1619 and len({row.session for row in rows}) == 69
    assert tally.kept + tally.zero_output + tally.zero_input == 1619
