"""Is a two-point difference between backends found with 1,000 paired calls, and told truly?

A simulation study: known effects, many draws; bias, coverage of the 95 % intervals, power.
"""

from typing import Any

import numpy as np

import report
from flyball.diagnosis.stress.canary import paired
from flyball.diagnosis.stress.mixed import LEAST, Model, components
from flyball.diagnosis.stress.power import Design, calls_needed
from flyball.diagnosis.stress.propensity import effects
from plants_drift import pairs, routed

SEED = 8_000
DRAWS = 2_000
DESIGNS: tuple[Design, ...] = ("unpaired", "paired", "common")
ROUTED_DRAWS = 300
ROUTED_ROWS = 40_000
MIXED_DRAWS = 40
BOOTSTRAP = 40


def paired_rows() -> list[dict[str, Any]]:
    """Pairs with common random numbers at the planned size."""
    count = calls_needed(0.02, "common")
    rows: list[dict[str, Any]] = [
        {
            "figure": f"calls per backend for {100 * effect:.0f} points, {design}",
            "value": calls_needed(effect, design),
            "unit": "calls",
            "budget": 1000 if (effect, design) == (0.02, "common") else None,
            "note": "80 % power",
        }
        for effect in (0.01, 0.02, 0.05)
        for design in DESIGNS
    ]
    for base, effect in ((0.85, 0.02), (0.95, 0.02), (0.6, 0.05)):
        rng = np.random.default_rng(SEED)
        found = [paired(*pairs(rng, count, base, effect, 0.8)) for _ in range(DRAWS)]
        rows += _judged(f"paired, {100 * base:.0f} %, -{100 * effect:.0f} points", found, -effect)
        seen = float(np.mean([one.high < 0.0 for one in found]))
        rows.append(
            {
                "figure": f"paired, {100 * base:.0f} %: seen",
                "value": 100 * seen,
                "unit": "% of draws",
            }
        )
    return rows


def routed_rows() -> list[dict[str, Any]]:
    """Live routes with 5 % drawn at random."""
    rng = np.random.default_rng(SEED + 1)
    found = [routed(rng, ROUTED_ROWS) for _ in range(ROUTED_DRAWS)]
    told = [(effects(routes), truth) for routes, truth in found]
    rows: list[dict[str, Any]] = []
    for name in ("doubly", "inverse", "naive"):
        each = [getattr(one, name) for one, _ in told]
        rows += _judged(f"routes, {name}", each, float(np.mean([truth for _, truth in told])))
    for row in rows[4:]:
        row["budget"] = None  # means are wrong, which is what they stand here for
    return rows


def _judged(name: str, found: list[Any], truth: float) -> list[dict[str, Any]]:
    values = np.array([one.value for one in found])
    covered = 100 * float(np.mean([one.low <= truth <= one.high for one in found]))
    bias = 100 * float(values.mean() - truth)
    return [
        {
            "figure": f"{name}: bias",
            "value": abs(bias),
            "unit": "points",
            "spread": (
                100 * float(np.quantile(values, 0.05)),
                100 * float(np.quantile(values, 0.95)),
            ),
            "budget": 0.3,
            "note": f"true {100 * truth:+.2f}",
        },
        {
            "figure": f"{name}: coverage of 95 % intervals",
            "value": covered,
            "unit": "% (93 to 97)",
            "budget": ">= 93" if covered <= 97 else "<= 97",
        },
    ]


def mixed_rows() -> list[dict[str, Any]]:
    """Variance components: coverage of their intervals."""
    rng = np.random.default_rng(SEED + 2)
    truth = {"prompt": 2.5**2, "backend": 0.3**2, "load": 0.3**2, "transition": 1e-8}
    prompt = np.repeat(np.arange(150), 16)
    backend = np.tile(np.arange(8), 300)
    columns = {
        "prompt": prompt,
        "backend": backend,
        "load": backend * 3 + rng.integers(0, 3, prompt.size),
        "transition": backend * 8 + rng.integers(0, 8, prompt.size),
    }
    inside: dict[str, list[bool]] = {name: [] for name in truth}
    alarms = []
    for _ in range(MIXED_DRAWS):
        outcome = Model(columns).draw(truth, 1.0, 2.5, rng)
        for one in components(columns, outcome, rng, draws=BOOTSTRAP).factors:
            inside[one.factor].append(one.low <= truth[one.factor] <= one.high)
            if one.factor == "transition":
                alarms.append(one.low > 0.0)
    rows = [
        {
            "figure": f"variance of {name}: coverage",
            "value": 100 * float(np.mean(hits)),
            "unit": "% (93 to 97)" if truth[name] > LEAST else "% (one-sided, 95 at least)",
            "budget": ">= 93" if truth[name] <= LEAST or np.mean(hits) <= 0.97 else "<= 97",
        }
        for name, hits in inside.items()
    ]
    return [
        *rows,
        {
            "figure": "transition stress said where there is none",
            "value": 100 * float(np.mean(alarms)),
            "unit": "% of draws",
        },
    ]


def main() -> None:
    """Print and keep the table."""
    report.write("stress", [*paired_rows(), *routed_rows(), *mixed_rows()])


if __name__ == "__main__":
    main()
