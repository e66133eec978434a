"""How large is a proof in a log of 10^9 records, what does it cost, and how soon is it cosigned?

Run: python bench/bench_proofs.py. The tree is synthetic (tiles are computed as they are asked for,
outside of what is timed); proofs are timed in CPU time of their thread, as nothing in them waits.
Witnesses are three HTTP servers on this machine, each with its own disk writes, timed by the clock.
"""

import asyncio
import os
import random
import shutil
import statistics
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from time import thread_time
from typing import Any

import aiohttp
import msgspec

import report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from flyball.ledger.proof import growth, parse_proof, prove
from flyball.ledger.tree import range_root, verify_consistency
from flyball.ledger.trust import Trust, trust_of
from flyball.serve.log.store import LedgerStore
from flyball.serve.witness.collect import Collector
from support import records
from support.signers import LOG, ORIGIN, WITNESS_KEYS, WITNESSES, signed
from support.synthetic import SyntheticTree
from support.witnesses import witness_on

SIZE = 10**9
PLACES = 200
ROUNDS = 20
SEED = 7
CPU = "CPU time"
TRUST = trust_of([LOG.key], WITNESS_KEYS[:3], 2)


def remembered(tree: SyntheticTree, use: Callable[[Callable[[str], bytes | None]], Any]) -> dict:
    """The tiles that `use` reads, as a cache would hold them."""
    held: dict[str, bytes | None] = {}

    def read(path: str) -> bytes | None:
        held[path] = tree.read(path)
        return held[path]

    use(read)
    return held


def inclusion() -> dict[str, list[float]]:
    """Bytes of the whole proof, CPU ms to make it from tiles, CPU ms to verify it all."""
    chosen = random.Random(SEED).sample(range(SIZE), PLACES)
    tree = SyntheticTree(SIZE, chosen)
    note = signed(SIZE, tree.root, *WITNESSES[:3])
    found: dict[str, list[float]] = {"bytes": [], "made": [], "verified": []}
    for index in chosen:
        held = remembered(tree, lambda read, at=index: prove(at, note, read))
        begun = thread_time()
        text = prove(index, note, held.get).text()
        made = thread_time()
        parse_proof(text).verify(tree.leaf(index), TRUST)
        found["verified"].append((thread_time() - made) * 1e3)
        found["made"].append((made - begun) * 1e3)
        found["bytes"].append(len(text.encode()))
    return found


def consistency() -> dict[str, list[float]]:
    """The same of growth from a random size: CPU ms to make the proof, ms to verify it."""
    chosen = random.Random(SEED + 1).sample(range(1, SIZE), PLACES)
    tree = SyntheticTree(SIZE, chosen)
    found: dict[str, list[float]] = {"made": [], "verified": []}
    for old in chosen:
        held = remembered(tree, lambda read, at=old: growth(at, SIZE, read))
        root = range_root(0, old, tree.subtree)
        begun = thread_time()
        proof = growth(old, SIZE, held.get)
        made = thread_time()
        verify_consistency(old, SIZE, proof, root, tree.root)
        found["verified"].append((thread_time() - made) * 1e3)
        found["made"].append((made - begun) * 1e3)
    return found


def cosigned(root: Path, is_one_dead: bool) -> list[float]:
    """Seconds from a claimed checkpoint to a quorum of 2 of 3 kept on disk, round after round."""
    found = []
    with ExitStack() as stack:
        logs = {ORIGIN: [LOG.key]}
        urls = [
            stack.enter_context(witness_on(root / f"w{i}", [WITNESSES[i]], logs)).url
            for i in range(3)
        ]
        if is_one_dead:
            urls[0] = "http://127.0.0.1:9"
        trust = _at(urls)
        for number in range(ROUNDS):
            _grow(root / "log", number)
            found.append(asyncio.run(_round(root / "log", trust)))
    return found


def _at(urls: list[str]) -> Trust:
    pairs = zip(TRUST.witnesses, urls, strict=True)
    moved = tuple(msgspec.structs.replace(one, url=url) for one, url in pairs)
    return msgspec.structs.replace(TRUST, witnesses=moved)


def _grow(folder: Path, number: int) -> None:
    store = LedgerStore(folder, origin=ORIGIN, signers=[LOG])
    for place in range(1_000):
        store.append(records.config(number * 1_000 + place))
    store.close()


async def _round(folder: Path, trust: Trust) -> float:
    async with aiohttp.ClientSession() as session:
        one = await Collector(folder, trust, session, 2.0).collect(
            (folder / "checkpoint").read_text()
        )
    if not one.has_quorum:
        raise SystemExit(f"no quorum: {one.failures}")
    return one.taken_s


def row(figure: str, values: list[float], unit: str, budget: str = "", note: str = "") -> dict:
    """One row: the median, and the range as the spread."""
    return {
        "figure": figure,
        "value": statistics.median(values),
        "unit": unit,
        "spread": [min(values), max(values)],
        "budget": budget,
        "note": note,
    }


def main() -> None:
    """Measure; witnesses and their log stand in a folder that is removed again."""
    one, grown = inclusion(), consistency()
    root = Path(mkdtemp(prefix=".proof-bench-", dir=os.getcwd()))
    try:
        whole, dead = cosigned(root / "a", False), cosigned(root / "b", True)
    finally:
        shutil.rmtree(root)
    where = f"{PLACES} random records of 10^9"
    report.write(
        "proofs",
        [
            row("whole proof, 3 cosignatures", one["bytes"], "bytes", "<= 2500", where),
            row("inclusion made from tiles", one["made"], "ms", "<= 5", CPU),
            row(
                "inclusion and signatures verified",
                one["verified"],
                "ms",
                "<= 0.5",
                f"4 signatures; {CPU}",
            ),
            row("consistency made from tiles", grown["made"], "ms", "<= 5", CPU),
            row("consistency verified", grown["verified"], "ms", "<= 0.5", CPU),
            row("2 of 3 cosigned and kept", whole, "s", "<= 2", f"{ROUNDS} rounds, on loopback"),
            row("2 of 3 cosigned, one witness dead", dead, "s", "<= 2"),
        ],
    )


if __name__ == "__main__":
    main()
