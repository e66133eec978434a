"""How rare are false alarms of drift, how soon is a change seen, and what does watching cost?

Seeds below 1,000 chose the constants (slot, bets, looked-for shifts); the seeds here judge. Run
length: minutes over alarms of runs that end at their first alarm. Delay: minutes from the change to
the alarm, median [10 %, 90 %], over runs that were quiet before it. River's ADWIN and Page-Hinkley
see the same minutes, one detector per route share, in an environment of their own.
"""

import json
import subprocess
import time
from typing import Any

import numpy as np

import report
import rivals
from flyball.diagnosis.drift.attribution import attribute
from flyball.diagnosis.drift.streams import Bank, Group, Stream, Watch
from plants_drift import MEMORY, ROUTES, layers, mixes

SEED = 5_000
RUNS, NULL_TICKS = 96, 30_000
SHIFT_RUNS, SHIFT_TICKS = 64, 500
OFFSETS = (100, 113, 121)
RIVAL_RUNS, RIVAL_TICKS = 8, 15_000
BUDGETS = {0.03: None, 0.06: "<= 50", 0.12: "<= 30"}
PARTS = tuple(f"route-{i}" for i in range(ROUTES))
RIVAL_CODE = """
import json, sys
import numpy as np
from river import drift
KINDS = {
    "ADWIN 0.002": lambda: drift.ADWIN(delta=0.002),
    "ADWIN 1e-5": lambda: drift.ADWIN(delta=1e-5),
    "Page-Hinkley": lambda: drift.PageHinkley(delta=0.005, threshold=0.5),
}
courses = np.load(sys.argv[1])
found = {}
for name, made in KINDS.items():
    firsts = []
    for course in courses:
        ones = [made() for _ in range(course.shape[1])]
        first = -1
        for tick, shares in enumerate(course):
            hit = False
            for one, share in zip(ones, shares):
                one.update(float(share))
                hit = hit or one.drift_detected
            if hit:
                first = tick
                break
        firsts.append(first)
    found[name] = firsts
print(json.dumps(found))
"""


def firsts(seed: int, runs: int, ticks: int, shift: float = 0.0, at: int = 0) -> np.ndarray:
    """The first tick of alarm of each run after learning; `ticks` = there was none."""
    watch = Watch()
    names = [Stream(name=str(i), layer="control", parts=PARTS) for i in range(runs)]
    group = Group(names, watch)
    found = np.full(runs, ticks)
    course = mixes(
        np.random.default_rng(seed), runs, watch.learning + ticks, shift, watch.learning + at
    )
    for tick, counts in enumerate(course):
        group.sums[:] = counts
        group.weights[:] = counts.sum(axis=1)
        group.close()
        late = tick - watch.learning
        if late >= 0:
            found[(group.evidence >= watch.run_length) & (found == ticks)] = late
    return found


def run_length(found: np.ndarray, ticks: int) -> tuple[float, list[float]]:
    """Mean run length and its rough 95 % interval (Poisson count of alarms)."""
    alarms = max(1, int((found < ticks).sum()))
    whole = float((found + 1).sum())
    return whole / alarms, [
        whole / (alarms + 2 * alarms**0.5 + 1),
        whole / max(1, alarms - 2 * alarms**0.5),
    ]


def delays(shift: float) -> np.ndarray:
    """Minutes to the alarm; those that never came count as infinite."""
    each = []
    for at in OFFSETS:
        found = firsts(SEED + int(1000 * shift) + at, SHIFT_RUNS, SHIFT_TICKS, shift, at)
        late = np.where(found < SHIFT_TICKS, found - at + 1.0, np.inf)
        each.append(late[found >= at])
    return np.concatenate(each)


def quantiles(late: np.ndarray) -> list[Any]:
    """10 % and 90 %, as text where an alarm never came."""
    return [
        x if np.isfinite(x) else f"> {SHIFT_TICKS}"
        for x in np.quantile(late, (0.1, 0.9), method="lower")
    ]


