"""Does the page need nothing else, escape what others wrote, and draw in a real browser?"""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from flyball.cli.diagnose_html import CHARTS_MAX, LOOPS_MAX, as_html
from flyball.cli.diagnose_output import Report
from flyball.diagnosis.codes.codes import finding
from flyball.diagnosis.finding import Evidence
from flyball.diagnosis.suppress import Judged
from flyball.diagnosis.topology.graph import Effect, LoopGraph, Reading
from flyball.dialects.telemetry import grid
from flyball.dialects.telemetry.needs import Lack
from support.loops import loop

CHROMIUM = shutil.which("chromium")
NASTY = '<script>document.title="taken"</script>'
FOUND = finding(
    "FB-101", at=0.0, loops=("a", NASTY), actuators=("u",), confidence=0.9,
    evidence=(Evidence(what=NASTY, value=2.0),), summary=f"both move {NASTY}",
)  # fmt: skip
GAPPY = np.array([np.nan, 1.0, 2.0, np.nan, 3.0, 4.0] * 200)


def report(loops: int = 3, signals: int = 2) -> Report:
    members = [
        loop(name, actuator="u", reads=(Reading(signal="q"),))
        for name in ["a", NASTY, *(f"l{i}" for i in range(loops))]
    ]
    graph = LoopGraph(members=tuple(members), effects=(Effect(actuator="u", signal="q", sign=1),))
    columns = {f"plant.{i}{NASTY}": GAPPY for i in range(signals)}
    return Report(
        graph=graph,
        judged=Judged(kept=(FOUND,), aside=(), expired=(), idle=()),
        signals=grid.signals({**columns, "silent.x": np.full(1200, np.nan)}, 180_000_000, 10.0),
        lacks=(Lack(NASTY, "no y"),),
    )


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_nothing_is_fetched_or_run_and_nothing_of_others_is_markup() -> None:
    text = as_html(report())
    tags = Tags(text).tags
    names = {tag for tag, _ in tags}
    assert not names & {"script", "link", "img", "iframe", "object", "form", "a"}
    assert not any({"src", "href", "onload", "onclick"} & set(fields) for _, fields in tags)
    assert NASTY not in text and "&lt;script&gt;" in text
    assert not re.search(r"https?:|@import|url\((?!#)", text)
    policy = next(fields for tag, fields in tags if tag == "meta" and "http-equiv" in fields)
    assert "default-src 'none'" in (policy["content"] or "")


def test_loops_in_findings_are_marked_and_the_rest_is_bounded() -> None:
    tags = Tags(as_html(report(loops=100, signals=60))).tags
    circles = [fields["class"] for tag, fields in tags if tag == "circle"]
    assert len(circles) == LOOPS_MAX and circles.count("node bad") == 2
    assert sum(fields.get("class") == "line" for _, fields in tags) == CHARTS_MAX
    assert any(fields.get("class") == "edge hot" for _, fields in tags)


def test_gaps_break_the_line_and_silent_signals_have_none() -> None:
    tags = Tags(as_html(report(signals=1))).tags
    (line,) = [fields["d"] for _, fields in tags if fields.get("class") == "line"]
    assert line and "nan" not in line


@pytest.mark.skipif(not CHROMIUM, reason="Debian's chromium is not installed")
def test_a_real_browser_shows_it_and_runs_nothing(tmp_path: Path) -> None:
    assert CHROMIUM
    (tmp_path / "page.html").write_text(as_html(report()))
    words = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=2000",
        "--dump-dom",
    ]
    done = subprocess.run(
        [CHROMIUM, *words, f"--user-data-dir={tmp_path / 'u'}", f"file://{tmp_path / 'page.html'}"],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert "<title>Diagnosis: 1 errors" in done.stdout, done.stderr[-2000:]
    assert "<circle" in done.stdout and "Content Security Policy" not in done.stderr
