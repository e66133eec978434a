"""Which text has a given number of tokens and shares its prefix as the trace's blocks do?

Text is made of three-letter English words and a space: 4 bytes, and one token in the common
byte-pair vocabularies, so N tokens are 4 N bytes on an emulated and on a real engine (the chat
template adds a few). A block's id alone decides its words: the same id is the same bytes, always.
"""

from functools import lru_cache
from hashlib import shake_128

import numpy as np

from flyball.dialects.traces.row import TraceRow

BYTES_PER_TOKEN = 4
_WORDS = """
act add age ago aid aim air all and any arm art ask bad bag bar bed bet bid big bit box boy
bus but buy can cap car cat cup cut day dig dog dry due ear eat egg end eye far fat few fit
fix fly for fun gap gas get got gun guy had has hat her him his hit hot how ice ill its jet
job joy key kid law lay led leg let lie lot low mad man map may men met mix net new nor not
now odd off oil old one our out own pay per pet pop put ran raw red rid row run sad saw say
sea see set sit she six sky son sun tax tea ten the tie tip too top try two use van via
war was way web who why win won yes yet you
""".split()  # noqa: SIM905 - a list of one word a line hides the table

_TABLE = np.array([f"{_WORDS[i % len(_WORDS)]} " for i in range(256)], dtype="S4")


def text(row: TraceRow, number: int) -> bytes:
    """`row.input_tokens` x 4 bytes of ASCII words; `number` makes what is not shared unique.

    Tokens beyond the row's blocks (all of them where the trace has no blocks) are its own.
    """
    parts = [_block(block, row.block_tokens) for block in row.prefix_blocks]
    missing = row.input_tokens - len(parts) * row.block_tokens
    if missing > 0:
        parts.append(_words(f"own {number}".encode(), missing))
    return b"".join(parts)[: row.input_tokens * BYTES_PER_TOKEN]


@lru_cache(maxsize=8192)
def _block(block: int, tokens: int) -> bytes:
    return _words(f"block {block}".encode(), tokens)


def _words(seed: bytes, tokens: int) -> bytes:
    drawn = np.frombuffer(shake_128(seed).digest(tokens), dtype=np.uint8)
    return _TABLE[drawn].tobytes()
