"""Are watts fitted as a curve of batch, and judged only on what was left out?"""

import pytest

from flyball.dialects.benchlog import PowerRow
from flyball.model.profile import PowerCurve
from flyball.sim.validate.figures import lines
from flyball.sim.validate.power import fitted_curve, judge_power, uses

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


def test_use_rises_with_batch() -> None:
    few, _ = uses(made(4), "llama-3.1-8b", "H100-SXM", 1, "bf16")
    many, speed = uses(made(256), "llama-3.1-8b", "H100-SXM", 1, "bf16")
    assert few[2] < many[2] <= 1.0
    assert few[1] > 0.3
    assert speed > 1000
