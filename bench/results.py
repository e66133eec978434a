"""Which page do the benchmarks' files make? (bench/out/*.json → docs/results/benchmarks.md)

    python bench/results.py

A benchmark that has not been run is named with its command, never left out.
"""

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "results" / "benchmarks.md"
HEAD = """\
# Benchmarks

Made by `python bench/results.py` from what `make bench` wrote. The rival stands in the same run;
`ratio` = how many times better ours is; spread = least and most over the rounds. Machines differ
and are shared: trust ratios. A budget that was missed says so.
"""


def main() -> None:
    """Write the page."""
    parts = [HEAD]
    for script in sorted(HERE.glob("bench_*.py")):
        name = script.stem.removeprefix("bench_")
        question = script.read_text().splitlines()[0].strip('"')
        parts.append(f"## {name}\n\n{question} `make bench ONLY={name}`\n")
        found = HERE / "out" / f"{name}.json"
        parts.append(section(json.loads(found.read_text())) if found.is_file() else "Not run.\n")
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n".join(parts))
    print(f"wrote {PAGE}", file=sys.stderr)


def section(document: dict[str, Any]) -> str:
    """One benchmark's table, under the machine it ran on."""
    machine = document["machine"]
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, "
        f"kernel {machine['kernel']}, {machine['date']}\n",
        "| figure | value | spread | rival | ratio | budget | met | note |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in document["rows"]:
        cells = [row["figure"], f"{shown(row['value'])} {row['unit']}", spread(row.get("spread"))]
        cells += [
            str(row.get("rival") or ""),
            shown(row.get("ratio")),
            str(row.get("budget") or ""),
        ]
        cells += [{True: "yes", False: "**no**"}.get(row.get("met"), ""), row.get("note") or ""]
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def spread(value: Any) -> str:
    """[least, most] as a range; anything else as it is."""
    if isinstance(value, list) and len(value) == 2:
        return f"{shown(value[0])}-{shown(value[1])}"
    return shown(value)


def shown(value: Any) -> str:
    """Three significant digits, thousands apart; nothing for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    main()
