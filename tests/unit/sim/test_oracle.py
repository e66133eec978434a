"""Does the step-by-step witness do what can be worked out by hand?"""

import pytest

from flyball.model.plant import Job, Progress
from flyball.model.profile import EngineLimits, PowerCurve, Profile, StepCost
from flyball.sim.oracle import replay


def by_hand(**limits: int) -> Profile:
    """1 s a step, 10 s with prompt tokens, 1 s more per prompt token."""
    given = {"seqs_max": 2, "step_tokens_max": 8, "kv_tokens_max": 64, "block_tokens": 4} | limits
    return Profile(
        name="hand", accelerator="x", model="m",
        decode=StepCost(1.0, 0.0, 0.0), mixed=StepCost(10.0, 0.0, 0.0, 1.0),
        limits=EngineLimits(**given), power=PowerCurve(1.0, 2.0),
    )  # fmt: skip


def test_one_job_by_hand() -> None:
    assert replay(by_hand(), [(5.0, Job("a", 10, 3))]) == [
        Progress("admitted", "a", 5.0, 0),
        # 8 tokens in the first chunk: 18 s, then 2: 12 s
        Progress("first-token", "a", 35.0, 1),
        Progress("finished", "a", 37.0, 3),
    ]


def test_the_newest_gives_way_when_blocks_run_out() -> None:
    # 4 blocks of 4: each job takes 1 for its prompt; at 8 tokens each both need a third.
    load = [(0.0, Job("a", 4, 8)), (0.0, Job("b", 4, 8))]
    told = replay(by_hand(kv_tokens_max=16), load)
    preempted = [one for one in told if one.kind == "preempted"]
    assert [(one.job, one.at, one.tokens) for one in preempted] == [("b", 22.0, 5)]
    assert [one.job for one in told if one.kind == "finished"] == ["a", "b"]


def test_a_shared_prompt_is_computed_once() -> None:
    load = [(0.0, Job("a", 8, 1, (1, 2))), (30.0, Job("b", 8, 1, (1, 2)))]
    told = replay(by_hand(), load)
    assert [one.tokens for one in told if one.kind == "admitted"] == [0, 4]
    assert told[-1].at == pytest.approx(30 + 10 + 4)
    without = replay(by_hand(), load, prefix_cache=False)
    assert without[-1].at == pytest.approx(30 + 10 + 8)
