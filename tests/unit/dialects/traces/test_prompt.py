"""Does the text have the asked length, share what the blocks share, and nothing else?"""

from flyball.dialects.traces.prompt import BYTES_PER_TOKEN, text
from flyball.dialects.traces.row import TraceRow


def _row(tokens: int, *blocks: int, block_tokens: int = 16) -> TraceRow:
    return TraceRow(
        at_s=0.0, input_tokens=tokens, output_tokens=1, prefix_blocks=blocks,
        block_tokens=block_tokens if blocks else 0,
    )  # fmt: skip


def test_length_and_alphabet() -> None:
    for row in (_row(1), _row(17), _row(40, 5, 6), _row(30, 5, 6), _row(5000)):
        said = text(row, 3)
        assert len(said) == row.input_tokens * BYTES_PER_TOKEN
        assert set(said) <= set(b" abcdefghijklmnopqrstuvwxyz")


def test_shared_blocks_are_shared_bytes() -> None:
    one, two = text(_row(50, 7, 8), 1), text(_row(60, 7, 9), 2)
    size = 16 * BYTES_PER_TOKEN
    assert one[:size] == two[:size]
    assert one[size : 2 * size] != two[size : 2 * size]


def test_the_rest_is_its_own_and_repeatable() -> None:
    row = _row(50, 7)
    assert text(row, 1) == text(row, 1)
    assert text(row, 1)[64:128] != text(row, 2)[64:128]
    assert text(_row(50), 1)[:64] != text(_row(50), 2)[:64]
