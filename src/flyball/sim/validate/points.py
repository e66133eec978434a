"""How near does the data-sheet model come on models and accelerators it was not fitted on?

Nothing is fitted here: the engines' efficiencies stand in `data/efficiency.json`, found from the
rows that `split.py` lets a fit read. A measurement listed under two names counts once.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from flyball.dialects.benchlog import PointRow
from flyball.dialects.sheets import efficiencies
from flyball.model.hardware import Efficiency
from flyball.sim.calibrate import point_figures
from flyball.sim.physics import profile_of
from flyball.sim.validate.figures import Figure, Report, Tell
from flyball.sim.validate.split import shape_name, split_of

SERVER_ACCELERATORS = 8
OUTPUT_MEAN = 0.9  # of the nominal length: lengths are drawn evenly from its last fifth
SPLIT = (
    "efficiencies fitted on models and accelerators that the split rule gives to fitting; "
    "judged where the model, the accelerator or both are others"
)


def judge_points(rows: Sequence[PointRow], tell: Tell) -> Report:
    """TTFT and TPOT in a closed loop, and the E2E they make, of each point."""
    figures: list[Figure] = []
    left: Counter[str] = Counter()
    known = [row for row in rows if _left_out(row, left) == ""]
    kept = distinct(known)
    left["listed twice, under one name or two"] += len(known) - len(kept)
    for number, row in enumerate(kept):
        if number % 200 == 0:
            tell(f"{number} of {len(kept)} points")
        try:
            ttft, tpot = predicted(row, efficiencies()[row.engine])
        except ValueError:
            left["the weights or one request do not fit into memory as the row has it"] += 1
            continue
        figures += _figures(row, ttft, tpot)
    notes = [f"{count} points left out: {why}" for why, count in left.items() if count]
    return Report("points", SPLIT, figures, notes)


def _left_out(row: PointRow, left: Counter[str]) -> str:
    """Why a point cannot be judged, counted; "" if it can be tried."""
    why = ""
    if not row.model or not row.accelerator or row.engine not in efficiencies():
        why = "no data sheet of the model, accelerator or engine"
    elif row.layout.accelerators > SERVER_ACCELERATORS:
        why = "a replica larger than one server; such sizes count a whole deployment"
    left[why] += bool(why)
    return why


def _figures(row: PointRow, ttft: float, tpot: float) -> list[Figure]:
    group, split = f"{row.engine} {row.model} {row.precision} on {row.accelerator}", split_of(row)
    steps = row.output_tokens * OUTPUT_MEAN - 1.0
    return [
        Figure(group, split, "TTFT", ttft, row.ttft_s),
        Figure(group, split, "TPOT", tpot, row.tpot_s),
        Figure(group, split, "E2E", ttft + steps * tpot, row.ttft_s + steps * row.tpot_s),
    ]


def predicted(row: PointRow, reached: Efficiency) -> tuple[float, float]:
    """TTFT and TPOT of a point from the data sheets, seconds.

    Raises ValueError if the weights or one request do not fit into memory.
    """
    profile = profile_of(
        row.accelerator, row.model, row.layout, row.precision, efficiency=reached,
        seqs_max=max(8, row.concurrency),
    )  # fmt: skip
    ttft, tpot = point_figures(profile, row)
    return ttft + reached.held_steps * tpot, tpot


def distinct(rows: Iterable[PointRow]) -> list[PointRow]:
    """Each measurement once: a model listed under two names of one shape is one model.

    Raises KeyError for a row without a data sheet of its model.
    """
    found: dict[PointRow, PointRow] = {}
    for row in rows:
        found.setdefault(replace(row, model=shape_name(row.model)), row)
    return list(found.values())
