"""How does a table of results look in a notebook or on a page? (HTML that needs nothing else.)

Everything is inline: no script, no style sheet, no font, no address is fetched, so that the text
may be mailed, kept beside a run or shown offline. Every cell is escaped.
"""

from collections.abc import Sequence
from html import escape

_TABLE = "border-collapse:collapse;font:13px/1.5 system-ui,sans-serif;margin:0 0 1em"
_CAPTION = "text-align:left;font-weight:600;padding:2px 0"
_HEAD = "text-align:right;border-bottom:1px solid #888;padding:2px 8px"
_CELL = "text-align:right;border-bottom:1px solid #ddd;padding:2px 8px"
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{max-width:70em;margin:2em auto;padding:0 1em;font:14px/1.5 system-ui,sans-serif}}
svg{{max-width:100%;height:auto}}</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """One table; the first column is to the left, the others to the right.

    ValueError for a row that has another number of cells than the head.
    """
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"{caption}: {len(row)} cells under {len(head)} heads: {row}")
    lines = [
        f'<table style="{_TABLE}">',
        f'<caption style="{_CAPTION}">{escape(caption)}</caption>',
        f"<thead><tr>{_cells('th', _HEAD, head)}</tr></thead>",
        "<tbody>",
        *(f"<tr>{_cells('td', _CELL, row)}</tr>" for row in rows),
        "</tbody></table>",
    ]
    return "\n".join(lines)


def _cells(tag: str, style: str, texts: Sequence[str]) -> str:
    left = style.replace("right", "left", 1)
    styles = [left, *[style] * (len(texts) - 1)]
    return "".join(
        f'<{tag} style="{one}">{escape(text)}</{tag}>'
        for one, text in zip(styles, texts, strict=True)
    )


def note(text: str) -> str:
    """One paragraph."""
    return f'<p style="margin:0 0 1em">{escape(text)}</p>'


def page(title: str, *parts: str) -> str:
    """A whole document of parts that are HTML already."""
    return _PAGE.format(title=escape(title), body="\n".join(parts))