def rival_rows() -> list[dict[str, Any]]:
    """River's detectors on the same kind of courses."""
    try:
        folder = rivals.environment("river")
    except rivals.Missing as reason:
        return [{"figure": "river", "value": None, "unit": "", "note": str(reason)}]
    path = report.OUT / "drift_courses.npy"
    report.OUT.mkdir(exist_ok=True)

    def asked(seed: int, runs: int, ticks: int, shift: float = 0.0, at: int = 0) -> dict[str, Any]:
        course = np.stack(list(mixes(np.random.default_rng(seed), runs, ticks, shift, at)), axis=1)
        np.save(path, course / course.sum(axis=2, keepdims=True))
        words = [str(folder / "bin" / "python"), "-c", RIVAL_CODE, str(path)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    rows = []
    null = asked(SEED, RIVAL_RUNS, RIVAL_TICKS)
    changed = {x: asked(SEED + 7, 16, 1500, x, 1000) for x in BUDGETS}
    path.unlink()
    for name, found in null.items():
        first = np.array([one if one >= 0 else RIVAL_TICKS for one in found])
        length, spread = run_length(first, RIVAL_TICKS)
        rows.append(
            {
                "figure": f"{name}: run length",
                "value": length,
                "unit": "min (more is better)",
                "spread": spread,
            }
        )
        for shift, all_found in changed.items():
            quiet = [one for one in all_found[name] if one < 0 or one >= 1000]
            late = np.array([one - 999.0 if one >= 0 else np.inf for one in quiet])
            middle = float(np.median(late)) if late.size else np.inf
            rows.append(
                {
                    "figure": f"{name}: delay of {100 * shift:.0f} points",
                    "value": middle if np.isfinite(middle) else None,
                    "unit": "min",
                    "note": f"{late.size} of 16 runs quiet for 1,000 min before the change",
                }
            )
    return rows


def attribution_row() -> dict[str, Any]:
    """How often the layer that was changed comes first."""
    rng = np.random.default_rng(SEED)
    right = []
    for i in range(200):
        changed = ("control", "inference", "model", "outcome")[i % 4]
        size = rng.uniform(0.1, 0.3)
        before = layers(rng, 4000, "", 0.0)
        shares = attribute(
            ("control", "inference", "model"), before, layers(rng, 4000, changed, size), rng, 2
        )
        right.append(shares[0].layer == changed)
    return {
        "figure": "layer that changed comes first",
        "value": 100 * float(np.mean(right)),
        "unit": "% (more is better)",
        "budget": ">= 90",
        "note": "200 changes of 10-30 points, 4,000 rows before and after",
    }


def cost_row() -> dict[str, Any]:
    """CPU of 200 streams that get numbers each 10 s, both detectors at work."""
    watch = Watch(learning=4_320)
    names = [Stream(name=str(i), layer="control", parts=PARTS) for i in range(200)]
    bank = Bank(names, watch)
    rng = np.random.default_rng(1)
    counts = rng.multinomial(20, SHARES_FLAT, size=(64, 200)).astype(float)

    def minute() -> None:
        for part in range(6):
            for i, stream in enumerate(names):
                bank.add(stream.name, counts[(part * 7 + i) % 64, i], 20.0)
        bank.tick()

    for _ in range(watch.learning):
        for i, stream in enumerate(names):
            bank.add(stream.name, counts[i % 64, i], 20.0)
        bank.tick()
    each = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(20):
            minute()
        each.append((time.process_time() - began) / 20 / 60 * 100)
    return {
        "figure": "200 streams of 6 shares at a 10 s period",
        "value": float(np.median(each)),
        "unit": "% of a core",
        "spread": (min(each), max(each)),
        "budget": 1.0,
    }


SHARES_FLAT = np.full(ROUTES, 1 / ROUTES)


def main() -> None:
    """Print and keep the table."""
    found = firsts(SEED, RUNS, NULL_TICKS)
    length, spread = run_length(found, NULL_TICKS)
    rows: list[dict[str, Any]] = [
        {
            "figure": "both detectors: run length",
            "value": length,
            "unit": "min (more is better)",
            "spread": spread,
            "budget": ">= 10000",
            "note": f"AR(1) noise of {MEMORY} min, {RUNS} runs",
        }
    ]
    for shift, budget in BUDGETS.items():
        late = delays(shift)
        rows.append(
            {
                "figure": f"both detectors: delay of {100 * shift:.0f} points",
                "value": float(np.median(late)),
                "unit": "min",
                "spread": quantiles(late),
                "budget": budget,
                "note": f"{late.size} runs",
            }
        )
    rows += [attribution_row(), cost_row(), *rival_rows()]
    report.write("drift", rows)


if __name__ == "__main__":
    main()
