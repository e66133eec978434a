"""Does a fleet file's `sessions` section mean the core's rules, and are faults told by place?"""

from flyball.dialects.agents import agent_steps
from flyball.model.request import SessionRules
from flyball.serve.config.sessions import SessionsSection, build_sessions
from support.configs import faults


def test_its_defaults_are_the_cores() -> None:
    assert build_sessions(SessionsSection()) == SessionRules()
    assert build_sessions(None) is None


def test_an_agent_gives_the_first_guess_of_lengths() -> None:
    rules = build_sessions(SessionsSection(agent="claude-code", steps_max=50))
    assert rules is not None
    assert rules.steps == agent_steps()["claude-code"]
    assert rules.steps_max == 50


def test_an_agent_that_is_not_known_is_told_by_its_place() -> None:
    text = "\n".join(faults(("ttft_ms: 900", "sessions: {agent: claude-cod}")))
    assert "classes.talk.sessions.agent" in text
    assert "Did you mean 'claude-code'?" in text
