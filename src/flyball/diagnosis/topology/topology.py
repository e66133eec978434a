"""Which loops of a graph are in conflict, each told once and by its root?

Where two loops move one actuator, that they are also coupled and want other things is no news; the
same holds for the pace of loops that are unstable together.
"""

from collections.abc import Iterable, Iterator

from flyball.diagnosis.finding import Finding
from flyball.diagnosis.topology import conflicts, interplay
from flyball.diagnosis.topology.graph import LoopGraph, Wiring
from flyball.units import Seconds

FINDINGS_MAX = 1_000
# Kinds that a pair's root kind explains.
_EXPLAINED = {"FB-103", "FB-105", "FB-109", "FB-112"}
_ROOTS = {"FB-101", "FB-104", "FB-108"}


def topology(graph: LoopGraph, at: Seconds = 0.0) -> list[Finding]:
    """All findings of the graph, at most `FINDINGS_MAX`; `at` = Unix time of what is known.

    Findings are ordered by code, then by the names of their loops.
    """
    wiring = Wiring(graph)
    whole = interplay.Interplay(wiring)
    found = [
        *conflicts.direct(wiring, at),
        *interplay.sign(whole, at),
        *interplay.implicit(whole, at),
        *conflicts.indirect(wiring, at),
        *conflicts.temporal(wiring, at),
        *interplay.saturation(whole, at),
        *conflicts.signal(wiring, at),
        *conflicts.budget(wiring, at),
    ]
    kept = sorted(_roots(found), key=lambda one: (one.code, one.loops, one.actuators))
    return kept[:FINDINGS_MAX]


def _roots(found: Iterable[Finding]) -> Iterator[Finding]:
    roots: list[frozenset[str]] = []
    seen: set[tuple[str, frozenset[str]]] = set()
    for one in found:
        names = frozenset(one.loops)
        if one.code in _ROOTS:
            roots.append(names)
        elif one.code in _EXPLAINED and any(names <= root for root in roots):
            continue
        if (key := (f"{one.code} {one.scope} {one.actuators}", names)) not in seen:
            seen.add(key)
            yield one
