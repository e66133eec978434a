"""How does a package of evidence read for people: as a web page, and on paper?"""

from html import escape
from typing import Any

from flyball.ledger.evidence import NOT_RECORDED, Row
from flyball.serve.log.writer import LedgerError

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;"
    "padding:.3rem .6rem;border-bottom:1px solid #ccc}.no{color:#a00}"
)
HEADS = ("What is asked", "By", "Where it is found")
NOTE = (
    "The table says where evidence was found in these records, not that a duty is met. Each record "
    "comes with a proof that it stands in the log; `flyball audit check PACKAGE` verifies them all."
)


def as_html(title: str, facts: dict[str, str], rows: list[Row]) -> str:
    """The report as one page without scripts or outside parts."""
    head = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts.items()
    )
    body = "".join(
        f"<tr><td>{escape(row.control)}</td><td>{escape(row.requirement)}</td>"
        f"<td{_mark(row)}>{escape(row.found)}</td></tr>"
        for row in rows
    )
    columns = "".join(f"<th>{name}</th>" for name in HEADS)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1><table>{head}</table><p>{escape(NOTE)}</p>"
        f"<table><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></html>\n"
    )


def _mark(row: Row) -> str:
    return ' class="no"' if row.found == NOT_RECORDED else ""


def as_pdf(title: str, facts: dict[str, str], rows: list[Row]) -> bytes:
    """The same on paper (A4). Raises LedgerError where the extra is not installed."""
    try:
        from fpdf import FPDF
        from fpdf.enums import WrapMode
    except ModuleNotFoundError:
        raise LedgerError(
            "A PDF needs an extra: pip install 'flyball[governance]', or give --no-pdf."
        ) from None
    page = FPDF(format="A4")
    page.set_title(_latin(title))
    page.add_page()
    page.set_font("helvetica", "B", 15)
    page.multi_cell(0, 9, _latin(title), new_x="LMARGIN", new_y="NEXT")
    page.set_font("helvetica", size=9)
    for name, value in facts.items():
        text = _latin(f"{name}: {value}")
        page.multi_cell(0, 5, text, new_x="LMARGIN", new_y="NEXT", wrapmode=WrapMode.CHAR)
    page.ln(3)
    page.multi_cell(0, 5, _latin(NOTE), new_x="LMARGIN", new_y="NEXT")
    page.ln(3)
    _table(page, rows)
    return bytes(page.output())


def _table(page: Any, rows: list[Row]) -> None:
    with page.table(col_widths=(35, 30, 35), text_align="LEFT") as table:
        for cells in (HEADS, *((row.control, row.requirement, row.found) for row in rows)):
            line = table.row()
            for cell in cells:
                line.cell(_latin(cell))


def _latin(text: str) -> str:
    """The fonts that every reader has know Latin-1 alone."""
    return text.encode("latin-1", "replace").decode("latin-1")
