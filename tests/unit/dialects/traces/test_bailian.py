"""Is a Bailian trace read with the session of its first turn?"""

from flyball.dialects.traces import bailian
from flyball.dialects.traces.row import Tally


def _line(chat: int, parent: int, at: float) -> bytes:
    return (
        b'{"chat_id": %d, "parent_chat_id": %d, "timestamp": %f, "input_length": 33, '
        b'"output_length": 4, "type": "search", "turn": 2, "hash_ids": [1, 2, 3]}\n'
        % (chat, parent, at)
    )


def test_sessions_follow_the_parents() -> None:
    lines = [_line(10, -1, 0.5), _line(11, 10, 1), _line(12, 11, 2), _line(20, -1, 3)]
    rows = [row for _, row in bailian.read(lines, "b.jsonl", Tally())]
    assert [row.session for row in rows] == ["10", "10", "10", "20"]
    assert rows[0].at_s == 0.5
    assert (rows[0].block_tokens, rows[0].prefix_blocks) == (16, (1, 2, 3))
    assert rows[0].class_name == "search"


def test_a_parent_before_the_trace_names_the_session() -> None:
    rows = [row for _, row in bailian.read([_line(7, 3, 0), _line(8, 3, 1)], "b", Tally())]
    assert [row.session for row in rows] == ["3", "3"]
