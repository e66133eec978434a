"""Are watts and joules per token predicted for batches, and for models, left out of the fit?

New batch: for each configuration the curve watts(batch) and the time per token a + b x batch are
fitted on every second batch size and judged on the others.

New model: a step takes p times the data-sheet time plus q per sequence of the batch (sampling and
streaming on the host: q is the same for all). The watts of an accelerator are idle + TDP x (c0 + c1
x memory use + c2 x sqrt(compute use)), with use from that time. p and q are fitted on all rows, c0
to c2 per accelerator, in each case on models of the fitting side (`split.py`) other than the
predicted one. The form was chosen by leaving out one model of that side at a time.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flyball.dialects.benchlog import PowerRow, architecture_of
from flyball.dialects.sheets import accelerators, architectures
from flyball.model.hardware import WEIGHT_BYTES, Layout
from flyball.model.profile import PowerCurve
from flyball.sim.fit import Floats, fit
from flyball.sim.physics import profile_of
from flyball.sim.validate.figures import Figure, Report, Tell
from flyball.sim.validate.split import model_split, shape_name

CONTEXT_TOKENS = 500.0  # mean tokens of a chat held per sequence, assumed
SEQS_MAX = 4096
FIT_ROWS = 10  # fewer rows of other models say too little
HOST_S = 2e-5  # start of q
Group = tuple[str, str, int, str]


class Used(NamedTuple):
    """A row with a known model: shape, data-sheet step time (s), bytes and FLOP of a step."""

    row: PowerRow
    model: str
    shape: str
    step_s: float
    read_bytes: float
    computed_flop: float
    peak_flops: float


class Speed(NamedTuple):
    """p, and q in seconds per sequence."""

    pace: float
    host_s: float

    def seconds(self, one: Used) -> float:
        """Time of a step."""
        return self.pace * one.step_s + self.host_s * one.row.batch


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
    split = (
        "every second batch size (new batch) or the model (new model) left out of the constants; "
        "the models under `fit` also took part in the choice of form"
    )
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
        seconds = float(base + slope * row.batch)
        figures += _both("new batch", row, curve.watts(row.batch), seconds)
    return figures


def _both(kind: str, row: PowerRow, watts: float, step_s: float) -> list[Figure]:
    """Watts of one accelerator and joules per token of a step of `step_s` seconds."""
    group, split = f"{kind} on {row.accelerator}", model_split(architecture_of(row.model))
    joules = watts * row.count * step_s / row.batch
    return [
        Figure(group, split, "watts", watts, row.watts / row.count),
        Figure(group, split, "time per token", step_s, row.batch / row.tokens_per_s),
        Figure(group, split, "J/token", joules, row.joules_per_token),
    ]


def _new_model(groups: dict[Group, list[PowerRow]], notes: list[str]) -> list[Figure]:
    used: list[Used] = []
    for (model, accelerator, count, precision), rows in groups.items():
        if name := architecture_of(model):
            used += [needs(row, name) for row in rows]
        else:
            notes.append(
                f"{model} in {precision} on {count} x {accelerator}: no data sheet of the model; "
                "not judged as a new model"
            )
    figures: list[Figure] = []
    for shape in dict.fromkeys(one.shape for one in used):
        others = [one for one in used if one.shape != shape]
        known = [one for one in others if model_split(one.model) == "fit"]
        known = known if len(known) >= FIT_ROWS else others
        if len(known) < FIT_ROWS:
            notes.append(f"{shape}: fewer than {FIT_ROWS} rows of other models to fit on")
            continue
        speed = _speed(known)
        for chip in dict.fromkeys(one.row.accelerator for one in used if one.shape == shape):
            same = [one for one in known if one.row.accelerator == chip]
            if len(same) < FIT_ROWS:
                notes.append(f"{shape}: fewer than {FIT_ROWS} rows of other models on {chip}")
                continue
            constants = _constants(same, speed)
            for one in used:
                if one.shape == shape and one.row.accelerator == chip:
                    seconds = speed.seconds(one)
                    watts = _watts(one, float(_terms(one, seconds) @ constants))
                    figures += _both("new model", one.row, watts, seconds)
    return figures


def needs(row: PowerRow, model: str) -> Used:
    """What a decode step at the row's batch needs of one accelerator, by the data sheets."""
    chip, shape = accelerators()[row.accelerator], architectures()[model]
    layout = Layout(1, row.count) if shape.experts and row.count > 1 else Layout(row.count)
    profile = profile_of(
        row.accelerator, model, layout, row.precision, "vllm",
        seqs_max=SEQS_MAX, kv_tokens_max=1 << 24,
    )  # fmt: skip
    seconds = profile.decode_step_s(row.batch, row.batch * CONTEXT_TOKENS)
    touched = 1.0 - (1.0 - shape.experts_active / max(1, shape.experts)) ** row.batch
    idle_experts = shape.expert_weights * (1.0 - touched) * WEIGHT_BYTES[row.precision]
    active = shape.attention_weights + shape.dense_weights
    active += shape.expert_weights * shape.experts_active / max(1, shape.experts)
    return Used(
        row, model, shape_name(model), seconds,
        (shape.weight_bytes(row.precision) - idle_experts) / row.count,
        2.0 * active * row.batch / row.count, chip.flops(row.precision),
    )  # fmt: skip


def _speed(known: Sequence[Used]) -> Speed:
    model = np.array([one.step_s for one in known])
    batch = np.array([one.row.batch for one in known])
    measured = np.array([one.row.batch / one.row.tokens_per_s for one in known])

    def draw(x: Floats) -> Floats:
        return x[0] * model + x[1] * batch

    pace, host_s = fit(draw, measured, np.array([1.0, HOST_S])).values
    return Speed(float(pace), float(host_s))


def _terms(one: Used, seconds: float) -> Floats:
    """1, memory use and the root of compute use, times TDP: one per constant."""
    chip = accelerators()[one.row.accelerator]
    memory = min(1.0, one.read_bytes / seconds / chip.memory_bytes_s)
    compute = min(1.0, one.computed_flop / seconds / one.peak_flops)
    return chip.tdp_watts * np.array([1.0, memory, compute**0.5])


def _constants(known: Sequence[Used], speed: Speed) -> Floats:
    """Least squares of relative errors of the watts above idle."""
    idle = accelerators()[known[0].row.accelerator].idle_watts
    watts = np.array([one.row.watts / one.row.count for one in known])
    terms = np.array([_terms(one, speed.seconds(one)) for one in known])
    found = np.linalg.lstsq(terms / watts[:, None], (watts - idle) / watts, rcond=None)[0]
    return np.asarray(found, dtype=np.float64)


def _watts(one: Used, above_idle: float) -> float:
    chip = accelerators()[one.row.accelerator]
    return min(max(chip.idle_watts + above_idle, chip.idle_watts), chip.tdp_watts)
