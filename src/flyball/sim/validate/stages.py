"""Does one profile per model, accelerator and parallelism predict loads it was not fitted on?

Each stage is judged by a profile fitted on the others of its model. Overloaded stages, in
which requests failed, are left out: their times are those of the client's time limit.
"""

from collections.abc import Sequence

from flyball.dialects.benchlog import StageRow
from flyball.sim.calibrate import stage_means, to_stages
from flyball.sim.physics import profile_of
from flyball.sim.validate.figures import Figure, Report, Tell


def judge_stages(rows: Sequence[StageRow], tell: Tell) -> Report:
    """Mean TTFT, time per output token and E2E of each stage; the start is the data sheet."""
    notes: list[str] = []
    kept = [row for row in rows if row.failed == 0 and row.model and row.accelerator]
    if len(kept) < len(rows):
        notes.append(f"{len(rows) - len(kept)} stages left out: failed requests, or unknown names")
    groups: dict[tuple[str, str, int], list[StageRow]] = {}
    for row in kept:
        groups.setdefault((row.model, row.accelerator, row.tensor), []).append(row)
    figures: list[Figure] = []
    for (model, accelerator, tensor), own in groups.items():
        name = f"{model} on {tensor} x {accelerator}"
        if len(own) < 3:
            notes.append(f"{name}: fewer than three stages, nothing to judge on")
            continue
        figures += _left_out(name, own)
        tell(f"{name}: {len(own)} stages")
    if not figures:
        raise ValueError("no model has three stages without failed requests")
    split = "each stage judged by a profile fitted on the other stages of its model"
    return Report("stages", split, figures, notes)


def _left_out(name: str, rows: list[StageRow]) -> list[Figure]:
    first = rows[0]
    start = profile_of(
        first.accelerator, first.model, first.tensor, "bf16", "vllm",
        seqs_max=first.seqs_max, step_tokens_max=first.step_tokens_max,
    )  # fmt: skip
    figures: list[Figure] = []
    for row in rows:
        found = to_stages(start, [other for other in rows if other is not row])
        ttft, e2e = stage_means(found.profile, row)
        steps = row.output_tokens - 1.0
        figures += [
            Figure(name, "judged", "TTFT mean", ttft, row.ttft_s),
            Figure(
                name, "judged", "TPOT mean", (e2e - ttft) / (round(row.output_tokens) - 1.0),
                (row.e2e_s - row.ttft_s) / steps,
            ),
            Figure(name, "judged", "E2E mean", e2e, row.e2e_s),
        ]  # fmt: skip
    return figures
