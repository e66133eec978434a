"""Do SGLang's rules differ from vLLM's where they should, in the engine that follows them?"""

import math

import pytest

from flyball.model.plant import Job, Progress
from flyball.model.profile import EngineLimits, PowerCurve, Profile, StepCost
from flyball.sim.batching import SGLANG, VLLM, Batching, batching_of
from flyball.sim.engine import Engine


def by_hand(**limits: int) -> Profile:
    """1 s a step, 10 s with prompt tokens, 1 s more per prompt token and 0.1 s per sequence."""
    given = {"seqs_max": 4, "step_tokens_max": 8, "kv_tokens_max": 64, "block_tokens": 4} | limits
    return Profile(
        name="hand", accelerator="x", model="m",
        decode=StepCost(1.0, 0.0, 0.0), mixed=StepCost(10.0, 0.1, 0.0, 1.0),
        limits=EngineLimits(**given), power=PowerCurve(100.0, 200.0, half_batch=1.0),
    )  # fmt: skip


def served(batching: Batching, *load: tuple[float, Job], **limits: int) -> list[Progress]:
    engine = Engine(by_hand(**limits), prefix_cache=False, batching=batching)
    for at, job in load:
        engine.submit(at, job)
    return engine.advance(math.inf)


def times(told: list[Progress], kind: str) -> dict[str, float]:
    return {one.job: pytest.approx(one.at) for one in told if one.kind == kind}


LOAD = ((0.0, Job("a", 4, 4)), (14.5, Job("b", 12, 2)))


def test_vllm_serves_prompts_and_answers_in_one_step() -> None:
    told = served(VLLM, *LOAD)
    # a: 14 s, one step alone; then b's prompt in 7 + 5 tokens, while a makes its last two.
    assert times(told, "first-token") == {"a": 14.0, "b": 15.0 + 17.1 + 15.1}
    assert times(told, "finished") == {"a": 15.0 + 17.1 + 15.1, "b": 48.2}


def test_sglang_lets_answers_pause_while_a_prompt_is_computed() -> None:
    told = served(SGLANG, *LOAD)
    # b's prompt in 8 + 4 tokens, alone in both steps; then a and b together.
    assert times(told, "first-token") == {"a": 14.0, "b": 15.0 + 18.0 + 14.0}
    assert times(told, "finished") == {"b": 48.0, "a": 49.0}


def test_steps_without_answers_are_counted() -> None:
    engine = Engine(by_hand(), batching=SGLANG)
    for at, job in LOAD:
        engine.submit(at, job)
    engine.advance(math.inf)
    state = engine.snapshot()
    assert (state.steps, state.output_tokens, state.busy_s) == (6, 6, 49.0)


def test_whom_a_lack_of_blocks_strikes() -> None:
    # 6 blocks of 4: together they hold at most 24 tokens, and each comes to need 17.
    old, new = Job("old", 9, 9), Job("new", 8, 9)
    assert list(times(served(VLLM, (0, old), (19.5, new), kv_tokens_max=24), "preempted")) == [
        "new"
    ]
    older = Job("older", 8, 9)
    later = Job("later", 9, 9)
    told = served(SGLANG, (0, older), (0, later), kv_tokens_max=24)
    # Both have made as much: the one with the longer prompt goes.
    assert list(times(told, "preempted")) == ["later"]
    assert {one.job: one.tokens for one in told if one.kind == "finished"} == {
        "older": 9,
        "later": 9,
    }


def test_urgency_by_hand() -> None:
    class One:
        def __init__(self, job: Job, seq: int) -> None:
            self.job, self.seq = job, seq

    early, late = One(Job("e", 10, 50), 1), One(Job("l", 20, 50, priority=-1), 2)
    assert VLLM.urgency(early, 5) > VLLM.urgency(late, 1)  # the less urgent goes
    assert SGLANG.urgency(late, 1) > SGLANG.urgency(early, 5)  # the shorter answer goes
    assert SGLANG.urgency(late, 5) > SGLANG.urgency(early, 5)  # then the longer prompt


def test_which_engine_batches_how() -> None:
    assert batching_of("sglang") is SGLANG
    assert batching_of("vllm") is batching_of("trtllm") is VLLM
