"""How does a benchmark tell its figures: one table for people, one file for programs?

`write` is the whole interface. A row has these keys, all but the first three optional:

    figure  what was measured
    value   the median, in `unit`
    unit    a unit that holds `/s`, `/CPU-s` or is `x` counts upward; all others count downward
    spread  [least, most] over the rounds; a number or text is shown as it is
    rival   what it is compared with, and that one's own figure
    ratio   how many times better than the rival; 1 = the same
    budget  a number (its direction follows from the unit), or text such as ">= 25000"
    note    what a reader must know to trust it
"""

import json
import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flyball.governor import governor

OUT = Path(__file__).parent / "out"
KEYS = ("figure", "value", "unit", "spread", "rival", "ratio", "budget", "met", "note")
UPWARD_UNITS = ("/s", "/CPU-s")
_BUDGET = re.compile(r"\s*(<=|>=|<|>|≤|≥)\s*([0-9][0-9_,.e+]*)")


def write(name: str, rows: Sequence[dict[str, Any]]) -> Path:
    """Print the rows of a benchmark and keep them as `out/NAME.json`, whose path is returned.

    Raises ValueError for a row without a figure, or with a key that is not known.
    """
    whole = [_complete(row) for row in rows]
    here = machine()
    print(
        f"\n{name}: {here['cpu']}, {here['cores']} cores, Python {here['python']}, "
        f"Flyball {here['flyball']}\n"
    )
    print(table(whole), flush=True)
    OUT.mkdir(exist_ok=True)
    path = OUT / f"{name}.json"
    document = {"name": name, "machine": here, "rows": whole}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return path


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "flyball": "compiled" if governor.__file__.endswith(".so") else "interpreted",
        "kernel": platform.release(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def met(value: float | None, unit: str, budget: Any) -> bool | None:
    """Whether the value keeps the budget; None = there is no budget, or no value to judge."""
    if value is None or budget is None or budget == "":
        return None
    if isinstance(budget, str):
        found = _BUDGET.match(budget)
        if found is None:
            return None
        limit = float(found[2].replace(",", "").replace("_", ""))
        return value >= limit if found[1] in (">=", ">", "≥") else value <= limit
    is_upward = unit == "x" or any(part in unit for part in UPWARD_UNITS)
    return value >= budget if is_upward else value <= budget


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as aligned text; columns that no row fills are left out."""
    head = ["figure", "value", "unit", "spread", "rival", "ratio", "budget", "met", "note"]
    cells = [[_shown(row, key) for key in head] for row in rows]
    kept = [i for i in range(len(head)) if any(line[i] for line in cells)]
    lines = [[head[i] for i in kept], *([line[i] for i in kept] for line in cells)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(kept))]
    numeric = {head.index(key) for key in ("value", "ratio")}
    shown = []
    for line in lines:
        parts = [
            text.rjust(width) if column in numeric else text.ljust(width)
            for text, width, column in zip(line, widths, kept, strict=True)
        ]
        shown.append("  ".join(parts).rstrip())
    shown.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(shown)


def _complete(row: dict[str, Any]) -> dict[str, Any]:
    """The same row with all keys, and whether its budget is kept."""
    unknown = set(row) - set(KEYS)
    if unknown or not row.get("figure"):
        raise ValueError(f"a row needs a figure and knows {KEYS}; this one is {row}")
    whole = {key: row.get(key) for key in KEYS}
    whole["spread"] = (
        list(row["spread"]) if isinstance(row.get("spread"), tuple) else whole["spread"]
    )
    whole["met"] = met(whole["value"], str(whole["unit"] or ""), whole["budget"])
    return whole


def _shown(row: dict[str, Any], key: str) -> str:
    value = row[key]
    if value is None or value == "":
        return ""
    if key == "met":
        return "yes" if value else "NO"
    if key == "ratio" and isinstance(value, int | float):
        return f"{value:.2f}x"
    if key == "spread" and isinstance(value, list):
        return " .. ".join(number(one) for one in value)
    return number(value)


def number(value: Any) -> str:
    """A figure with as many digits as can be believed."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()
