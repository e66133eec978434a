"""How is a Qwen-Bailian usage trace read? (alibaba-edu/qwen-bailian-usagetraces-anon.)

JSON lines `chat_id`, `parent_chat_id` (-1 = first turn), `timestamp` (s), `input_length`,
`output_length` (tokens), `type` (text, search, image, file), `turn`, `hash_ids` (16-token blocks).
"""

from collections.abc import Iterable, Iterator

import msgspec

from flyball.dialects.traces import fields
from flyball.dialects.traces.row import Tally, TraceRow

BLOCK_TOKENS = 16
CHATS_MAX = 1_000_000


class _Line(msgspec.Struct):
    chat_id: int | str
    timestamp: float
    input_length: float
    output_length: float
    parent_chat_id: int | str = -1
    type: str = ""
    turn: int = 1
    hash_ids: tuple[int, ...] = ()


def read(lines: Iterable[bytes], place: str, tally: Tally) -> Iterator[tuple[int, TraceRow]]:
    """Line number and row, in file order; the session is the chat of the first turn.

    A parent that is not in the file (the trace began later) starts a session. At most
    `CHATS_MAX` chats are remembered. Raises TraceError for a line that does not fit.
    """
    roots: dict[str, str] = {}
    for line, said in fields.json_lines(lines, place, msgspec.json.Decoder(_Line)):
        chat, parent = str(said.chat_id), str(said.parent_chat_id)
        root = roots.get(parent, parent if parent not in ("-1", "") else chat)
        roots[chat] = root
        if len(roots) > CHATS_MAX:
            del roots[next(iter(roots))]
        given, made = said.input_length, said.output_length
        yield (
            line,
            TraceRow(
                at_s=fields.seconds(said.timestamp, place, line, "timestamp"),
                input_tokens=fields.whole(given, given, place, line, "input_length"),
                output_tokens=fields.whole(made, made, place, line, "output_length"),
                session=root,
                prefix_blocks=said.hash_ids,
                block_tokens=BLOCK_TOKENS if said.hash_ids else 0,
                class_name=said.type,
            ),
        )
