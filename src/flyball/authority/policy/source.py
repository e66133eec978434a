"""Where in a policy file does each policy stand, and where is what is wrong with it?"""

import re
from collections.abc import Iterator

from msgspec import Struct

# Of Cedar's lexical grammar (docs.cedarpolicy.com/policies/syntax-grammar.html), what tells where
# a policy ends: comments and strings may hold a semicolon too.
_TOKEN = re.compile(r'//[^\n]*|"(?:\\.|[^"\\])*"|\w+|\s+|.', re.DOTALL)


class Fault(Struct, frozen=True, kw_only=True, order=True):
    """One fault of a policy set: where (`line` and `col` count from 1, 0 = the whole file)."""

    source: str
    line: int = 0
    col: int = 0
    message: str
    next_step: str = ""

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}:{self.col}" if self.line else self.source
        return f"{place}: {self.message}" + (f"\n    {self.next_step}" if self.next_step else "")


class PolicyErrors(ValueError):
    """A policy set cannot be used; `faults` holds every fault found, in order of place."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(map(str, sorted(faults))))
        self.faults = sorted(faults)


class Statement(Struct, frozen=True):
    """One policy's text and the offset at which it begins in its file's text."""

    source: str
    file_text: str
    offset: int
    text: str

    @property
    def place(self) -> tuple[int, int]:
        """Line and column of its first character."""
        return self.at(0)

    def at(self, offset: int) -> tuple[int, int]:
        """Line and column of a character of it, counted from 1."""
        return line_and_col(self.file_text, self.offset + offset)

    def find(self, word: str) -> int:
        """Offset of a word within it, outside of comments (0 = it does not hold it)."""
        for token in _TOKEN.finditer(self.text):
            if token[0] == word or token[0] == f'"{word}"':
                return token.start()
        return 0

    def fault(self, message: str, next_step: str = "", offset: int = 0) -> Fault:
        """A fault that stands at this offset of it."""
        line, col = self.at(offset)
        return Fault(source=self.source, line=line, col=col, message=message, next_step=next_step)


def line_and_col(text: str, offset: int) -> tuple[int, int]:
    """Of a character's offset, both counted from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def statements(source: str, text: str) -> Iterator[Statement]:
    """Each policy of a file; the last may lack its semicolon (a parser will say so)."""
    start, end = -1, 0
    for token in _TOKEN.finditer(text):
        if token[0].isspace() or token[0].startswith("//"):
            continue
        start, end = (token.start() if start < 0 else start), token.end()
        if token[0] == ";":
            yield Statement(source, text, start, text[start:end])
            start = -1
    if start >= 0:
        yield Statement(source, text, start, text[start:end])
