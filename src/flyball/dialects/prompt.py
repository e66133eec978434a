"""By which hashes are two prompts seen to share a prefix, without keeping any text?

A prompt is the raw JSON bytes of what the engine will read, in the order in which chat templates
(and Anthropic's cache, docs.anthropic.com prompt caching: tools, system, messages) put it. It is
cut in blocks of `BLOCK_BYTES`; hash i = xxh3_64(block i, seed = hash i-1), so equal hashes at i
mean equal bytes up to there (xxHash is no cryptographic hash: who forges a collision only gets a
wrong estimate of his own cache hit). Its last byte, a closing bracket or quote, is never part of a
hashed block, so a conversation with one more turn starts with the same hashes.
"""

from xxhash import xxh3_64_intdigest

BLOCK_BYTES = 1024
BLOCKS_MAX = 512
TAIL_BYTES = 256
_CONTENT = b'"content":'


def last_digest(prompt: bytes) -> int:
    """Digest of what was added last: the text behind the last `content` field, as a tool's result.

    An id in front of it (of the tool call, new each time) does not count. Of a long text, and where
    there is no such field near the end, the last `TAIL_BYTES` stand for it.
    """
    start = prompt.rfind(_CONTENT, -TAIL_BYTES)
    return xxh3_64_intdigest(prompt[start:] if start >= 0 else prompt[-TAIL_BYTES:])


def chain_hashes(prompt: bytes) -> tuple[tuple[int, ...], int]:
    """(hash of each full leading block, at most `BLOCKS_MAX`; digest of the whole prompt).

    The digest is the chain carried over the bytes that are left, so each byte is hashed once.
    """
    open_bytes = len(prompt) - 1
    if open_bytes < BLOCK_BYTES:
        return (), xxh3_64_intdigest(prompt)
    whole = min(open_bytes // BLOCK_BYTES, BLOCKS_MAX) * BLOCK_BYTES
    chain: list[int] = []
    seed = 0
    for start in range(0, whole, BLOCK_BYTES):
        seed = xxh3_64_intdigest(prompt[start : start + BLOCK_BYTES], seed)
        chain.append(seed)
    return tuple(chain), xxh3_64_intdigest(prompt[whole:], seed)
