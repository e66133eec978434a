"""Does the report hold every row, escaped as a page, and whatever the names as a PDF?"""

from flyball.ledger.evidence import NOT_RECORDED, Row
from flyball.serve.log.report import as_html, as_pdf

ROWS = [Row("a <b>", "AI Act 12", "here (3)"), Row("c", "GDPR 17", NOT_RECORDED)]


def test_the_page_escapes_what_it_shows() -> None:
    page = as_html("T & U", {"who": "<script>"}, ROWS)
    assert "<script" not in page and "&lt;script&gt;" in page and "a &lt;b&gt;" in page
    assert page.count('class="no"') == 1


def test_the_pdf_takes_any_name() -> None:
    paper = as_pdf("Bericht Ω", {"who": "松本" * 60, "root": "f" * 200}, ROWS * 60)
    assert paper.startswith(b"%PDF-") and len(paper) > 2000
