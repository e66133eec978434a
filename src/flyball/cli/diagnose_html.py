"""How are findings told as one page that needs nothing else: a map of the loops, and charts?

No script, no link to anything, and a content security policy that forbids both, so that a page may
be sent around; every text of others is escaped. Colours keep 4.5:1 on either background (WCAG AA).
"""

from html import escape
from math import cos, pi, sin
from typing import Any

import numpy as np

from flyball.cli.diagnose_output import Report, lacking, shown
from flyball.diagnosis.codes.codes import CODES, level_of
from flyball.diagnosis.finding import Finding
from flyball.diagnosis.signals import Signals
from flyball.diagnosis.topology.graph import LoopGraph, Member, Wiring

LOOPS_MAX = 40
CHARTS_MAX = 24
POINTS_MAX = 400
_WIDTH, _HEIGHT, _RADIUS = 720, 520, 200
_ORDER = ("error", "warning", "note")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--line:#8a939e;--error:#b42318;
--warning:#8a5300;--note:#175cd3;--quiet:#57606a}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--line:#6e7681;
--error:#ff8b80;--warning:#e3b341;--note:#79b8ff;--quiet:#9aa4af}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);
max-width:60rem;margin:2rem auto;padding:0 1rem}
h2,h3{margin-top:2rem}article{border-left:4px solid var(--line);padding:.1rem 1rem;margin:1rem 0}
.error{border-color:var(--error)}.warning{border-color:var(--warning)}
.note{border-color:var(--note)}
b.error{color:var(--error)}b.warning{color:var(--warning)}b.note{color:var(--note)}
code{background:color-mix(in srgb,var(--line) 20%,transparent);padding:.1em .3em;border-radius:3px}
figure{margin:1rem 0;display:inline-block}figcaption{color:var(--quiet);font-size:13px}
svg{max-width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}
.edge{fill:none;stroke:var(--line)}.hot{stroke:var(--error);stroke-width:2.5}
.node{fill:var(--paper);stroke:var(--line)}.bad{stroke:var(--error);stroke-width:2.5}
.line{fill:none;stroke:var(--note);stroke-width:1.5}
"""


def as_html(report: Report) -> str:
    """The whole page."""
    kept = sorted(report.judged.kept, key=lambda one: (_ORDER.index(level_of(one)), one.code))
    levels = [level_of(one) for one in kept]
    tally = ", ".join(f"{levels.count(one)} {one}s" for one in _ORDER)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>Diagnosis: {tally}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Diagnosis</h1><p>{tally}; {len(report.graph.members)} loops.</p>",
        *(_article(one) for one in kept),
        _map(report.graph, kept),
        _charts(report.signals),
        _list("Put aside", [f"{a.finding.code}: {a.by.reason}" for a in report.judged.aside]),
        _list("Not judged", lacking(report.lacks)),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part)


def _article(one: Finding) -> str:
    known, level = CODES[one.code], level_of(one)
    numbers = "".join(f"<li>{escape(shown(item))}</li>" for item in one.evidence)
    lead = "" if one.lead_s is None else f" Users are harmed in {one.lead_s / 60:.0f} min."
    return (
        f'<article class="{level}"><h3><b class="{level}">{level}</b> {one.code}: '
        f"{escape(known.title)}</h3><p>{escape(one.summary)} "
        f"Confidence {one.confidence:.0%}.{lead}</p><ul>{numbers}</ul>"
        f"<p>{escape(known.harm)}</p><p>Next: <code>{escape(one.next_step)}</code></p></article>"
    )


def _list(title: str, lines: list[str]) -> str:
    rows = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h2>{title}</h2><ul>{rows}</ul>" if rows else ""


def _map(graph: LoopGraph, kept: list[Finding]) -> str:
    """Loops in a ring, an arrow where one moves what another reads; those in findings are hot."""
    named = {loop for one in kept for loop in one.loops}
    members = sorted(graph.members, key=lambda one: one.name not in named)[:LOOPS_MAX]
    if not members:
        return ""
    places = {one.name: _place(at, len(members)) for at, one in enumerate(members)}
    lines = [
        f'<h2>Loops</h2><figure><svg role="img" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}"><title>Which loop moves what another reads</title>'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="currentColor"/>'
        "</marker></defs>"
    ]
    drawn: set[tuple[str, str]] = set()
    wiring = Wiring(graph)
    for link in wiring.links:
        source, target = wiring.members[link.source].name, wiring.members[link.target].name
        if source == target or (source, target) in drawn or not {source, target} <= set(places):
            continue
        drawn.add((source, target))
        is_hot = any({source, target} <= set(one.loops) for one in kept)
        lines.append(_arrow(places[source], places[target], is_hot, link.effect.signal))
    lines += [_node(one, *places[one.name], one.name in named) for one in members]
    left = len(graph.members) - len(members)
    note = f"; {left} more are not drawn" if left > 0 else ""
    return "".join([*lines, f"</svg><figcaption>Red = in a finding{note}.</figcaption></figure>"])


def _place(at: int, count: int) -> tuple[float, float]:
    turn = 2 * pi * at / count - pi / 2
    return _WIDTH / 2 + 1.35 * _RADIUS * cos(turn), _HEIGHT / 2 + _RADIUS * sin(turn)


def _arrow(one: tuple[float, float], other: tuple[float, float], is_hot: bool, signal: str) -> str:
    (x1, y1), (x2, y2) = one, other
    mx, my = (x1 + x2) / 2 + (y2 - y1) * 0.15, (y1 + y2) / 2 - (x2 - x1) * 0.15
    length = max(((x2 - mx) ** 2 + (y2 - my) ** 2) ** 0.5, 1.0)
    ex, ey = x2 - (x2 - mx) / length * 20, y2 - (y2 - my) / length * 20
    kind = "edge hot" if is_hot else "edge"
    return (
        f'<path class="{kind}" marker-end="url(#tip)" '
        f'd="M{x1:.1f} {y1:.1f}Q{mx:.1f} {my:.1f} {ex:.1f} {ey:.1f}">'
        f"<title>{escape(signal)}</title></path>"
    )


def _node(one: Member, x: float, y: float, is_bad: bool) -> str:
    kind = "node bad" if is_bad else "node"
    return (
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="16"><title>{escape(one.actuator)}'
        f'</title></circle><text x="{x:.1f}" y="{y + 32:.1f}" text-anchor="middle">'
        f"{escape(one.name[:32])}</text>"
    )


def _charts(signals: Signals | None) -> str:
    """Set-points first, then the plant's own signals."""
    if signals is None or len(signals.values) < 2:
        return ""
    order = sorted(signals.names, key=lambda name: (not name.startswith(("loop.", "plant.")), name))
    drawn = [chart for name in order if (chart := _chart(name, signals.column(name)))]
    left = len(drawn) - CHARTS_MAX
    note = f"<p>{left} more signals are not drawn.</p>" if left > 0 else ""
    hours = (signals.end_s - signals.begin_s) / 3600
    return f"<h2>Signals over {hours:.1f} h</h2>" + "".join(drawn[:CHARTS_MAX]) + note


