"""Is the part of the measurements that judges fixed by names, and out of every fit's reach?"""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flyball.dialects.benchlog import PointRow
from flyball.dialects.sheets import accelerators, architectures
from flyball.model.hardware import Layout
from flyball.sim.validate.split import (
    NEVER_SEEN,
    fit_part,
    kept_for_judging,
    model_split,
    shape_name,
    split_of,
)

ROOT = Path(__file__).parents[4]
ROW = PointRow("llama-3.1-70b", "B200", "fp8", "vllm", Layout(4), 1024, 128, 8, 0.1, 0.012)
MODELS = st.sampled_from(["", *architectures()])
CHIPS = st.sampled_from(["", *accelerators()])

# The split as it was settled. Another salt, share or naming moves rows that judged into a fit.
JUDGED_MODELS = {"llama-3.1-8b", "mixtral-8x7b", "qwen3-14b", "qwen3-32b", "qwen3-235b-a22b"}
JUDGED_CHIPS = {"B300", "Gaudi2", "H100-SXM", "L40S", "MI300X", "TPU-v5e"}


def test_the_split_is_the_one_that_was_settled() -> None:
    kept = {name for name in architectures() if model_split(name) == "judged"}
    assert kept - NEVER_SEEN == JUDGED_MODELS
    assert {name for name in accelerators() if kept_for_judging(name)} == JUDGED_CHIPS


def test_models_of_one_shape_fall_on_one_side() -> None:
    assert shape_name("deepseek-r1") == shape_name("deepseek-v3")
    assert shape_name("llama-2-70b") == shape_name("llama-3.3-70b")
    assert shape_name("qwen3-8b") != shape_name("llama-3.1-8b")


@given(MODELS, CHIPS)
def test_a_fit_reads_a_row_only_if_both_its_names_allow_it(model: str, chip: str) -> None:
    row = replace(ROW, model=model, accelerator=chip)
    allowed = bool(model and chip) and model_split(model) == "fit" and not kept_for_judging(chip)
    assert (split_of(row) == "fit") == allowed
    assert fit_part([row]) == ([row] if allowed else [])


@given(st.lists(st.tuples(MODELS, CHIPS), max_size=20), st.floats(1e-3, 10.0))
def test_what_judges_cannot_reach_a_fit(names: list[tuple[str, str]], spoilt: float) -> None:
    rows = [replace(ROW, model=model, accelerator=chip) for model, chip in names]
    other = [
        row if split_of(row) == "fit" else replace(row, ttft_s=spoilt, tpot_s=spoilt)
        for row in rows
    ]
    assert fit_part(rows) == fit_part(other)


@pytest.mark.parametrize("script", ["fit_efficiency.py"])
def test_a_script_that_fits_reads_rows_through_the_split_alone(script: str) -> None:
    tree = ast.parse((ROOT / "docs" / "results" / script).read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    readers = [one for one in calls if _called(one) in ("point_rows", "read_table")]
    parts = [one for one in calls if _called(one) == "fit_part"]
    inside = {id(node) for part in parts for node in ast.walk(part)}
    assert len(parts) == 1
    assert readers
    assert all(id(one) in inside for one in readers)


def _called(node: ast.Call) -> str:
    return getattr(node.func, "id", getattr(node.func, "attr", ""))
