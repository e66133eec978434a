"""Is coherence the share of what was possible, and is reuse found from the sessions' own steps?"""

import numpy as np
import pytest

from flyball.sim.coherence import PARTS, parts, reuse
from support.worlds import ran


def test_a_calm_fleet_loses_nothing() -> None:
    found = ran(duration_s=30, workload__generate__rate=2).report.coherence
    assert found.ratio == pytest.approx(1.0, abs=1e-3)
    assert found.headroom > 2.0


def test_an_overloaded_one_is_below_the_bound_and_the_bound_below_the_offer() -> None:
    report = ran(duration_s=60, workload__generate__rate=60).report
    found, offered = report.coherence, report.total.value_usd + report.total.value_missed_usd
    assert 0.0 < found.ratio < 0.9
    assert found.headroom < 1.0
    assert report.total.value_usd < found.bound_usd < offered
    assert found.ratio == pytest.approx(report.total.value_usd / found.bound_usd)


def columns(*rows: tuple[int, float, int, int, float, int]) -> dict[str, np.ndarray]:
    """Of (program, sent, prompt, answer, e2e, cached)."""
    names = ("program", "sent_at_s", "input_tokens", "output_tokens", "e2e_s", "cached_tokens")
    return {
        name: np.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)
    }


def test_a_step_s_prompt_holds_the_step_before_and_is_kept_while_its_tool_runs() -> None:
    resident, known = reuse(
        columns(
            (7, 0.0, 1000, 100, 2.0, 64),
            (8, 1.0, 500, 50, 1.0, 0),
            (7, 5.0, 1200, 100, 2.0, 0),
            (-1, 6.0, 900, 90, 1.0, 16),
            (7, 9.0, 300, 100, 2.0, 32),  # compacted: nothing of what was before
            (-1, 10.0, 900, 90, 1.0, 0),
        )
    )
    assert known.tolist() == [64, 0, 1100, 16, 32, 0]
    assert resident.tolist() == [0, 0, 1100 * 3.0, 0, 0, 0]


def test_parts_hold_each_call_once_and_are_sorted_by_size() -> None:
    prompt = np.array([10, 5000, 20, 3000] * 50)
    sizes = {"input_tokens": prompt, "wanted_tokens": np.full(200, 7)}
    mine = np.arange(200) % 10 != 0
    found = parts(sizes, mine)
    assert len(found) == PARTS
    assert (sum(mask.astype(int) for mask in found) == mine).all()
    means = [prompt[mask].mean() for mask in found]
    assert means == sorted(means)
    assert parts(sizes, np.zeros(200, dtype=bool)) == []
    assert len(parts(sizes, np.arange(200) < 25)) == 1
