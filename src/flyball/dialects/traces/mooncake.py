"""How is a Mooncake trace read? (kvcache-ai/Mooncake, FAST'25 release, Apache-2.0.)

JSON lines `timestamp` (ms), `input_length`, `output_length` (tokens), `hash_ids` (ids of the
prefix blocks of 512 tokens; the last may be partly filled). Sessions are inferred from the ids.
"""

from collections.abc import Iterable, Iterator

import msgspec

from flyball.dialects.traces import fields
from flyball.dialects.traces.lineage import Lineage
from flyball.dialects.traces.row import Tally, TraceRow
from flyball.units import MS_PER_S

BLOCK_TOKENS = 512


class _Line(msgspec.Struct):
    timestamp: float
    input_length: float
    output_length: float
    hash_ids: tuple[int, ...] = ()


def read(lines: Iterable[bytes], place: str, tally: Tally) -> Iterator[tuple[int, TraceRow]]:
    """Line number and row, in file order. Raises TraceError for a line that does not fit."""
    lineage = Lineage()
    for line, said in fields.json_lines(lines, place, msgspec.json.Decoder(_Line)):
        given, made = said.input_length, said.output_length
        yield (
            line,
            TraceRow(
                at_s=fields.seconds(said.timestamp, place, line, "timestamp") / MS_PER_S,
                input_tokens=fields.whole(given, given, place, line, "input_length"),
                output_tokens=fields.whole(made, made, place, line, "output_length"),
                session=lineage.session(said.hash_ids),
                prefix_blocks=said.hash_ids,
                block_tokens=BLOCK_TOKENS if said.hash_ids else 0,
            ),
        )
