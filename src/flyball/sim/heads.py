"""What would a gateway have read off a trace's request? (Sizes, hashes and hints; no text.)

The real gateway hashes blocks of `BLOCK_BYTES` of the prompt's JSON. At 4 bytes a token that is 256
tokens, so a trace's blocks are joined or cut to that grain: a block's id stands for all that comes
before it too, so the id of the last of several is the id of them together.
"""

from flyball.dialects.prompt import BLOCK_BYTES, BLOCKS_MAX
from flyball.dialects.traces.prompt import BYTES_PER_TOKEN
from flyball.dialects.traces.row import TraceRow
from flyball.model.request import RequestHead
from flyball.units import Tokens

GRAIN: Tokens = BLOCK_BYTES // BYTES_PER_TOKEN
# Multiplication by an odd number is one-to-one in 64 bits and spreads small numbers over the high
# bits (Knuth, TAOCP vol. 3, 6.4: Fibonacci hashing).
_SPREAD = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1
SESSION_FIELD = "x-session-id"


def spread(number: int) -> int:
    """A 64-bit hash of a small number; different numbers, different hashes."""
    return number * _SPREAD & _MASK


def prefix(row: TraceRow) -> tuple[int, ...]:
    """The chain of hashes that stands for the row's full leading blocks, at the gateway's grain."""
    size, blocks = row.block_tokens, row.prefix_blocks
    if not blocks or not size:
        return ()
    if size <= GRAIN:
        step = GRAIN // size
        kept = blocks[step - 1 : step * BLOCKS_MAX : step]
        return tuple([block * _SPREAD & _MASK for block in kept])  # `spread`, without its calls
    parts = size // GRAIN
    kept = blocks[: -(-BLOCKS_MAX // parts)]
    step, ways = parts * _SPREAD, [part * _SPREAD for part in range(parts)]
    hashes = [block * step + way & _MASK for block in kept for way in ways]
    return tuple(hashes[:BLOCKS_MAX])


def head(row: TraceRow, number: int, class_hint: str, model: str, tries: int) -> RequestHead:
    """The head of try `tries` (from 1) of call `number`; an SDK tells how often it has retried."""
    return RequestHead(
        operation="chat",
        model=row.model or model,
        stream=True,
        class_hint=class_hint,
        session_hint=row.session,
        session_source=SESSION_FIELD if row.session else "",
        retry_count=tries - 1,
        prompt_bytes=BYTES_PER_TOKEN * row.input_tokens,
        prefix=prefix(row),
        prefix_block_bytes=BLOCK_BYTES,
        body_digest=spread(number + 1),
        last_digest=spread(row.result),
    )
