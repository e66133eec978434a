"""How are the step logs of agents read? (LMCache/lmcache-agent-trace, Apache-2.0, sizes only.)

CSV, one row per model call: `workload`, `session`, `t_s` (s since the session's first call),
`in_chars`, `out_chars` (about 4 to a token), `lcp_prev_chars` (characters that begin the session's
previous prompt too; blocks of the prefix are named by it). Sessions carry no wall time, so they are
begun `SESSION_GAP_S` apart, as coding-agent sessions are, and their calls interleaved.
"""

import heapq
from collections.abc import Iterable, Iterator

from flyball.dialects.traces import fields
from flyball.dialects.traces.agentic import SESSION_GAP_S
from flyball.dialects.traces.prompt import BYTES_PER_TOKEN
from flyball.dialects.traces.row import Tally, TraceError, TraceRow
from flyball.units import Tokens

BLOCK_TOKENS = 64
COLUMNS = ("workload", "session", "t_s", "in_chars", "out_chars", "lcp_prev_chars")


class _Session:
    """One session while it is read: its number, its last blocks, and how many ids it has used."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.blocks: tuple[int, ...] = ()
        self.used = 0

    def name_blocks(self, count: int, shared: int) -> tuple[int, ...]:
        """Ids of a prompt's `count` full blocks, of which `shared` were in the last prompt."""
        kept = self.blocks[: min(shared, count)]
        base = (self.number << 32) + self.used
        fresh = count - len(kept)
        self.used += fresh
        self.blocks = (*kept, *range(base, base + fresh))
        return self.blocks


def read(lines: Iterable[bytes], place: str, tally: Tally) -> Iterator[tuple[int, TraceRow]]:
    """Line number and row in time order; memory grows with the sessions that overlap.

    Raises TraceError for a row that does not fit, or a session whose rows do not stand together.
    """
    waiting: list[tuple[float, int, TraceRow]] = []
    seen: set[str] = set()
    session = _Session("", -1)
    for line, cells in fields.table(lines, place, tally, COLUMNS):
        name = f"{cells[0]}/{cells[1]}"
        if name != session.name:
            if name in seen:
                raise TraceError(
                    f"{place}:{line}",
                    f"session {name!r} continues after another began",
                    "Sort the file by workload, session and step",
                )
            seen.add(name)
            session = _Session(name, session.number + 1)
            begun_s = session.number * SESSION_GAP_S
            while waiting and waiting[0][0] < begun_s:
                _, at, row = heapq.heappop(waiting)
                yield at, row
        row = _row(session, cells, place, line)
        heapq.heappush(waiting, (row.at_s, line, row))
    while waiting:
        _, at, row = heapq.heappop(waiting)
        yield at, row


def _row(session: _Session, cells: list[str], place: str, line: int) -> TraceRow:
    since_s = fields.seconds(cells[2], place, line, "t_s")
    sizes = (fields.count(cells[3 + i], place, line, COLUMNS[3 + i]) for i in range(3))
    given, made, shared = (_tokens(size) for size in sizes)
    blocks = session.name_blocks(given // BLOCK_TOKENS, shared // BLOCK_TOKENS)
    return TraceRow(
        at_s=session.number * SESSION_GAP_S + since_s,
        input_tokens=given,
        output_tokens=made,
        session=session.name,
        prefix_blocks=blocks,
        block_tokens=BLOCK_TOKENS,
        class_name="agent",
    )


def _tokens(chars: int) -> Tokens:
    return round(chars / BYTES_PER_TOKEN)
