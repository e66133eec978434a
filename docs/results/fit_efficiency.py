"""How much of its data sheet does each engine reach? (Writes src/flyball/data/efficiency.json.)

    python docs/results/fit_efficiency.py [ENGINE ...]            fit, and write
    python docs/results/fit_efficiency.py --folds [ENGINE ...]    only print leave-one-out errors

Reads only the rows that `sim/validate/split.py` gives to fitting, and of those a sample in which no
configuration outweighs the others. TPOT counts in full and TTFT at a seventh. Starts, which also
hold the fit (their spread is that of a logarithm), are orders of magnitude from data sheets and the
literature, not earlier fits. The forms a model may take are compared by `--folds`: each model, and
each accelerator, of the fitting rows is left out in turn and predicted from the rest.
"""

import json
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec.structs import replace

from flyball.cli.benchfiles import read_table
from flyball.dialects.benchlog import PointRow, point_rows
from flyball.dialects.sheets import efficiencies
from flyball.model.hardware import Efficiency
from flyball.sim.fit import fit
from flyball.sim.validate.points import OUTPUT_MEAN, SERVER_ACCELERATORS, distinct, predicted
from flyball.sim.validate.split import SALT, fit_part, shape_name

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("FLYBALL_DATA", ROOT.parent / "shared" / "data"))
SAMPLE = 120
TTFT_WEIGHT = 0.15
# Start, and the spread of its logarithm: kernels reach 80-90 % of memory bandwidth, and half of the
# peak in large products; host times of the order of BLIS's trained constants (inference-sim).
START: dict[str, tuple[float, float]] = {
    "memory": (0.85, 0.15), "kv": (0.8, 0.2), "compute": (0.5, 0.2), "expert_rows": (64.0, 0.7),
    "attention": (0.4, 0.3), "link": (0.5, 0.4), "link_short": (0.3, 0.7), "layer_s": (3e-5, 0.7),
    "expert_layer_s": (2e-5, 1.0), "step_s": (3e-4, 1.0), "seq_s": (5e-6, 1.0),
    "collective_s": (5e-6, 1.0), "request_s": (0.03, 1.0), "held_steps": (2.0, 1.0),
}  # fmt: skip
NAMES = tuple(START)


def readable(engine: str) -> list[PointRow]:
    """The engine's rows that a fit may read and the model can predict."""
    rows = fit_part(point_rows(read_table(DATA / "silicon_e2e")[1], "silicon_e2e"))
    able: list[PointRow] = []
    for row in distinct(rows):
        if row.engine == engine and row.layout.accelerators <= SERVER_ACCELERATORS:
            try:
                predicted(row, started(engine))
            except ValueError:
                continue
            able.append(row)
    return able


def started(engine: str) -> Efficiency:
    """The engine's entry with the starts in place of what was fitted before."""
    values = {name: value for name, (value, _) in START.items()}
    return replace(efficiencies()[engine], **values)


def sampled(rows: Sequence[PointRow]) -> list[PointRow]:
    """At most `SAMPLE` rows, drawn in turn from each (model, accelerator, precision, layout)."""
    rng = np.random.default_rng(0)
    groups: dict[str, list[PointRow]] = defaultdict(list)
    for i in rng.permutation(len(rows)):
        row = rows[i]
        groups[f"{shape_name(row.model)} {row.accelerator} {row.precision} {row.layout}"].append(
            row
        )
    turns = max((len(own) for own in groups.values()), default=0)
    order = [own[turn] for turn in range(turns) for own in groups.values() if turn < len(own)]
    return order[:SAMPLE]


def fitted(engine: str, rows: Sequence[PointRow]) -> Efficiency:
    """The engine's efficiencies from a sample of `rows`."""
    start, sample = started(engine), sampled(rows)

    def predict(values: np.ndarray) -> np.ndarray:
        trial = replace(start, **dict(zip(NAMES, values.tolist(), strict=True)))
        both = np.array([predicted(row, trial) for row in sample])
        return np.concatenate([both[:, 1], both[:, 0]])

    found = fit(
        predict,
        np.array([row.tpot_s for row in sample] + [row.ttft_s for row in sample]),
        np.array([value for value, _ in START.values()]),
        prior=np.array([spread for _, spread in START.values()]),
        weights=np.repeat([1.0, TTFT_WEIGHT], len(sample)),
        rounds=4,
    )
    for name, value, error in zip(NAMES, found.values, found.errors, strict=True):
        print(f"  {name:16} {value:10.4g} ± {error:.0%}", file=sys.stderr)
    rounded = {n: float(f"{v:.4g}") for n, v in zip(NAMES, found.values, strict=True)}
    models = ", ".join(sorted({row.model for row in rows}))
    chips = ", ".join(sorted({row.accelerator for row in rows}))
    source = (
        f"fitted on {models} on {chips} (split rule, salt {SALT}): silicon sample of "
        "ai-dynamo/aiconfigurator (Apache-2.0)"
    )
    return replace(start, **rounded, source=source)


def folds(engine: str, rows: Sequence[PointRow]) -> None:
    """Print the errors of each model, then each accelerator, predicted from the others."""
    errors: dict[str, list[float]] = defaultdict(list)
    for part in (lambda row: shape_name(row.model), lambda row: row.accelerator):
        for name in sorted({part(row) for row in rows}):
            rest = [row for row in rows if part(row) != name]
            if len(rest) < len(NAMES):
                continue
            reached = fitted(engine, rest)
            own: dict[str, list[float]] = defaultdict(list)
            for row in (row for row in rows if part(row) == name):
                ttft, tpot = predicted(row, reached)
                steps = row.output_tokens * OUTPUT_MEAN
                own["TTFT"].append(ttft / row.ttft_s - 1)
                own["TPOT"].append(tpot / row.tpot_s - 1)
                total = row.ttft_s + steps * row.tpot_s
                own["E2E"].append((ttft + steps * tpot) / total - 1)
            print(f"{engine} without {name}: {_summary(own)}")
            for figure, values in own.items():
                errors[figure] += values
    print(f"{engine}: {_summary(errors)}")


def _summary(errors: dict[str, list[float]]) -> str:
    return ", ".join(
        f"{figure} {np.median(np.abs(values)):.1%} ({np.median(values):+.1%})"
        for figure, values in errors.items()
    )


def main() -> None:
    """Fit the engines named, or all, and write each as soon as it is found."""
    engines = [one for one in sys.argv[1:] if one != "--folds"] or list(efficiencies())
    file = ROOT / "src" / "flyball" / "data" / "efficiency.json"
    for engine in engines:
        rows = readable(engine)
        print(f"{engine}: {min(SAMPLE, len(rows))} of {len(rows)} points", file=sys.stderr)
        if "--folds" in sys.argv:
            folds(engine, rows)
            continue
        found = fitted(engine, rows)
        body = json.loads(file.read_text())
        body = [
            json.loads(msgspec.json.encode(found)) if one["engine"] == engine else one
            for one in body
        ]
        file.write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
