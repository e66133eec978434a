"""Is a table of results well-formed HTML that fetches nothing and shows every cell as it is?"""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.sim import tables
from support.markup import Cells


@given(st.lists(st.lists(st.text(max_size=12), min_size=3, max_size=3), max_size=4))
def test_every_cell_comes_back_as_it_was(rows: list[list[str]]) -> None:
    read = Cells.read(tables.table("<b>&", ["<a>", "b", "c&d"], rows))
    assert read.captions == ["<b>&"]
    assert read.rows[0] == ["<a>", "b", "c&d"]
    # A parser of HTML takes a carriage return and NUL for other characters, as HTML 5 says.
    wanted = [[cell.replace("\r\n", "\n").replace("\r", "\n") for cell in row] for row in rows]
    found = [[cell.replace("\r\n", "\n").replace("\r", "\n") for cell in row] for row in read.rows]
    assert found[1:] == wanted


def test_a_row_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells under 2 heads"):
        tables.table("t", ["a", "b"], [["1"]])


def test_a_page_is_whole_and_fetches_nothing() -> None:
    text = tables.page("A < B", tables.note("x & y"), tables.table("t", ["a"], [["1"]]))
    HTMLParser().feed(text)
    assert text.startswith("<!doctype html>") and "<title>A &lt; B</title>" in text
    assert "x &amp; y" in text
    assert not [word for word in ("http", "src=", "href=", "<script", "@import") if word in text]