def _chart(name: str, values: np.ndarray[Any, Any]) -> str:
    """A line, gaps left out; "" for a signal that never has two values."""
    every = -(-len(values) // POINTS_MAX)
    padded = np.concatenate([values, np.full(-len(values) % every, np.nan)]).reshape(-1, every)
    known = np.isfinite(padded)
    counts = known.sum(axis=1)
    means = np.where(known, padded, 0.0).sum(axis=1) / np.maximum(counts, 1)
    if np.count_nonzero(counts) < 2:
        return ""
    low, high = float(means[counts > 0].min()), float(means[counts > 0].max())
    span = high - low or 1.0
    path, is_down = [], False
    for at, (mean, count) in enumerate(zip(means.tolist(), counts.tolist(), strict=True)):
        if count:
            x, y = 300 * at / max(len(means) - 1, 1), 70 - 60 * (mean - low) / span
            path.append(f"{'L' if is_down else 'M'}{x:.1f} {y:.1f}")
        is_down = bool(count)
    return (
        f'<figure><svg role="img" viewBox="0 0 300 80" width="300" height="80"><title>'
        f'{escape(name)}</title><path class="line" d="{"".join(path)}"/></svg>'
        f"<figcaption>{escape(name)}: {low:.4g} to {high:.4g}</figcaption></figure>"
    )
