"""How many decisions per second does the ledger make durable, and what does one cost its caller?

Run: python bench/bench_ledger.py. Records are intents with eight candidates and their outcomes, as
a gateway over eight endpoints writes them; the folder stands on the disk of the working directory.
"""

import os
import shutil
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from time import perf_counter, sleep

import msgspec

import report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from flyball.ledger.record import encode
from flyball.ledger.verify import check_log
from flyball.model.decision import Record
from flyball.serve.log.reader import open_log
from flyball.serve.log.store import LedgerStore, Pushback
from support import records

ROUNDS = 5
RECORDS = 100_000
T0 = 1_763_600_000.0

CANDIDATES = tuple(
    records.candidate(
        f"h100-paris-{i}",
        ttft_s=0.0873 + 0.0111 * i,
        tpot_s=0.0121 + 0.0007 * i,
        cached_tokens=512 * i,
        lateness_usd=1.234567e-5 * i,
        externality_usd=2.345678e-6 * i,
        resource_usd=3.456789e-5,
        total_usd=3.456789e-5 + 1.469e-5 * i,
        propensity=1.0 if i == 0 else 0.0,
    )
    for i in range(8)
)
INTENT = records.intent(
    at=T0,
    principal="team-search",
    class_name="interactive",
    session="team-search/2f1c6a5e-9f5e-4a55-8c7e-0d6c5f0b7b11",
    tokens_offered=1834,
    tokens_kept=1834,
    output_tokens_max=512,
    endpoint="h100-paris-0",
    candidates=CANDIDATES,
    candidates_count=8,
    board_version=412,
    board_age_s=1.734211,
    view_age_s=0.012345,
)
OUTCOME = records.outcome(
    INTENT, at=T0 + 2.9, output_tokens=211, ttft_s=0.093112, e2e_s=2.711834, cost_usd=1.02e-4
)


def pairs(count: int) -> list[Record]:
    """Intents and outcomes in turn, each with its own id and time."""
    found: list[Record] = []
    for number in range(count // 2):
        at = T0 + number * 1e-3
        name = f"req_{int(at * 1000):011x}{number:06x}"
        found.append(msgspec.structs.replace(INTENT, id=name, at=at))
        found.append(msgspec.structs.replace(OUTCOME, id=name, at=at + 2.9))
    return found


def push(call: Callable[[], None]) -> None:
    """Call until the queue has room."""
    while True:
        try:
            return call()
        except Pushback:
            sleep(0.001)


def durable_per_s(folder: Path, encoded: list[list[bytes]] | None, found: list[Record]) -> float:
    """Records made durable per second, from the first append to the last acknowledgement."""
    store = LedgerStore(folder)
    began = perf_counter()
    if encoded is None:
        for record in found:
            push(lambda record=record: store.append(record))
    else:
        for batch in encoded:
            push(lambda batch=batch: store.append_encoded(batch))
    while store.acked < store.next_index:
        sleep(0.0005)
    taken_s = perf_counter() - began
    lost = store.close()
    if lost:
        raise SystemExit(f"{lost} records were not written: is the disk full?")
    return len(found) / taken_s


def append_us(folder: Path, found: list[Record]) -> tuple[float, float]:
    """(append, encode alone) in microseconds per call, the writer's thread at rest."""
    store = LedgerStore(folder, queue_max=len(found) + 1, linger_s=60.0)
    sleep(0.1)
    both, alone = [], []
    for start in range(0, 900, 90):  # below a batch in all, so that the writer is not woken
        part = found[start : start + 90]
        began = perf_counter()
        for record in part:
            store.append(record)
        middle = perf_counter()
        for record in part:
            encode(record)
        both.append((middle - began) / len(part) * 1e6)
        alone.append((perf_counter() - middle) / len(part) * 1e6)
    store.close()
    return statistics.median(both), statistics.median(alone)


def pauses_ms(store: LedgerStore | None, found: list[Record], per_s: float) -> list[float]:
    """How long a thread that appends `per_s` records a second is kept from going on, sorted.

    Without a store it only encodes them: what is left is the machine's own noise.
    """
    keep = store.append if store is not None else encode
    gaps: list[float] = []
    due = last = perf_counter()
    for record in found[: int(per_s * 2)]:
        while True:
            now = perf_counter()
            gaps.append((now - last) * 1e3)
            last = now
            if now >= due:
                break
        due += 1.0 / per_s
        keep(record)
        last = perf_counter()
    if store is not None:
        store.close()
    return sorted(gaps)


def row(figure: str, values: list[float], unit: str, budget: str = "", note: str = "") -> dict:
    """One row of the report: the median, and the range as the spread."""
    middle = statistics.median(values)
    return {
        "figure": figure,
        "value": middle,
        "unit": unit,
        "spread": f"{min(values):.4g} to {max(values):.4g}",
        "rival": "",
        "ratio": "",
        "budget": budget,
        "note": note,
    }


def measure(root: Path) -> list[dict]:
    """All rows."""
    found = pairs(RECORDS)
    data = [encode(record) for record in found]
    batches = [data[i : i + 500] for i in range(0, len(data), 500)]
    fresh = iter(range(1000))

    def folder() -> Path:
        return root / str(next(fresh))

    whole, encoded, calls, encodes = [], [], [], []
    for number in range(ROUNDS):
        print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
        whole.append(durable_per_s(folder(), None, found))
        encoded.append(durable_per_s(folder(), batches, found))
        both_us, encode_us = append_us(folder(), found)
        calls.append(both_us - encode_us)
        encodes.append(encode_us)
    log = open_log(root / "0")
    began = perf_counter()
    check_log(log.read)
    check_s = perf_counter() - began
    finds = []
    for record in found[::20_000]:
        began = perf_counter()
        log.find(record.id)
        finds.append((perf_counter() - began) * 1e3)
    began = perf_counter()
    LedgerStore(root / "0").close()
    opened_ms = (perf_counter() - began) * 1e3
    gaps = pauses_ms(LedgerStore(folder()), found, 20_000.0)
    noise = pauses_ms(None, found, 20_000.0)
    quiet = f"without the ledger: {sum(gap > 1 for gap in noise)}, longest {noise[-1]:.1f} ms"
    size = statistics.mean(map(len, data))
    share = f"{size:.0f} bytes per record"
    pinned = "2 s at 20,000 records/s from a thread that never waits"
    return [
        row("durable appends, encoding included", whole, "1/s", ">= 50000", share),
        row("durable appends, encoded elsewhere", encoded, "1/s", ">= 50000", share),
        row("append() without encoding", calls, "us", "<= 1.5"),
        row("encoding one record", encodes, "us"),
        row("pauses of the caller over 1 ms", [sum(gap > 1 for gap in gaps)], "in 2 s", "", quiet),
        row("pause of the caller, longest", [gaps[-1]], "ms", "", pinned),
        row("open again after a clean close", [opened_ms], "ms", "", f"{RECORDS} records"),
        row("find one id", finds, "ms", "", f"{RECORDS} records"),
        row("check the whole log", [RECORDS / check_s], "1/s"),
    ]


def main() -> None:
    """Measure in a folder that is removed again."""
    root = Path(mkdtemp(prefix=".ledger-bench-", dir=os.getcwd()))
    try:
        report.write("ledger", measure(root))
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
