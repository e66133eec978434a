"""Are the lengths of agents' sessions those of the data file?"""

from flyball.dialects.agents import agent_steps
from flyball.sim.agents import book


def test_lengths_are_those_that_the_twin_draws_from() -> None:
    assert agent_steps() == {name: agent.steps for name, agent in book().agents.items()}
