"""By which hashes are two prompts seen to share a prefix, without keeping any text?

A prompt is the raw JSON bytes of what the engine will read, in the order in which chat templates
(and Anthropic's cache, docs.anthropic.com prompt caching: tools, system, messages) put it. Its last
closing bracket or quote is left out, so that a conversation with one more turn starts with the same
bytes. It is cut in blocks of `BLOCK_BYTES`; hash i = xxh3_64(block i, seed = hash i-1), so equal
hashes at i mean equal bytes up to there (xxHash is no cryptographic hash: who forges a collision
only gets a wrong estimate of his own cache hit).
"""

from xxhash import xxh3_64_intdigest

BLOCK_BYTES = 1024
BLOCKS_MAX = 512
_CLOSERS = (b"]", b'"', b"}")


def join_prompt(parts: tuple[bytes, ...]) -> bytes:
    """One prompt out of raw JSON values (b"" = absent), the last one's closer dropped."""
    prompt = parts[0] if len(parts) == 1 else b"".join(parts)
    return prompt[:-1].rstrip() if prompt[-1:] in _CLOSERS else prompt


def chain_hashes(prompt: bytes) -> tuple[tuple[int, ...], int]:
    """(hash of each full leading block, at most `BLOCKS_MAX`; digest of the whole prompt).

    The digest is the chain carried over the bytes that are left, so each byte is hashed once.
    """
    size = len(prompt)
    if size < BLOCK_BYTES:
        return (), xxh3_64_intdigest(prompt)
    whole = min(size // BLOCK_BYTES, BLOCKS_MAX) * BLOCK_BYTES
    chain: list[int] = []
    seed = 0
    for start in range(0, whole, BLOCK_BYTES):
        seed = xxh3_64_intdigest(prompt[start : start + BLOCK_BYTES], seed)
        chain.append(seed)
    return tuple(chain), xxh3_64_intdigest(prompt[whole:], seed)
