"""Do two prompts that begin alike have equal leading hashes, and only those?"""

from flyball.dialects.prompt import BLOCK_BYTES, BLOCKS_MAX, chain_hashes
from flyball.model.request import RequestHead


def test_only_full_blocks_before_the_last_byte_are_hashed() -> None:
    assert chain_hashes(b"")[0] == ()
    assert chain_hashes(b"x" * BLOCK_BYTES)[0] == ()
    assert len(chain_hashes(b"x" * (BLOCK_BYTES + 1))[0]) == 1
    assert len(chain_hashes(b"x" * (3 * BLOCK_BYTES + 5))[0]) == 3


def test_a_change_shows_from_its_block_on() -> None:
    prompt = bytes(range(256)) * 20
    changed = bytearray(prompt)
    changed[2 * BLOCK_BYTES + 7] ^= 1
    before, after = chain_hashes(prompt)[0], chain_hashes(bytes(changed))[0]
    assert before[:2] == after[:2]
    assert before[2] != after[2]
    assert before[3] != after[3]


def test_equal_blocks_at_other_places_have_other_hashes() -> None:
    chain, _ = chain_hashes(b"y" * (4 * BLOCK_BYTES + 1))
    assert len(set(chain)) == 4


def test_the_chain_is_capped_and_the_digest_is_not() -> None:
    long = b"z" * ((BLOCKS_MAX + 3) * BLOCK_BYTES)
    chain, digest = chain_hashes(long)
    assert len(chain) == BLOCKS_MAX
    assert digest != chain_hashes(long[:-1] + b"!")[1]


def test_the_block_size_is_the_one_heads_say_by_default() -> None:
    assert RequestHead(operation="chat", model="m").prefix_block_bytes == BLOCK_BYTES
