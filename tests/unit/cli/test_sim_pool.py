"""Do runs in other processes give what they give here?"""

import json
from pathlib import Path

import pytest

from flyball.cli import sim_input, sim_pool
from support.worlds import data, ran


def test_a_run_in_a_process_is_the_run_here(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(json.dumps(data(duration_s=5)))
    with sim_pool.pool(2) as workers:
        tasks = [(n, sim_pool.run_one, (str(file), (f"seed={n}",))) for n in (1, 2)]
        found = {n: sim_pool.read(told) for n, told in sim_pool.each(workers, tasks)}
    assert found[1].digest == ran(duration_s=5, seed=1).report.digest
    assert found[1].digest != found[2].digest
    assert sim_pool.jobs_default() >= 1


def test_a_trace_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(json.dumps(data(workload={"trace": {"file": "none.csv"}})))
    with pytest.raises(sim_input.CannotSimulate, match="cannot be read"):
        sim_pool.run_one(str(file), ())
