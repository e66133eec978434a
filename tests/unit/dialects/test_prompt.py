"""Do two prompts that begin alike have equal leading hashes, and only those?"""

from flyball.dialects.prompt import BLOCK_BYTES, BLOCKS_MAX, chain_hashes, last_digest
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


def tool_result(call: str, result: str) -> bytes:
    message = f'{{"role":"tool","tool_call_id":"{call}","content":"{result}"}}'
    return b'[{"role":"user","content":"' + b"x" * 3000 + b'"},' + message.encode() + b"]"


def test_the_same_result_of_another_call_has_the_same_digest() -> None:
    assert last_digest(tool_result("call_1", "ok")) == last_digest(tool_result("call_2", "ok"))
    assert last_digest(tool_result("call_1", "ok")) != last_digest(tool_result("call_1", "no"))


def test_of_a_long_result_the_end_stands_for_it() -> None:
    ends = ("one", "two")
    first, second = (last_digest(tool_result("a", "y" * 5000 + end)) for end in ends)
    assert first != second
    assert first == last_digest(tool_result("b", "y" * 6000 + "one"))
    assert last_digest(b"") == last_digest(b"")
