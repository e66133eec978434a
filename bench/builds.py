"""What does a benchmark of the twin show of both builds: the sources as they are, and compiled?

The same script runs once more, in a process of its own, with the other build in its path
(`--rows` prints the rows as JSON), and both stand side by side. `make bench BUILD=interpreted`
shows the sources alone; so does a benchmark where `make wheel` has not been run.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import report

ROWS_ALONE = "--rows"
OTHER = {"compiled": "interpreted", "interpreted": "compiled"}

Rows = list[dict[str, Any]]


def write(name: str, measure: Callable[[bool], Rows]) -> None:
    """Measure here and in the other build, and write both. `measure(alone)` makes the rows.

    `alone` = rows of rivals, which have no second build, may be left out. SystemExit 1 if the
    other build fails; the rows measured here are written all the same.
    """
    if ROWS_ALONE in sys.argv:
        print(json.dumps(measure(True)))
        return
    build = report.machine()["flyball"]
    rows = measure(False)
    if build == "interpreted":  # asked for, or there is no other
        report.write(name, rows)
        return
    try:
        others = other_rows(name)
    except subprocess.CalledProcessError as error:  # what was measured is kept all the same
        report.write(name, rows)
        print(f"bench: {name} failed in the other build, exit {error.returncode}", file=sys.stderr)
        raise SystemExit(1) from None
    report.write(name, side_by_side(rows, build, others))


def other_rows(name: str) -> Rows:
    """The rows of the sources as they are. Raises CalledProcessError if the benchmark fails."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    words = [sys.executable, str(Path(__file__).parent / f"bench_{name}.py"), ROWS_ALONE]
    done = subprocess.run(words, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def side_by_side(rows: Rows, build: str, others: Rows) -> Rows:
    """Each row, and below it the one of the same figure in the other build; rivals' stand alone."""
    by_figure = {row["figure"]: row for row in others}
    made: Rows = []
    for row in rows:
        other = by_figure.get(row["figure"])
        if other is None:
            made.append(row)
        else:
            made.append(row | {"figure": f"{row['figure']}, {build}"})
            made.append(other | {"figure": f"{row['figure']}, {OTHER[build]}"})
    return made
