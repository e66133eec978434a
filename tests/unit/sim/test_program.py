"""Does an agent's context grow as it should, with blocks that the next step finds again?"""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flyball.sim.agents import Agent, book
from flyball.sim.program import BLOCK_TOKENS, Limits, Program, Step
from flyball.sim.validate.agents import common

PLAIN = replace(
    book().agents["mini-swe-agent"],
    steps=((0.0, 5.0), (1.0, 5.0)),
    system_tokens=128,
    first_tokens=((0.0, 300.0), (1.0, 300.0)),
    added_tokens=((0.0, 100.0), (1.0, 100.0)),
    output_tokens=((0.0, 150.0), (1.0, 150.0)),
    dropped_ratio=0.0,
    compact=(),
    rewrite_ratio=0.0,
    tool_failure_ratio=0.0,
)
OWN, SHARED = 1 << 20, 0


def program(agent: Agent = PLAIN, seed: int = 1, **limits: Any) -> Program:
    bent = {"input_tokens_max": agent.input_tokens_max, "tool_failure_ratio": 0.0, **limits}
    return Program(agent, np.random.default_rng(seed), Limits(**bent), OWN, SHARED)


def steps(one: Program) -> list[Step]:
    made = [one.ask()]
    while one.go_on() is not None:
        made.append(one.ask())
    return made


def test_each_prompt_is_the_last_one_its_answer_and_what_was_added() -> None:
    made = steps(program())
    assert [step.input_tokens for step in made] == [300, 550, 800, 1050, 1300]
    assert {step.output_tokens for step in made} == {150}


def test_the_answer_s_blocks_stand_in_the_next_prompt() -> None:
    made = steps(program())
    for step, after in pairwise(made):
        known = step.prefix_blocks + step.answer_blocks
        assert len(known) == (step.input_tokens + step.output_tokens) // BLOCK_TOKENS
        assert step.answer_blocks and after.prefix_blocks[: len(known)] == known


def test_the_system_prompt_is_shared_and_the_rest_is_not() -> None:
    one = program().ask()
    limits = Limits(input_tokens_max=32_000, tool_failure_ratio=0.0)
    other = Program(PLAIN, np.random.default_rng(1), limits, 2 << 20, SHARED).ask()
    assert one.prefix_blocks[:2] == other.prefix_blocks[:2] == (0, 1)
    assert not set(one.prefix_blocks[2:]) & set(other.prefix_blocks[2:])


def test_an_answer_that_is_left_out_is_not_found_again() -> None:
    agent = replace(PLAIN, dropped_ratio=1.0, dropped_share=((0.0, 0.4), (1.0, 0.4)))
    first, second = steps(program(agent))[:2]
    assert second.input_tokens == 360
    assert common(first.prefix_blocks, second.prefix_blocks) == len(first.prefix_blocks)
    assert not set(first.answer_blocks) & set(second.prefix_blocks)


def test_a_failed_tool_adds_a_step_but_not_after_the_last() -> None:
    one = program(tool_failure_ratio=0.5)
    made = steps(one)
    assert one.tool_failures > 0 and len(made) == 5 + one.tool_failures
    lone = program(replace(PLAIN, steps=((0.0, 1.0), (1.0, 1.0))), tool_failure_ratio=0.99)
    assert len(steps(lone)) == 1 and lone.tool_failures == 0


def test_steps_after_failed_tools_are_part_of_the_recorded_ones() -> None:
    agent = replace(PLAIN, steps=((0.0, 40.0), (1.0, 40.0)), tool_failure_ratio=0.2)
    counts = [len(steps(program(agent, seed, tool_failure_ratio=0.2))) for seed in range(200)]
    assert np.mean(counts) == pytest.approx(40.0, rel=0.03)


def test_a_full_context_is_compacted_and_keeps_the_system_prompt_only() -> None:
    one = program(input_tokens_max=800)
    made = steps(one)
    assert one.compactions == 1
    before, after = made[2], made[3]
    assert before.input_tokens == 800 and after.input_tokens < 800
    assert common(before.prefix_blocks, after.prefix_blocks) == 2


def test_a_rewrite_keeps_the_blocks_before_it() -> None:
    agent = replace(PLAIN, rewrite_ratio=1.0, rewrite_at=((0.0, 0.5), (1.0, 0.5)))
    first, second = steps(program(agent))[:2]
    assert second.input_tokens == 550
    assert common(first.prefix_blocks, second.prefix_blocks) == len(first.prefix_blocks) // 2


def test_a_broken_step_comes_again_with_its_answer_and_more() -> None:
    one = program()
    first = one.ask()
    one.repeat(64)
    again = one.ask()
    assert again.input_tokens == 300 + 150 + 64
    known = first.prefix_blocks + first.answer_blocks
    assert again.prefix_blocks[: len(known)] == known
    assert len(steps(one)) == 5  # a repeat is no step of work


def test_a_smaller_context_keeps_its_answers() -> None:
    made = steps(program(context_ratio=0.5))
    assert [step.input_tokens for step in made[:2]] == [150, 350]
    assert len(steps(program(steps_max=2))) == 2


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(book().agents)), st.integers(0, 10_000), st.floats(0.05, 1.0))
def test_whatever_happens_blocks_match_tokens(name: str, seed: int, ratio: float) -> None:
    agent = book().agents[name]
    one = program(agent, seed, context_ratio=ratio, input_tokens_max=24_000, tool_failure_ratio=0.1)
    seen: dict[int, tuple[int, ...]] = {}
    for step in steps(one):
        assert 0 < step.input_tokens <= 24_000 and step.output_tokens > 0
        blocks = step.prefix_blocks + step.answer_blocks
        assert len(step.prefix_blocks) == step.input_tokens // BLOCK_TOKENS
        assert len(blocks) == (step.input_tokens + step.output_tokens) // BLOCK_TOKENS
        assert len(set(blocks)) == len(blocks)
        for i, block in enumerate(blocks):  # an id stands for all that comes before it too
            assert seen.setdefault(block, blocks[:i]) == blocks[:i]


def test_equal_seeds_give_equal_sessions() -> None:
    agent = book().agents["claude-code"]
    one, same, other = (steps(program(agent, seed)) for seed in (4, 4, 5))
    assert one == same != other
