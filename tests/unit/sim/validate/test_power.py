"""Are watts fitted as a curve of batch, and judged only on what was left out?"""

import pytest
from msgspec.structs import replace

from flyball.dialects.benchlog import PowerRow
from flyball.model.profile import PowerCurve
from flyball.sim.validate.figures import lines
from flyball.sim.validate.power import fitted_curve, judge_power, needs

CURVE = PowerCurve(200.0, 680.0, 7.0)


def silent(text: str) -> None:
    del text


def made(batch: float, model: str = "Llama-3.1-8B") -> PowerRow:
    speed = batch / (0.007 + 0.0001 * batch)
    watts = CURVE.watts(batch)
    return PowerRow(model, "H100-SXM", 1, "bf16", batch, watts, 0.01, speed, watts / speed)


def test_a_curve_is_found_again() -> None:
    found = fitted_curve([made(b) for b in (4, 8, 32, 128, 400)])
    assert found.full_watts == pytest.approx(680, rel=0.02)
    assert found.half_batch == pytest.approx(7, rel=0.1)


def test_batches_left_out_are_met() -> None:
    report = judge_power([made(b) for b in (4, 8, 16, 32, 64, 128, 256)], silent)
    found = {one.figure: one for one in lines(report.figures)}
    assert found["watts"].rows == 3
    assert found["watts"].worst < 0.03
    assert found["J/token"].worst < 0.03


def test_a_model_nobody_knows_is_not_judged_as_new() -> None:
    rows = [
        made(b, model) for b in (4, 8, 16, 32, 64, 128) for model in ("Llama-3.1-8B", "Zebra-1")
    ]
    report = judge_power(rows, silent)
    assert any("Zebra-1" in note for note in report.notes)


def test_needs_rise_with_batch() -> None:
    few, many = (needs(made(batch), "llama-3.1-8b") for batch in (4, 256))
    assert few.computed_flop * 64 == pytest.approx(many.computed_flop)
    assert few.read_bytes == many.read_bytes  # a dense model reads all its weights
    assert many.step_s > few.step_s
    sparse, full = (needs(made(batch), "qwen3-30b-a3b").read_bytes for batch in (1, 512))
    assert sparse < 0.3 * full


def like_the_form(batch: float, model: str, pace: float, host_s: float) -> PowerRow:
    """A row that follows the form exactly: p, q, and watts of 0.2, 0.3, 0.4 of the TDP."""
    row = made(batch, model)
    one = needs(row, model.lower())
    seconds = pace * one.step_s + host_s * batch
    memory = min(1.0, one.read_bytes / seconds / 3.35e12)
    compute = min(1.0, one.computed_flop / seconds / 989e12)
    watts = 200.0 + 700.0 * (0.2 + 0.2 * memory + 0.2 * compute**0.5)
    speed = batch / seconds
    return replace(row, tokens_per_s=speed, watts=watts, joules_per_token=watts / speed)


def test_a_model_left_out_is_met_where_the_form_holds() -> None:
    names = ("Qwen3-8B", "Qwen3-30B-A3B", "Llama-3.1-8B")
    rows = [like_the_form(b, name, 1.2, 4e-5) for name in names for b in (4, 16, 64, 128, 256)]
    found = {
        (one.split, one.figure): one.worst
        for one in lines(judge_power(rows, silent).figures)
        if one.group == "new model on H100-SXM"
    }
    assert found["judged", "time per token"] < 0.03
    assert found["judged", "watts"] < 0.03
    assert found["judged", "J/token"] < 0.05


def test_what_judges_says_nothing_to_the_constants() -> None:
    names = ("Qwen3-8B", "Qwen3-30B-A3B", "Llama-3.1-8B", "Qwen3-14B")
    rows = [like_the_form(b, name, 1.2, 4e-5) for name in names for b in range(8, 248, 20)]
    spoilt = [replace(r, watts=999.0) if r.model == "Llama-3.1-8B" else r for r in rows]
    before, after = (judge_power(one, silent).figures for one in (rows, spoilt))
    told = [
        (a.predicted, b.predicted)
        for a, b in zip(before, after, strict=True)
        if a.group.startswith("new model")
    ]
    assert told
    assert all(a == b for a, b in told)
