"""Is a diagnosis in Markdown complete, and is nothing of others taken for markup?"""

import msgspec

from flyball.cli.diagnose_markdown import as_markdown, plain
from flyball.cli.diagnose_output import Report
from flyball.diagnosis.codes.codes import finding
from flyball.diagnosis.finding import Evidence
from flyball.diagnosis.suppress import Judged
from flyball.dialects.telemetry.needs import Lack
from support.loops import graph, loop

FOUND = finding(
    "FB-101", at=0.0, loops=("a|b",), actuators=("u",), scope="east", confidence=0.9,
    evidence=(Evidence(what="loops", value=2.0, limit=1.0),), summary="<b>a</b> moves [u](x)",
)  # fmt: skip
FOUND = msgspec.structs.replace(FOUND, lead_s=1800.0)


def report(*kept: object) -> Report:
    judged = Judged(kept=kept, aside=(), expired=(), idle=())  # type: ignore[arg-type]
    return Report(graph=graph(loop("a")), judged=judged, lacks=(Lack("x", "no y", "z"),))


def test_a_finding_has_its_row_and_its_numbers() -> None:
    text = as_markdown(report(FOUND))
    assert "| error | FB-101 | \\<b\\>a\\</b\\> moves \\[u\\](x) | a\\|b | 90% |" in text
    assert "- loops: 2 (limit 1)" in text and "harmed: 30 min" in text
    assert "```text\nflyball hold" in text and "- without x: no y (from z)" in text


def test_nothing_found_is_said() -> None:
    assert "Nothing was found." in as_markdown(report())


def test_markup_of_others_is_plain() -> None:
    assert plain("a_b\n`c` #d") == "a\\_b \\`c\\` \\#d"
