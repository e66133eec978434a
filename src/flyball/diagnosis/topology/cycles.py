"""Which simple cycles has a directed graph, as far as one may look?

The roots are taken in Johnson's order (D. B. Johnson 1975, "Finding all the elementary circuits of
a directed graph"): each cycle is found once, from its least node, inside that node's strongly
connected component of what is left. As length is bounded here, a branch is not blocked but cut
where the root is too far to come back to in time (the bounded form of Gupta & Suzumura 2021).
"""

from collections.abc import Sequence
from typing import NamedTuple

LENGTH_MAX = 6
COUNT_MAX = 2_000
STEPS_MAX = 200_000


class Cycles(NamedTuple):
    """The cycles, each from its least node on; `is_whole` false = a bound was met before the end
    (longer cycles than `length_max` are never looked for and do not count)."""

    found: tuple[tuple[int, ...], ...]
    is_whole: bool


def simple_cycles(
    neighbours: Sequence[Sequence[int]],
    length_max: int = LENGTH_MAX,
    count_max: int = COUNT_MAX,
    steps_max: int = STEPS_MAX,
) -> Cycles:
    """Cycles of 2 to `length_max` nodes of the graph node -> `neighbours[node]`.

    Work is bounded by `steps_max` edges looked at. ValueError for an edge to a node there is not.
    """
    if any(not 0 <= there < len(neighbours) for some in neighbours for there in some):
        raise ValueError("an edge leads to a node that is not there")
    found: list[tuple[int, ...]] = []
    left = steps_max
    for group in components(neighbours):
        for root in sorted(group):
            inside = {node for node in group if node >= root}
            left = _from(root, inside, neighbours, length_max, count_max, left, found)
            if left <= 0 or len(found) >= count_max:
                return Cycles(tuple(found[:count_max]), False)
    return Cycles(tuple(found), True)


def _from(
    root: int,
    inside: set[int],
    neighbours: Sequence[Sequence[int]],
    length_max: int,
    count_max: int,
    steps: int,
    found: list[tuple[int, ...]],
) -> int:
    """Add the cycles through `root` inside that set; the steps that are left."""
    back = _distances_to(root, inside, neighbours)
    path, trail = [root], [iter(neighbours[root])]
    on_path = {root}
    while trail and steps > 0 and len(found) < count_max:
        there = next(trail[-1], None)
        steps -= 1
        if there is None:
            trail.pop()
            on_path.discard(path.pop())
        elif there == root and len(path) > 1:
            found.append(tuple(path))
        elif (
            there in inside
            and there not in on_path
            # With `there` the path has one node more; from it the root is `back` edges away.
            and len(path) + back.get(there, length_max) <= length_max
        ):
            path.append(there)
            on_path.add(there)
            trail.append(iter(neighbours[there]))
    return steps


def _distances_to(
    root: int, inside: set[int], neighbours: Sequence[Sequence[int]]
) -> dict[int, int]:
    reversed_: dict[int, list[int]] = {}
    for node in inside:
        for there in neighbours[node]:
            if there in inside:
                reversed_.setdefault(there, []).append(node)
    distances, frontier = {root: 0}, [root]
    while frontier:
        following: list[int] = []
        for node in frontier:
            for before in reversed_.get(node, ()):
                if before not in distances:
                    distances[before] = distances[node] + 1
                    following.append(before)
        frontier = following
    return distances


def components(neighbours: Sequence[Sequence[int]]) -> list[list[int]]:
    """Strongly connected components of at least two nodes (Tarjan 1972), each sorted, by least."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    groups: list[list[int]] = []
    for start in range(len(neighbours)):
        if start in index:
            continue
        work = [(start, 0)]
        while work:
            node, edge = work.pop()
            if edge == 0:
                index[node] = low[node] = len(index)
                stack.append(node)
                on_stack.add(node)
            for place in range(edge, len(neighbours[node])):
                there = neighbours[node][place]
                if there not in index:
                    work += [(node, place + 1), (there, 0)]
                    break
                if there in on_stack:
                    low[node] = min(low[node], index[there])
            else:
                if low[node] == index[node]:
                    cut = stack.index(node)
                    group, stack[cut:] = stack[cut:], []
                    on_stack.difference_update(group)
                    if len(group) > 1:
                        groups.append(sorted(group))
                if work:
                    above = work[-1][0]
                    low[above] = min(low[above], low[node])
    return sorted(groups)
