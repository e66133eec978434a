"""Do recorded sessions run as they were recorded, and answer for what breaks?"""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.sim.build import build
from flyball.sim.experiments.cascade import scenario
from flyball.sim.experiments.contestants import DEFAULTS
from flyball.sim.experiments.recorded import (
    Recorded,
    RecordedStep,
    RecordedWorld,
    recordings,
)
from flyball.sim.program import Limits

LIMITS = Limits(input_tokens_max=32_000, tool_failure_ratio=0.0)
SHAPES = st.lists(
    st.tuples(st.integers(1, 40_000), st.integers(1, 2_000), st.floats(0.0, 1.0)),
    min_size=1,
    max_size=12,
)


def recording(shapes: list[tuple[int, int, float]]) -> tuple[RecordedStep, ...]:
    steps: list[RecordedStep] = []
    before = 0
    for number, (given_tokens, made, share) in enumerate(shapes):
        kept = int(share * min(before, given_tokens // 64))
        steps.append(
            RecordedStep(
                input_tokens=given_tokens,
                output_tokens=made,
                kept_blocks=kept,
                pause_s=float(number),
            )
        )
        before = given_tokens // 64
    return tuple(steps)


@given(SHAPES)
def test_sizes_pauses_and_shared_prefixes_are_the_recording_s(
    shapes: list[tuple[int, int, float]],
) -> None:
    steps = recording(shapes)
    program, before = Recorded(steps, LIMITS, 1), ()
    for number, step in enumerate(steps):
        asked = program.ask()
        assert asked.input_tokens == max(1, min(32_000, step.input_tokens))
        assert asked.output_tokens == step.output_tokens
        assert len(asked.prefix_blocks) == asked.input_tokens // 64
        assert len(set(asked.prefix_blocks)) == len(asked.prefix_blocks)
        kept = min(step.kept_blocks, len(before), len(asked.prefix_blocks))
        shared = [a == b for a, b in zip(asked.prefix_blocks, before, strict=False)]
        assert shared[:kept] == [True] * kept and not any(shared[kept:])
        whole = (asked.input_tokens + asked.output_tokens) // 64
        assert len(asked.prefix_blocks) + len(asked.answer_blocks) == whole
        before = asked.prefix_blocks + asked.answer_blocks
        pause_s = program.go_on()
        last = number == len(steps) - 1
        assert pause_s is None if last else pause_s == steps[number + 1].pause_s


def test_a_repeat_stays_in_the_context_until_it_begins_anew() -> None:
    steps = recording([(6_400, 64, 0.0), (6_464, 64, 1.0), (640, 64, 0.0)])
    program = Recorded(steps, LIMITS, 1)
    first = program.ask()
    program.repeat(320)
    again = program.ask()
    assert again.input_tokens == 6_400 + 64 + 320
    assert again.prefix_blocks[: len(first.prefix_blocks)] == first.prefix_blocks
    assert program.go_on() is not None
    assert program.ask().input_tokens == 6_464 + 64 + 320
    program.go_on()
    assert (program.ask().input_tokens, program.compactions) == (640, 1)


def test_contexts_are_scaled_and_capped_and_answers_are_not() -> None:
    limits = Limits(input_tokens_max=1_000, context_ratio=0.2, tool_failure_ratio=0.0)
    program = Recorded(recording([(2_000, 300, 0.0), (40_000, 300, 1.0)]), limits, 1)
    assert (program.ask().input_tokens, program.ask().output_tokens) == (400, 300)
    program.go_on()
    assert program.ask().input_tokens == 1_000


def test_only_main_agents_with_enough_steps_are_played() -> None:
    rows: list[Any] = [
        ("a", "0", 100, 5, 0, None),
        ("a", "0.1", 900, 5, 0, 1.0),
        ("a", "0", 200, 0, 1, 2.5),
        ("b", "0", 100, 5, 0, None),
    ]
    (only,) = recordings(rows)
    assert [(one.input_tokens, one.output_tokens, one.pause_s) for one in only] == [
        (100, 5, 0.0),
        (200, 1, 2.5),
    ]


@pytest.mark.parametrize("name", ["governor", "default_stack"])
def test_sessions_of_a_world_are_the_recorded_ones_and_complete(name: str) -> None:
    shape = scenario(DEFAULTS[name], 0.05, 1, 1e9, "calm")
    shape = msgspec.structs.replace(shape, duration_s=120.0, warmup_s=0.0)
    fleet, policy = build(shape)
    steps = recording([(5_000, 77, 0.0), (6_000, 77, 1.0)])
    result = RecordedWorld(shape, fleet, policy, [steps]).run("", None)
    mine = result.columns["program"] >= 0
    assert set(result.columns["output_tokens"][mine].tolist()) == {77}
    assert set(result.columns["input_tokens"][mine].tolist()) <= {1_000, 1_200}
    (coders,) = result.report.programs
    assert coders.begun >= coders.completed > 0
