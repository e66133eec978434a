"""What do the benches of margins and stress say? Writes margins.md and stress.md.

    python docs/results/make_diagnosis.py

Reads what bench_margins.py, bench_trigger.py and bench_stress.py left in bench/out; a part that was
not run is named with its command.
"""

import json
import runpy
from pathlib import Path

HERE = Path(__file__).parent
BENCH = HERE.parents[1] / "bench"
section = runpy.run_path(str(BENCH / "results.py"))["section"]

PARTS = {
    "The twin shares its structure with the plant": ("S1", "S2", "S3", "S4"),
    "Quiet courses of ten hours: every finding is a false one": (
        "still", "wave", "bursty", "steps", "tokens", "failures",
    ),
    "A twin of wrong parameters (telemetry 8 s old for 5, back-off a quarter too long)": (
        "S1-parameters", "S2-parameters", "S3-parameters", "S4-parameters",
    ),
    "Plants that the twin is not: other queue laws, loops it does not know": (
        "S2-saturating", "S4-saturating", "S2-slots", "S4-slots",
        "S2-leaving", "S4-leaving", "S2-chill", "S4-chill",
    ),
    "Cost of a look": ("cost",),
}  # fmt: skip
MARGINS = """# How early, how often falsely: margins

Made by `python docs/results/make_diagnosis.py` from `python bench/bench_margins.py` and
`python bench/bench_trigger.py`. Seed 2001; thresholds were fixed on seeds below 100. Harm =
over 2 % of tasks bad in ten minutes. Few runs: spreads are least and most, not quantiles.
"""
STRESS = """# What canaries and live routes can tell: stress

Made by `python docs/results/make_diagnosis.py` from `python bench/bench_stress.py` (one core, under
three minutes). Known effects, many draws. Intervals of the variance components of binary outcomes
are too narrow where a level has few calls: misses, shown as such; differences and effects are not
touched by that.
"""


def part(name: str, command: str) -> str:
    """One bench's table, or how to make it."""
    found = BENCH / "out" / f"{name}.json"
    if not found.is_file():
        return f"Not run: `{command}`.\n"
    return section(json.loads(found.read_text()))


def main() -> None:
    """Write both pages."""
    lines = [MARGINS]
    for title, names in PARTS.items():
        lines.append(f"## {title}\n")
        lines += [
            part(f"margins-{name}", f"python bench/bench_margins.py --only {name}")
            for name in names
        ]
    lines.append("## The longest spike of load that is come back from\n")
    lines.append(part("trigger", "python bench/bench_trigger.py"))
    (HERE / "margins.md").write_text("\n".join(lines))
    (HERE / "stress.md").write_text(STRESS + "\n" + part("stress", "python bench/bench_stress.py"))


if __name__ == "__main__":
    main()
