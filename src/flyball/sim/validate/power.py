"""Are watts and joules per token predicted for batches, and for models, left out of the fit?

New batch: for each configuration the curve watts(batch) and the time per token a + b x batch are
fitted on every second batch size and judged on the others. New model: watts of an accelerator are
idle + TDP x (c0 + c1 x memory use + c2 x compute use), with use from the data-sheet step time; the
three constants, and one for the speed, are fitted per accelerator on all other models.
"""

import math
from collections.abc import Sequence

import numpy as np

from flyball.dialects.benchlog import PowerRow, architecture_of
from flyball.dialects.sheets import accelerators, architectures
from flyball.model.hardware import Layout
from flyball.model.profile import PowerCurve
from flyball.sim.fit import Floats, fit
from flyball.sim.physics import profile_of
from flyball.sim.validate.figures import Figure, Report, Tell

CONTEXT_TOKENS = 500.0  # mean tokens of a chat held per sequence, assumed
SEQS_MAX = 4096
Group = tuple[str, str, int, str]


def judge_power(rows: Sequence[PowerRow], tell: Tell) -> Report:
    """Watts per accelerator and joules per output token."""
    groups: dict[Group, list[PowerRow]] = {}
    for row in rows:
        if row.accelerator:
            key = (row.model, row.accelerator, row.count, row.precision)
            groups.setdefault(key, []).append(row)
    figures: list[Figure] = []
    notes: list[str] = []
    for own in groups.values():
        own.sort(key=lambda row: row.batch)
        if len(own) >= 5:
            figures += _new_batch(own)
    tell(f"{len(groups)} configurations")
    figures += _new_model(groups, notes)
    if len(groups) < len({(r.model, r.accelerator, r.count, r.precision) for r in rows}):
        notes.append("configurations on accelerators without a data sheet are left out")
    split = "every second batch size (new batch), every model in turn (new model) left out"
    return Report("power", split, figures, notes)


def fitted_curve(rows: Sequence[PowerRow]) -> PowerCurve:
    """Watts of one accelerator over batch: full watts and half batch by least squares."""
    chip = accelerators()[rows[0].accelerator]
    batch = np.array([row.batch for row in rows])
    watts = np.array([row.watts / row.count for row in rows])

    def draw(x: Floats) -> Floats:
        return chip.idle_watts + (x[0] - chip.idle_watts) * batch / (batch + x[1])

    start = np.array([float(watts.max()), 5.3])
    full, half = fit(draw, watts, start, scale=0.05).values
    return PowerCurve(chip.idle_watts, float(full), float(half))


def _new_batch(rows: Sequence[PowerRow]) -> list[Figure]:
    known, asked = rows[::2], rows[1::2]
    curve = fitted_curve(known)
    step = np.array([row.batch / row.tokens_per_s for row in known])
    batch = np.array([row.batch for row in known])
    slope, base = np.polyfit(batch, step, 1, w=1.0 / step)
    figures: list[Figure] = []
    for row in asked:
        watts = curve.watts(row.batch)
        joules = watts * row.count * (base + slope * row.batch) / row.batch
        figures += [
            Figure(f"new batch on {row.accelerator}", "judged", "watts", watts,
                   row.watts / row.count),
            Figure(f"new batch on {row.accelerator}", "judged", "J/token", float(joules),
                   row.joules_per_token),
        ]  # fmt: skip
    return figures


def _new_model(groups: dict[Group, list[PowerRow]], notes: list[str]) -> list[Figure]:
    used: list[tuple[PowerRow, Floats, float]] = []
    for (model, accelerator, count, precision), rows in groups.items():
        name = architecture_of(model)
        if not name:
            notes.append(f"{model}: no data sheet of the model; not judged as a new model")
            continue
        for row in rows:
            used.append((row, *uses(row, name, accelerator, count, precision)))
    figures: list[Figure] = []
    for accelerator in dict.fromkeys(row.accelerator for row, _, _ in used):
        own = [one for one in used if one[0].accelerator == accelerator]
        for model in dict.fromkeys(architecture_of(row.model) for row, _, _ in own):
            others = [one for one in own if architecture_of(one[0].model) != model]
            if len(others) < 10:
                continue
            constants = _constants(others)
            ratios = [math.log(row.tokens_per_s / speed) for row, _, speed in others]
            pace = math.exp(float(np.median(ratios)))
            for row, use, speed in own:
                if architecture_of(row.model) == model:
                    figures += _both(row, float(_watts(row, use) @ constants), speed * pace)
    return figures


def uses(
    row: PowerRow, model: str, accelerator: str, count: int, precision: str
) -> tuple[Floats, float]:
    """(1, memory use, compute use) of a decode step at the row's batch, and its tokens/s."""
    chip, shape = accelerators()[accelerator], architectures()[model]
    layout = Layout(1, count) if shape.experts and count > 1 else Layout(count)
    profile = profile_of(
        accelerator, model, layout, precision, "vllm", seqs_max=SEQS_MAX, kv_tokens_max=1 << 24
    )
    seconds = profile.decode_step_s(row.batch, row.batch * CONTEXT_TOKENS)
    touched = 1.0 - (1.0 - shape.experts_active / max(1, shape.experts)) ** row.batch
    cold = shape.expert_weights * (1.0 - touched) / count
    read = shape.weight_bytes(precision) / count - cold
    active = shape.attention_weights + shape.dense_weights
    active += shape.expert_weights * shape.experts_active / max(1, shape.experts)
    computed = 2.0 * active * row.batch / count
    memory = read / seconds / chip.memory_bytes_s
    compute = computed / seconds / chip.flops(precision)
    return np.array([1.0, min(memory, 1.0), min(compute, 1.0)]), row.batch / seconds


def _watts(row: PowerRow, use: Floats) -> Floats:
    """The terms of the watts of one accelerator, one per constant, after the idle watts."""
    return accelerators()[row.accelerator].tdp_watts * use


def _constants(known: Sequence[tuple[PowerRow, Floats, float]]) -> Floats:
    """Least squares of relative errors."""
    idle = accelerators()[known[0][0].accelerator].idle_watts
    watts = np.array([row.watts / row.count for row, _, _ in known])
    terms = np.array([_watts(row, use) for row, use, _ in known])
    found = np.linalg.lstsq(terms / watts[:, None], (watts - idle) / watts, rcond=None)[0]
    return np.asarray(found, dtype=np.float64)


def _both(row: PowerRow, above_idle: float, speed: float) -> list[Figure]:
    chip = accelerators()[row.accelerator]
    watts = min(max(chip.idle_watts + above_idle, chip.idle_watts), chip.tdp_watts)
    group = f"new model on {row.accelerator}"
    return [
        Figure(group, "judged", "watts", watts, row.watts / row.count),
        Figure(group, "judged", "J/token", watts * row.count / speed, row.joules_per_token),
    ]
