"""How are recorded coding-agent sessions read? (callanjfox/kv-cache-tester, Apache-2.0.)

As a table, one row per model call: `trace_id`, `agent`, `t_s` (s since the session
began), `model`, `in_tokens`, `out_tokens`, `blocks_rle` (ids of 64-token blocks, "1-1112,1120",
local to a session).
Sessions carry no wall time, so they are begun `SESSION_GAP_S` apart and their calls interleaved.
"""

import heapq
from collections.abc import Iterable, Iterator

from flyball.dialects.traces import fields
from flyball.dialects.traces.row import Tally, TraceError, TraceRow

BLOCK_TOKENS = 64
SESSION_GAP_S = 10.0
# Longest run of blocks in one call: 16 M tokens, far above any context window.
_BLOCKS_MAX = 262_144


def read(lines: Iterable[bytes], place: str, tally: Tally) -> Iterator[tuple[int, TraceRow]]:
    """Line number and row in time order; memory grows with the sessions that overlap.

    Blocks are expanded only when a row is handed out. Raises TraceError for a row that does not
    fit, or for a session whose rows do not stand together.
    """
    required = ("trace_id", "t_s", "in_tokens", "out_tokens")
    optional = ("model", "agent", "blocks_rle")
    waiting: list[tuple[float, int, int, list[str]]] = []
    numbers: dict[str, int] = {}
    current = ""
    for line, cells in fields.table(lines, place, tally, required, optional):
        if cells[0] != current:
            current = cells[0]
            if current in numbers:
                raise TraceError(
                    f"{place}:{line}",
                    f"session {current!r} continues after another began",
                    "Sort the file by trace_id",
                )
            numbers[current] = len(numbers)
        begun_s = numbers[current] * SESSION_GAP_S
        while waiting and waiting[0][0] < begun_s:
            yield _row(heapq.heappop(waiting), place)
        at_s = begun_s + fields.seconds(cells[1], place, line, "t_s")
        heapq.heappush(waiting, (at_s, line, numbers[current], cells))
    while waiting:
        yield _row(heapq.heappop(waiting), place)


def _row(entry: tuple[float, int, int, list[str]], place: str) -> tuple[int, TraceRow]:
    at_s, line, number, (name, _, given, made, model, agent, runs) = entry
    blocks = _expand(runs, number << 32, place, line)
    return line, TraceRow(
        at_s=at_s,
        input_tokens=fields.count(given, place, line, "in_tokens"),
        output_tokens=fields.count(made, place, line, "out_tokens"),
        session=name if agent in ("", "0") else f"{name}/{agent}",
        prefix_blocks=blocks,
        block_tokens=BLOCK_TOKENS if blocks else 0,
        model=model,
        class_name="agent",
    )


def _expand(runs: str, base: int, place: str, line: int) -> tuple[int, ...]:
    blocks: list[int] = []
    for run in runs.split(",") if runs else ():
        first, _, last = run.partition("-")
        try:
            begin, end = int(first), int(last or first)
        except ValueError:
            begin, end = 0, -1
        if not 0 <= begin <= end < begin + _BLOCKS_MAX:
            raise TraceError(
                f"{place}:{line}",
                f"blocks_rle has {run!r}, not a run such as 1-1112",
                "Correct or delete the row",
            )
        blocks.extend(range(base + begin, base + end + 1))
    return tuple(blocks)
