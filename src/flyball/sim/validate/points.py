"""How near does the data-sheet model come on models and accelerators it was not fitted on?

Nothing is fitted here: the engines' efficiencies stand in `data/efficiency.json`. A point counts as
"fit" if its accelerator and model both belong to the training split named there.
"""

from collections import Counter
from collections.abc import Sequence

from flyball.dialects.benchlog import PointRow
from flyball.dialects.sheets import efficiencies, named
from flyball.sim.calibrate import point_medians
from flyball.sim.physics import profile_of
from flyball.sim.validate.figures import Figure, Report, Split, Tell

FIT_ACCELERATORS = frozenset({"B200", "H200-SXM"})
FIT_MODELS = frozenset(
    {"llama-3.1-70b", "minimax-m2.5", "deepseek-r1", "deepseek-v3", "qwen3-235b-a22b"}
)
SERVER_ACCELERATORS = 8
SPLIT = (
    "efficiencies fitted on B200 and H200 with "
    "Llama-3.1-70B, MiniMax-M2.5, DeepSeek-R1/V3 and Qwen3-235B; judged on all other pairs"
)


def split_of(row: PointRow) -> Split:
    """Whether a point belongs to the training split."""
    known = row.accelerator in FIT_ACCELERATORS and row.model in FIT_MODELS
    return "fit" if known else "judged"


def judge_points(rows: Sequence[PointRow], tell: Tell) -> Report:
    """Median TTFT and TPOT in a closed loop, and the E2E they make, of each point."""
    figures: list[Figure] = []
    left: Counter[str] = Counter()
    for number, row in enumerate(rows):
        if number % 200 == 0:
            tell(f"{number} of {len(rows)} points")
        if not row.model or not row.accelerator or row.engine not in efficiencies():
            left["no data sheet of the model, accelerator or engine"] += 1
            continue
        if row.layout.accelerators > SERVER_ACCELERATORS:
            left["a replica larger than one server; such sizes count a whole deployment"] += 1
            continue
        try:
            ttft, tpot = predicted(row)
        except ValueError:
            left["the weights or one request do not fit into memory as the row has it"] += 1
            continue
        group = f"{row.engine} {row.model} {row.precision} on {row.accelerator}"
        steps = row.output_tokens * 0.9 - 1.0
        figures += [
            Figure(group, split_of(row), "TTFT", ttft, row.ttft_s),
            Figure(group, split_of(row), "TPOT", tpot, row.tpot_s),
            Figure(
                group, split_of(row), "E2E", ttft + steps * tpot, row.ttft_s + steps * row.tpot_s
            ),
        ]
    notes = [f"{count} points left out: {why}" for why, count in left.items()]
    return Report("points", SPLIT, figures, notes)


def predicted(row: PointRow) -> tuple[float, float]:
    """Median TTFT and TPOT of a point from the data sheets, seconds."""
    profile = profile_of(
        row.accelerator, row.model, row.layout, row.precision, row.engine,
        seqs_max=max(8, row.concurrency),
    )  # fmt: skip
    ttft, tpot = point_medians(profile, row)
    return ttft + named(efficiencies(), row.engine, "engine").stream_s * row.concurrency, tpot
