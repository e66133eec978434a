"""Are splitwise-sim's published rules kept, on cases worked out by hand?"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def rules() -> ModuleType:
    spec = importlib.util.spec_from_file_location("splitwise", BENCH / "rival_splitwise.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["splitwise"] = module
    spec.loader.exec_module(module)
    return module


def step(seqs: int, prompt: int = 0) -> float:
    return 6.7e-3 + 0.088e-3 * seqs + 0.025e-3 * prompt


def test_a_prompt_takes_one_iteration_and_its_answer_a_run_of_equal_ones(rules: ModuleType) -> None:
    ((first, last),) = rules.simulate([(1.0, 100, 5)], 1)
    assert first == pytest.approx(1.0 + step(1, 100))
    assert last == pytest.approx(first + 4 * step(1))


def test_whoever_comes_is_let_in_at_the_next_iteration(rules: ModuleType) -> None:
    alone = step(1, 100)
    came = alone + 2.5 * step(1)  # in the third token iteration of the other
    (_, last), (first, _) = rules.simulate([(0.0, 100, 50), (came, 200, 1)], 1)
    assert first == pytest.approx(alone + 3 * step(1) + step(2, 200))
    assert last == pytest.approx(first + 45 * step(1))


def test_prompts_share_an_iteration_up_to_its_tokens_and_one_always_goes(rules: ModuleType) -> None:
    asks = [(0.0, 3000, 1), (0.001, 1500, 1), (0.002, 500, 1), (0.003, 100, 1)]
    found = [first for first, _ in rules.simulate(asks, 1)]
    assert found[0] == pytest.approx(step(1, 3000))
    assert found[1] == found[2] == pytest.approx(found[0] + step(2, 2000))
    assert found[3] == pytest.approx(found[2] + step(1, 100))


def test_the_fewest_pending_tokens_win(rules: ModuleType) -> None:
    asks = [(0.0, 2000, 400), (0.0, 100, 400), (0.01, 100, 1)]
    (_, _), (second, _), (third, _) = rules.simulate(asks, 2)
    assert second == pytest.approx(step(1, 100))
    assert third == pytest.approx(second + step(1) + step(2, 100))


def test_what_never_fits_is_told(rules: ModuleType) -> None:
    with pytest.raises(ValueError, match="450,000 tokens"):
        rules.simulate([(0.0, 449_999, 2)], 1)
