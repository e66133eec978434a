"""Do the logs of one gateway together tell a complete story of lawful decisions?

What no log can show alone: that every number given to a request has a record in one of them, and
that each decision had a living authority and follows from its own prices. Each log's own soundness
is the matter of `verify`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import merge

from msgspec import Struct

from flyball.governor.authority import Library
from flyball.ledger.checkpoint import parse
from flyball.ledger.entitled import Entitlement
from flyball.ledger.reask import Reask
from flyball.ledger.record import RecordError, decode
from flyball.ledger.redecide import how, problems
from flyball.ledger.runs import Runs
from flyball.ledger.tiles import ENTRIES, TILE_WIDTH, Read, TileError, tile_path, unpack
from flyball.ledger.verify import PROBLEMS_MAX
from flyball.model.decision import Intent, Record

_FREQUENT = (b'{"kind":"intent"', b'{"kind":"outcome"', b'{"kind":"turned-away"')


class Joint(Struct, frozen=True):
    """What was found. `decisions`: how many of each way (see `redecide.how`) were decided again;
    `policy`: of how many policy answers the same, otherwise, or is not at hand."""

    problems: tuple[str, ...]
    problems_count: int
    remarks: tuple[str, ...]
    decisions: dict[str, int]
    policy: dict[str, int] = {}


def stored_entries(read: Read, start: int = 0) -> Iterator[bytes]:
    """The entries under a log's checkpoint from about `start` on; what cannot be read is left out,
    as `verify.check_log` tells of it.

    Raises CheckpointError if there is no checkpoint.
    """
    size = parse((read("checkpoint") or b"").decode(errors="replace")).size
    for index in range(start // TILE_WIDTH, -(-size // TILE_WIDTH)):
        width = min(TILE_WIDTH, size - index * TILE_WIDTH)
        raw = read(tile_path(ENTRIES, index, width)) or read(tile_path(ENTRIES, index))
        try:
            yield from unpack(raw or b"")[:width]
        except TileError:
            continue


def judge_together(
    logs: Sequence[Read], starts: Sequence[int], library: Library | None = None
) -> Joint:
    """Read all logs, each from its start (0, or where its pruned part ends), twice.

    `library` = bundles by which policy is asked again; None = it is not.

    Raises CheckpointError if one of them has no checkpoint.
    """
    places = list(zip(logs, starts, strict=True))
    is_cut = any(starts)
    acts = (
        record for place in places for record in _records(*place, is_rare=True)
    )  # whatever log they stand in
    entitlement, runs = Entitlement(acts, is_cut), Runs(is_cut)
    reask = Reask(library) if library is not None else None
    found: list[str] = []
    count = 0
    ways: Counter[str] = Counter()
    for record in merge(*(_records(*place) for place in places), key=lambda record: record.at):
        runs.add(record)
        if not isinstance(record, Intent):
            continue
        ways[how(record)] += 1
        again = reask.problems(record) if reask is not None else ()
        for text in (*problems(record), *entitlement.check(record), *again):
            count += 1
            if len(found) < PROBLEMS_MAX:
                found.append(text)
    gaps = list(runs.gaps())
    midst = [gap.text for gap in gaps if not gap.at_end]
    return Joint(
        problems=(*found, *midst)[:PROBLEMS_MAX],
        problems_count=count + len(midst),
        remarks=(*(gap.text for gap in gaps if gap.at_end), *_not_at_hand(reask)),
        decisions=dict(ways),
        policy={}
        if reask is None
        else {"same": reask.same, "unlike": reask.unlike, "absent": reask.absent},
    )


def _not_at_hand(reask: Reask | None) -> Iterator[str]:
    for digests in sorted(reask.missing) if reask is not None else ():
        yield f"Policy was not asked again where {', '.join(digests)} decided: name it too."


def _records(read: Read, start: int, is_rare: bool = False) -> Iterator[Record]:
    for entry in stored_entries(read, start):
        if is_rare and entry.startswith(_FREQUENT):
            continue
        try:
            yield decode(entry)
        except RecordError:
            continue
