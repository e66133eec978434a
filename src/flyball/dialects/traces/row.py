"""What is one request of a recorded trace, and what was noticed while a trace was read?"""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from flyball.units import Seconds, Tokens


class TraceRow(Struct, frozen=True, kw_only=True, gc=False):
    """One request: when it came, how long it was, and what it shares with others.

    `at_s` counts from the first request of the trace. `prefix_blocks` are ids of the leading
    blocks of `block_tokens` tokens each: the same id is the same text after the same prefix.
    `answer_blocks` are those that the answer fills behind them, where it is known that a later
    prompt contains it. `session` groups the calls of one conversation or agent; "" = the trace does
    not tell. `result` names what was added last (a tool's result): equal numbers, equal text; 0 =
    not told.
    """

    at_s: Seconds
    input_tokens: Tokens
    output_tokens: Tokens
    session: str = ""
    prefix_blocks: tuple[int, ...] = ()
    block_tokens: Tokens = 0
    model: str = ""
    class_name: str = ""
    answer_blocks: tuple[int, ...] = ()
    result: int = 0


class Tally(Struct, kw_only=True):
    """Counts of what a reader met: nothing is dropped without being counted here."""

    rows: int = 0
    kept: int = 0
    zero_input: int = 0
    zero_output: int = 0
    reordered: int = 0
    without_tokens: int = 0
    unmatched: int = 0
    gap_s_max: Seconds = 0.0
    columns_unused: tuple[str, ...] = ()

    def notes(self) -> list[str]:
        """One sentence per thing worth telling the user; [] if the trace was plain."""
        said = (
            (self.zero_input, "rows with no input tokens skipped"),
            (self.zero_output, "rows with no output tokens skipped (nothing to wait for)"),
            (self.reordered, "rows were out of time order and sorted"),
            (self.without_tokens, "entries without token counts skipped"),
            (self.unmatched, "entries without their counterpart skipped"),
        )
        notes = [f"{count:,} {words}" for count, words in said if count]
        if self.gap_s_max > 60.0:
            notes.append(f"the longest silence is {self.gap_s_max:,.0f} s and is kept")
        if self.columns_unused:
            notes.append(f"columns not used: {', '.join(self.columns_unused)}")
        return notes


class TraceError(ValueError):
    """A trace that cannot be read: the place (file:line), what is wrong, and the next step."""

    def __init__(self, place: str, wrong: str, remedy: str) -> None:
        super().__init__(f"{place}: {wrong}. {remedy}.")
        self.place = place
        self.wrong = wrong
        self.remedy = remedy


Reader = Callable[[Iterable[bytes], str, Tally], Iterator[tuple[int, TraceRow]]]
