"""What may a fleet file say about the agents' sessions of a class?"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from flyball.dialects.agents import agent_steps
from flyball.model.request import SessionRules
from flyball.serve.config.errors import did_you_mean, listed
from flyball.serve.config.text import Document, Path

NotNegative = Annotated[float, Meta(ge=0)]
Whole = Annotated[int, Meta(ge=0)]
_RULES = SessionRules()


class SessionsSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each session of the class is one program: its worth is in its completion."""

    agent: Annotated[
        str, Meta(description="Kind of agent whose lengths are the first guess; empty = unknown.")
    ] = ""
    value_usd: Annotated[
        NotNegative,
        Meta(description="Worth of a completed session, USD; 0 = its expected answers' worth."),
    ] = _RULES.value_usd
    steps_max: Annotated[Whole, Meta(description="Calls of one session; 0 = no limit.")] = 0
    tokens_max: Annotated[
        Whole, Meta(description="Prompt and answer tokens of one session; 0 = no limit.")
    ] = 0
    usd_max: Annotated[
        NotNegative, Meta(description="Resources used by one session, USD; 0 = no limit.")
    ] = 0.0
    wall_s_max: Annotated[
        NotNegative, Meta(description="Since its first call, s; 0 = no limit.")
    ] = 0.0
    usd_per_minute_max: Annotated[
        NotNegative, Meta(description="Resources used in a minute, USD; 0 = no limit.")
    ] = 0.0
    wait_s_max: Annotated[
        NotNegative, Meta(description="Longest wait of a first call for room, s.")
    ] = _RULES.wait_s_max
    late_s_max: Annotated[
        NotNegative,
        Meta(description="A later call is placed up to so late rather than refused, s."),
    ] = _RULES.late_s_max
    idle_s_max: Annotated[
        float, Meta(gt=0, description="Silent for so long, a session has ended, s.")
    ] = _RULES.idle_s_max
    kv_ratio_max: Annotated[
        float, Meta(gt=0, le=2, description="Sessions begin while contexts fill less of the KV.")
    ] = _RULES.kv_ratio_max
    runaway: Annotated[
        Literal["off", "warn", "stop"],
        Meta(description="About a session that goes round in circles."),
    ] = _RULES.runaway
    repeats_max: Annotated[
        int, Meta(ge=3, le=1000, description="Calls in a row that bring nothing new.")
    ] = _RULES.repeats_max
    compactions_max: Annotated[
        int, Meta(ge=2, le=1000, description="Contexts in a row filled and thrown away again.")
    ] = _RULES.compactions_max


def build_sessions(section: SessionsSection | None) -> SessionRules | None:
    """The rules in the core's words; an agent that is not known gives no first guess."""
    if section is None:
        return None
    fields = msgspec.structs.asdict(section)
    return SessionRules(steps=agent_steps().get(fields.pop("agent"), ()), **fields)


def check_sessions(sections: Mapping[str, SessionsSection | None], document: Document) -> None:
    """Note kinds of agents that are not known; `sections` by class."""
    known = agent_steps()
    for name, section in sections.items():
        if section is None or not section.agent or section.agent in known:
            continue
        path: Path = ("classes", name, "sessions", "agent")
        document.fault(
            path,
            f"there are no figures for the agent {section.agent!r}",
            f"{did_you_mean(section.agent, known)}Known: {listed(known)}; or leave it out.",
        )
