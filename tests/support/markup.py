"""What does a reader of HTML find in it? (Tables, cell by cell, by the standard parser.)"""

from html.parser import HTMLParser
from typing import Self


class Cells(HTMLParser):
    """`rows` of all tables in their order, heads included, and the `captions`."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self.captions: list[str] = []
        self._target: list[str] | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """Everything that is in `text`."""
        made = cls()
        made.feed(text)
        made.close()
        return made

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A row or a cell begins."""
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self._target = self.rows[-1]
            self._target.append("")
        elif tag == "caption":
            self._target = self.captions
            self._target.append("")

    def handle_endtag(self, tag: str) -> None:
        """A cell ends."""
        if tag in ("td", "th", "caption"):
            self._target = None

    def handle_data(self, data: str) -> None:
        """Text of the cell that is open."""
        if self._target is not None:
            self._target[-1] += data
