"""How early does the margin watch warn, how often falsely, and what does a look cost?

Ramps S1-S4 and quiet courses on the stochastic test plant; ramps with a twin of wrong parameters,
and on plants whose queue law or loops the twin does not have. Thresholds were fixed on runs of
seeds below 100; those here were not looked at before. Each part is a table of its own:
`python bench/bench_margins.py [--copies N] [--only PART ...]`; about 15 s of one core a run of ten
hours.
"""

import argparse
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import report
from flyball.diagnosis.finding import Finding
from flyball.diagnosis.margins import fluid, margins, watch
from flyball.diagnosis.margins.whatif import safe, settle
from flyball.sim.incidents import plant_runs
from flyball.sim.incidents.plant_laws import Laws

SEED = 2001
UNLIKE = {
    "saturating": Laws(queue="saturating"),
    "slots": Laws(queue="slots"),
    "leaving": Laws(leaving=0.2),
    "chill": Laws(chill=0.2),
}
# Delay of telemetry 8 s for 5 and back-off a quarter too long: what commissioning may get wrong.
WRONG = {"age": 8.0, "backoff_low": 3.75, "backoff_high": 13.75}
PAIR = {"FB-503", "FB-504"}
TWIN = {"FB-501", "FB-502", "FB-508"}


def minutes(lead_s: float) -> float:
    return lead_s / 60.0


def told_before(run: plant_runs.Run, known: dict[str, float] | None = None) -> tuple[Finding, ...]:
    """What the watch tells until ten minutes after harm."""
    end_s = run.signals.end_s if run.harm_s is None else run.harm_s + 600.0
    return watch.over(run.signals.between(0.0, end_s), known)


def ramp_rows(name: str, copies: int, plant: str = "") -> Iterator[dict[str, Any]]:
    truth = plant_runs.RAMPS[name]
    runs = plant_runs.ramp(name, copies, SEED, UNLIKE.get(plant))
    leads: dict[str, list[float]] = {"any": [], "twin": [], "pair": []}
    right = early = harmed = doubted = 0
    for run in runs:
        if run.harm_s is None:
            continue
        harmed += 1
        every = told_before(run, WRONG if plant == "parameters" else None)
        doubted += any(one.code == "FB-505" for one in every)
        told = [one for one in every if one.code in TWIN | PAIR]
        for who, codes in (("any", TWIN | PAIR), ("twin", TWIN), ("pair", PAIR)):
            at = next((one.at for one in told if one.code in codes), None)
            leads[who].append(np.nan if at is None else minutes(run.harm_s - at))
        early += bool(told) and told[0].at < run.began_s
        right += bool(told) and told[0].loops[0] in truth.loops
    label = f"{name} {plant}".strip()
    for who, values in leads.items():
        known = [value for value in values if np.isfinite(value)]
        yield {
            "figure": f"{label}: lead before harm, {who}",
            "value": float(np.median(known)) if known else None,
            "unit": "min",
            "spread": (min(known), max(known)) if known else None,
            "budget": ">= 60" if who == "any" else "",
            "note": f"{len(known)} of {harmed} told, {copies} runs"
            + (
                f"; first loop right {right}; before the ramp {early}; twin doubted {doubted}"
                if who == "any"
                else ""
            ),
        }


def quiet_row(name: str, copies: int) -> dict[str, Any]:
    runs = [run for run in plant_runs.quiet(name, copies, SEED) if run.harm_s is None]
    told = [[one.code for one in watch.over(run.signals)] for run in runs]
    days = sum(run.signals.end_s for run in runs) / 86_400.0
    count = sum(len(codes) for codes in told)
    return {
        "figure": f"quiet, {name}: findings",
        "value": float(count),
        "unit": "findings",
        "budget": "<= 0",
        "note": f"{days:.1f} days without harm; {sorted({code for one in told for code in one})}",
    }


def cost_rows() -> Iterator[dict[str, Any]]:
    knobs = fluid.theta()
    rest, _ = settle(fluid.TWIN, fluid.start(knobs), knobs)
    wide = fluid.TWIN.scaled(knobs, "load", np.linspace(1.0, 1.2, 20))
    for figure, act, budget in (
        (
            "20 what-ifs, one batch",
            lambda: safe(fluid.TWIN, np.repeat(rest, 20, axis=1), wide),
            "<= 1",
        ),
        ("all margins, searched", lambda: margins.margins(fluid.TWIN, rest, knobs), ""),
    ):
        spent = []
        for _ in range(5):
            begin = time.process_time()
            act()
            spent.append(time.process_time() - begin)
        yield {
            "figure": figure,
            "value": float(np.median(spent)),
            "unit": "s",
            "spread": (min(spent), max(spent)),
            "budget": budget,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    parts = [*plant_runs.RAMPS, *plant_runs.QUIET, "cost"]
    parts += [f"{ramp}-parameters" for ramp in plant_runs.RAMPS]
    parts += [f"{ramp}-{plant}" for plant in UNLIKE for ramp in ("S2", "S4")]
    whole: list[dict[str, Any]] = []
    for part in asked.only or parts:
        ramp, _, plant = part.partition("-")
        begin = time.process_time()
        if part == "cost":
            rows = list(cost_rows())
        elif ramp in plant_runs.RAMPS:
            rows = list(ramp_rows(ramp, asked.copies, plant))
        else:
            rows = [quiet_row(part, asked.copies)]
        whole += rows
        report.write(f"margins-{part}", rows)
        print(f"{part}: {time.process_time() - begin:.0f} s", flush=True)
    if not asked.only:
        report.write("margins", whole)


if __name__ == "__main__":
    main()
