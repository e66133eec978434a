"""Is the largest load that meets a latency limit predicted, and are systems ranked as measured?

MLPerf Inference, Server scenario: Poisson arrivals, limits on p99 TTFT and p99 time per token; the
first is taken as met by a steady batch. The best result of each (edition, engine, accelerator,
model) counts, per accelerator. One constant per engine and edition, the geometric mean of
measured / predicted, is fitted on the *other* results.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flyball.dialects.benchlog import CapacityRow
from flyball.dialects.sheets import efficiencies
from flyball.model.profile import Profile
from flyball.sim.physics import profile_of
from flyball.sim.validate.figures import Figure, Report, Tell, pairs_ranked

# Mean input and output tokens. Outputs: tokens over samples of the results themselves; inputs are
# what is commonly stated of these data sets, not checked.
LENGTHS = {
    "llama-2-70b": (294, 291),  # OpenOrca
    "mixtral-8x7b": (300, 146),  # OpenOrca, GSM8K, MBXP
    "llama-3.1-8b": (778, 129),  # CNN/DailyMail
    "llama-3.1-405b": (9400, 654),  # LongBench, LongDataCollections, Ruler, GovReport
    "deepseek-r1": (800, 3681),  # reasoning sets, long answers
}
TAIL = 1.35  # p99 over mean of the time per token, as in the submitted logs near their limits
SEQS_MAX = 2048
_NARROW = ("B200", "GB200", "B300")  # submitted in 4 bits; the others in 8


class Best(NamedTuple):
    """The best measured result of one pair, and the capacity predicted before any constant."""

    engine: str
    accelerator: str
    model: str
    measured: float
    predicted: float


def judge_capacity(rows: Sequence[CapacityRow], tell: Tell) -> Report:
    """Tokens per second and accelerator in the Server scenario, and the ranking of pairs."""
    best, notes = _best(rows), []
    found: list[Best] = []
    for (engine, accelerator, model), row in best.items():
        known = engine.partition(" ")[0]
        if known not in efficiencies() or model not in LENGTHS:
            continue
        guess = capacity(row, known)
        if guess <= 0:
            notes.append(f"{engine} {model} on {accelerator}: no rate meets the limits; left out")
            continue
        found.append(Best(engine, accelerator, model, row.tokens_per_s / row.count, guess))
        tell(f"{engine} {model} on {accelerator}: {guess:,.0f} of {found[-1].measured:,.0f} tok/s")
    figures = [one for result in found for one in _judged(result, found, notes)]
    right, count = pairs_ranked((one.predicted, one.measured) for one in figures)
    if count:
        notes.append(f"ranking: {right} of {count} pairs as measured ({right / count:.1%})")
    split = "constant of each engine fitted on its other accelerators (else its other models)"
    return Report("mlperf", split, figures, notes)


def _best(rows: Sequence[CapacityRow]) -> dict[tuple[str, str, str], CapacityRow]:
    best: dict[tuple[str, str, str], CapacityRow] = {}
    for row in rows:
        if row.scenario != "server" or not row.model or not row.accelerator or row.count < 1:
            continue
        key = (f"{row.engine} {row.edition}".strip(), row.accelerator, row.model)
        old = best.get(key)
        if old is None or row.tokens_per_s / row.count > old.tokens_per_s / old.count:
            best[key] = row
    return best


def _judged(result: Best, found: Sequence[Best], notes: list[str]) -> list[Figure]:
    same = [one for one in found if one.engine == result.engine]
    others = [one for one in same if one.accelerator != result.accelerator]
    others = others or [one for one in same if one.model != result.model]
    if not others:
        notes.append(f"{result.engine}: only {result.model} on {result.accelerator}; not judged")
        return []
    constant = math.exp(float(np.mean([math.log(one.measured / one.predicted) for one in others])))
    name = f"{result.engine} {result.model} on {result.accelerator}"
    return [
        Figure(name, "judged", "tokens/s per accelerator", result.predicted * constant,
               result.measured)
    ]  # fmt: skip


def capacity(row: CapacityRow, engine: str) -> float:
    """Output tokens/s per accelerator of the best steady batch within the limits; 0 = none.

    Fluid limit: each step decodes b sequences and computes the prompts of those that replace them,
    b x inputs / outputs tokens, so b tokens come out per step.
    """
    inputs, outputs = LENGTHS[row.model]
    profile = smallest_replica(row.accelerator, row.model, engine)
    if profile is None:
        return 0.0
    limits = profile.limits
    seqs_max = min(limits.seqs_max, limits.kv_tokens_max // (inputs + outputs))
    best = 0.0
    for seqs in np.unique(np.geomspace(1, max(1, seqs_max), 200).round()):
        prompt = float(seqs) * inputs / outputs
        if seqs + prompt > limits.step_tokens_max:
            break
        held = float(seqs) * (inputs + outputs / 2.0)
        step_s = profile.mixed_step_s(float(seqs), held, prompt, prompt * inputs / 2.0)
        if step_s * TAIL <= row.tpot_s_max:
            best = max(best, float(seqs) / step_s)
    return best / profile.accelerators


def smallest_replica(accelerator: str, model: str, engine: str) -> Profile | None:
    """The fewest accelerators (1, 2, 4, 8) whose memory the weights leave half free for KV."""
    precision = "fp4" if accelerator in _NARROW else "fp8"
    for count in (1, 2, 4, 8):
        try:
            profile = profile_of(accelerator, model, count, precision, engine, seqs_max=SEQS_MAX)
        except ValueError:
            continue
        needed = 64 * sum(LENGTHS[model])
        if profile.limits.kv_tokens_max >= needed or count == 8:
            return profile
    return None
