"""How much of its data sheet does each engine reach? (Writes src/flyball/data/efficiency.json.)

`python docs/results/fit_efficiency.py [ENGINE ...]` fits the shares and overheads of each engine to
a sample of the points of the training split named in `sim/validate/points.py`, TPOT at full weight
and TTFT at a seventh, from the values now in the file, which also hold the fit (`PRIORS`).
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from flyball.cli.benchfiles import read_table
from flyball.dialects.benchlog import PointRow, point_rows
from flyball.dialects.sheets import efficiencies
from flyball.model.hardware import Efficiency
from flyball.sim.calibrate import point_medians
from flyball.sim.fit import fit
from flyball.sim.physics import profile_of
from flyball.sim.validate.points import SPLIT, split_of

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("FLYBALL_DATA", ROOT.parent / "shared" / "data"))
SAMPLE = 80
TTFT_WEIGHT = 0.15
PRIORS = {
    "memory": 0.25, "kv": 0.2, "compute": 0.25, "expert_rows": 1.0, "variety": 0.25,
    "attention": 0.5, "link": 0.3, "link_short": 0.7, "layer_s": 1.0, "expert_layer_s": 1.0,
    "step_s": 1.0, "seq_s": 1.0, "collective_s": 1.0, "corner": 0.3, "request_s": 1.0,
    "stream_s": 1.0,
}  # fmt: skip


def medians(row: PointRow, reached: Efficiency) -> tuple[float, float]:
    """Predicted median TTFT and TPOT of a point under these efficiencies, seconds."""
    profile = profile_of(
        row.accelerator, row.model, row.layout, row.precision, efficiency=reached,
        seqs_max=max(8, row.concurrency),
    )  # fmt: skip
    ttft, tpot = point_medians(profile, row)
    return ttft + reached.stream_s * row.concurrency, tpot


def fitted(engine: str, rows: Sequence[PointRow]) -> Efficiency:
    """The engine's efficiencies from a sample of its points in the training split."""
    start = efficiencies()[engine]
    able: list[PointRow] = []
    for row in rows:
        if row.engine == engine and row.model and row.accelerator and split_of(row) == "fit":
            try:
                medians(row, start)
            except ValueError:
                continue
            able.append(row)
    picked = np.random.default_rng(0).permutation(len(able))[:SAMPLE]
    sample = [able[i] for i in sorted(picked)]
    print(f"{engine}: {len(sample)} of {len(able)} points", file=sys.stderr)

    def predict(values: np.ndarray) -> np.ndarray:
        trial = replace(start, **dict(zip(PRIORS, values.tolist(), strict=True)))
        both = np.array([medians(row, trial) for row in sample])
        return np.concatenate([both[:, 1], both[:, 0]])

    found = fit(
        predict,
        np.array([row.tpot_s for row in sample] + [row.ttft_s for row in sample]),
        np.array([getattr(start, name) for name in PRIORS]),
        prior=np.array(list(PRIORS.values())),
        weights=np.repeat([1.0, TTFT_WEIGHT], len(sample)),
        rounds=3,
    )
    for name, value, error in zip(PRIORS, found.values, found.errors, strict=True):
        print(f"  {name:16} {value:10.4g} ± {error:.0%}", file=sys.stderr)
    rounded = {n: float(f"{v:.4g}") for n, v in zip(PRIORS, found.values, strict=True)}
    source = f"{SPLIT.partition(';')[0]}: silicon sample of ai-dynamo/aiconfigurator (Apache-2.0)"
    return replace(start, **rounded, source=source)


def main() -> None:
    """Fit the engines named, or all, and write each as soon as it is found."""
    rows = point_rows(read_table(DATA / "silicon_e2e")[1], "silicon_e2e")
    file = ROOT / "src" / "flyball" / "data" / "efficiency.json"
    for engine in sys.argv[1:] or list(efficiencies()):
        found = fitted(engine, rows)
        body = json.loads(file.read_text())
        body = [
            {name: getattr(found, name) for name in one} if one["engine"] == engine else one
            for one in body
        ]
        file.write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
