"""Can each example scenario be run, and do its first seconds mean what they meant?"""

from pathlib import Path

import pytest

from flyball.cli import sim_input
from flyball.sim.run import run

EXAMPLES = Path(__file__).parents[2] / "examples" / "scenarios"
FILES = sorted(EXAMPLES.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_example_runs_and_keeps_the_invariants(file: Path) -> None:
    short = ["duration_s=20", "warmup_s=0"]
    plan = sim_input.load(str(file), short)
    report = run(plan.scenario, plan.fleet, plan.policy, plan.rows(), name=plan.name).report
    assert report.breaches == ()
    assert report.total.ends["served"] > 0.9 * report.total.calls > 0


def test_the_chat_example_means_what_it_meant() -> None:
    plan = sim_input.load(str(EXAMPLES / "chat.yaml"))
    assert plan.scenario.core == "governor"
    assert [(p.name, p.profile.name) for p in plan.fleet.pools] == [("h100", "h100/llama-3.1-8b")]
    assert len(plan.fleet.endpoints) == 4
    assert plan.policy.classes[0].promise.ttft_s == 1.0


def test_the_agents_example_completes_sessions_whose_steps_find_their_prefix() -> None:
    plan = sim_input.load(str(EXAMPLES / "agents.yaml"), ["duration_s=150", "warmup_s=0"])
    report = run(plan.scenario, plan.fleet, plan.policy, plan.rows(), name=plan.name).report
    assert {one.name: one.failed for one in report.programs} == {"coder": 0, "fixer": 0}
    assert all(one.completed > 0 and one.open > 0 for one in report.programs)
    cached = {one.name: one.cached_ratio for one in report.classes}
    assert cached["fixer"] > 0.7 > cached["chat"] == 0.0
