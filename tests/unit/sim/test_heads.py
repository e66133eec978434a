"""Does a simulated head share its prefix exactly where the trace's blocks do?"""

from flyball.dialects.traces.row import TraceRow
from flyball.sim.heads import head, prefix, spread


def row(blocks: tuple[int, ...], size: int) -> TraceRow:
    return TraceRow(
        at_s=0.0,
        input_tokens=len(blocks) * size + 5,
        output_tokens=9,
        prefix_blocks=blocks,
        block_tokens=size,
        session="s1",
    )


def test_small_blocks_are_joined_to_the_gateway_s_grain() -> None:
    # 256 tokens are four blocks of 64; the fourth's id stands for all four.
    assert prefix(row((10, 11, 12, 13, 14, 15, 16, 17, 18), 64)) == (spread(13), spread(17))
    assert prefix(row((10, 11, 12), 64)) == ()


def test_large_blocks_are_cut_and_share_as_before() -> None:
    one, other = prefix(row((7, 8), 512)), prefix(row((7, 9), 512))
    assert len(one) == len(other) == 4
    assert one[:2] == other[:2]
    assert set(one[2:]).isdisjoint(other[2:])


def test_parts_of_a_large_block_are_hashed_as_small_numbers_are() -> None:
    blocks = (3, 2**40 + 1, 7)
    parts = [block * 2 + part for block in blocks for part in (0, 1)]
    assert prefix(row(blocks, 512)) == tuple(spread(number) for number in parts)


def test_a_trace_without_blocks_has_no_prefix_and_a_long_one_is_bounded() -> None:
    assert prefix(TraceRow(at_s=0.0, input_tokens=900, output_tokens=1)) == ()
    assert len(prefix(row(tuple(range(900)), 256))) == 512
    assert len(prefix(row(tuple(range(900)), 512))) == 512


def test_hashes_fill_64_bits_and_differ() -> None:
    made = [spread(number) for number in range(1, 5000)]
    assert len(set(made)) == len(made)
    assert max(made) < 2**64
    assert len({one >> 52 for one in made}) > 1000


def test_a_retry_says_so_and_is_the_same_prompt() -> None:
    first = head(row((1, 2, 3, 4), 64), 5, "chat", "m", 1)
    again = head(row((1, 2, 3, 4), 64), 5, "chat", "m", 2)
    assert (first.retry_count, again.retry_count) == (0, 1)
    assert first.body_digest == again.body_digest
    assert (first.prompt_bytes, first.session_hint, first.model) == (4 * 261, "s1", "m")
