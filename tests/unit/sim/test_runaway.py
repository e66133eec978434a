"""Do sessions that go round in circles do so for ever, and look as told?"""

import pytest

from flyball.dialects.traces.row import TraceRow
from flyball.governor.runaway import Watch
from flyball.sim.agents import book
from flyball.sim.clock import Streams
from flyball.sim.heads import head
from flyball.sim.program import Limits, Program
from flyball.sim.runaway import Kind, Runaway

LIMITS = Limits(context_ratio=0.2, input_tokens_max=32_000, tool_failure_ratio=0.05)


def watched(program: Program, steps: int) -> tuple[Watch, list[str]]:
    """The session played through a watch: what the watch says after each call."""
    watch, said = Watch(), []
    for number in range(steps):
        step = program.ask()
        row = TraceRow(
            at_s=0.0,
            input_tokens=step.input_tokens,
            output_tokens=step.output_tokens,
            prefix_blocks=step.prefix_blocks,
            block_tokens=LIMITS.block_tokens,
            result=step.result,
        )
        watch.step(head(row, number, "c", "m", 1), True)
        said.append(watch.why(12, 5))
        if program.go_on() is None:
            break
    return watch, said


@pytest.mark.parametrize("kind", ["repeat", "growth", "compaction"])
@pytest.mark.parametrize("agent", ["claude-code", "mini-swe-agent"])
def test_it_goes_on_for_ever_and_is_seen(kind: Kind, agent: str) -> None:
    for seed in range(20):
        rng = Streams(seed).named("p").rng
        program = Runaway(book().agents[agent], rng, LIMITS, 1 << 50, 1 << 49, kind)
        sound = program._sound_steps
        _, said = watched(program, sound + 60)
        assert len(said) == sound + 60, f"seed {seed}"
        assert not any(said[:sound]), f"seed {seed}"
        assert any(said[sound:]), f"seed {seed}"


@pytest.mark.parametrize("agent", ["claude-code", "mini-swe-agent"])
def test_sound_sessions_are_left_alone(agent: str) -> None:
    for seed in range(200):
        rng = Streams(seed).named("p").rng
        program = Program(book().agents[agent], rng, LIMITS, 1 << 50, 1 << 49)
        _, said = watched(program, 1000)
        assert not any(said), f"seed {seed}"
