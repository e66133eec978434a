"""How many steps do the sessions of a known kind of agent take? (A first guess, until some ended.)

The figures stand in `data/agents.json`, each with its source and the split it was fitted on.
"""

from functools import cache
from importlib import resources
from typing import Any

import msgspec


@cache
def agent_steps() -> dict[str, tuple[tuple[float, float], ...]]:
    """Steps of a session by kind of agent, as quantiles ((probability, steps), ...); read once."""
    text = resources.files("flyball").joinpath("data", "agents.json").read_bytes()
    agents: dict[str, dict[str, Any]] = msgspec.json.decode(text)["agents"]
    return {
        name: tuple((float(share), float(steps)) for share, steps in agent["steps"])
        for name, agent in agents.items()
    }
