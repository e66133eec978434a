"""What holds for every trace, whatever its rows?"""

from hypothesis import given
from hypothesis import strategies as st

from flyball.dialects.traces import scale
from flyball.dialects.traces.order import in_order
from flyball.dialects.traces.prompt import text
from flyball.dialects.traces.row import Tally, TraceRow

times = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=60)


@given(times, st.lists(st.integers(0, 3), min_size=60, max_size=60))
def test_order_conserves_rows(at: list[float], tokens: list[int]) -> None:
    rows = [
        (i, TraceRow(at_s=t, input_tokens=1, output_tokens=tokens[i])) for i, t in enumerate(at)
    ]
    tally = Tally()
    if not any(row.output_tokens for _, row in rows):
        return
    out = list(in_order(rows, "f", tally, window_rows=len(rows) + 1))
    assert [row.at_s for row in out] == sorted(row.at_s for row in out)
    assert out[0].at_s == 0.0
    assert tally.rows == len(rows) == tally.kept + tally.zero_output
    assert sum(row.output_tokens for row in out) == sum(row.output_tokens for _, row in rows)


@given(times, st.floats(0.01, 1000))
def test_speed_scales_every_interval(at: list[float], speed: float) -> None:
    rows = [TraceRow(at_s=t, input_tokens=1, output_tokens=1) for t in sorted(at)]
    for row, fast in zip(rows, scale.faster(rows, speed), strict=True):
        assert fast.at_s == row.at_s / speed


@given(
    st.integers(1, 300), st.lists(st.integers(0, 2**60), max_size=6), st.integers(1, 64),
    st.integers(0, 2**40),
)  # fmt: skip
def test_text_length_follows_the_tokens(
    tokens: int, blocks: list[int], block_tokens: int, number: int
) -> None:
    row = TraceRow(
        at_s=0.0, input_tokens=tokens, output_tokens=1, prefix_blocks=tuple(blocks),
        block_tokens=block_tokens,
    )  # fmt: skip
    assert len(text(row, number)) == 4 * tokens
