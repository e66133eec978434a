"""Under which loads are cores compared, and what is each class promised?

A mix is open-loop rows made from published statistics, and agents' sessions in a closed loop.
Agents' contexts are a fifth of the recorded ones: a fleet of eight replicas of an 8B model holds no
hundred prompts of 100,000 tokens.
"""

from typing import Any

from msgspec import Struct, field

from flyball.units import Ratio, Usd

# The promises and the values (USD of an answer in time) of every class. A step of an agent carries
# the session's earlier steps with it, hence its value.
CLASSES: dict[str, dict[str, Any]] = {
    "chat": {"value_usd": 0.01, "ttft_ms": 1000.0, "tpot_ms": 60.0, "output_tokens_mean": 211},
    "dialog": {"value_usd": 0.01, "ttft_ms": 1500.0, "tpot_ms": 60.0, "output_tokens_mean": 211},
    "coder": {"value_usd": 0.05, "ttft_ms": 4000.0, "tpot_ms": 80.0, "output_tokens_mean": 400},
    "fixer": {"value_usd": 0.03, "ttft_ms": 3000.0, "tpot_ms": 80.0, "output_tokens_mean": 110},
}
# How long a client waits for a first byte before it closes, s.
PATIENCE_S = {"chat": 10.0, "dialog": 10.0, "coder": 60.0, "fixer": 60.0}
IN_TIME_MIN: Ratio = 0.95
BUDGET_RATIO: Ratio = 1.5


class MixCase(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`rate` open-loop requests/s of `kinds`; `programs` = class -> (sessions begun per second,
    sessions under way at the begin). `spend_usd_per_hour` = its tokens at list prices at a load of
    1, as measured; 0 = not measured, nobody sets a budget by it."""

    title: str
    rate: float
    kinds: dict[str, float] = field(default_factory=lambda: {"chat": 1.0})
    programs: dict[str, tuple[float, int]] = {}
    spend_usd_per_hour: Usd = 0.0

    @property
    def classes(self) -> tuple[str, ...]:
        """Those that ask for something; the first is the default."""
        return (*self.kinds, *self.programs)


_AGENTS = {
    "coder": {
        "agent": "claude-code",
        "context_ratio": 0.2,
        "input_tokens_max": 32_000,
        "pause_s_max": 20.0,
    },
    "fixer": {"agent": "mini-swe-agent"},
}

MIXES: dict[str, MixCase] = {
    "chat": MixCase(title="plain chat, Azure's lengths", rate=50.0),
    "agents": MixCase(
        title="chat with coding agents of both kinds",
        rate=30.0,
        programs={"coder": (0.1, 60), "fixer": (0.2, 12)},
        spend_usd_per_hour=1000.0,
    ),
    "agent-heavy": MixCase(
        title="half the chat, twice the agents",
        rate=15.0,
        programs={"coder": (0.2, 120), "fixer": (0.4, 24)},
    ),
    "chat-heavy": MixCase(
        title="more chat, a third of the agents",
        rate=40.0,
        programs={"coder": (0.033, 20), "fixer": (0.066, 4)},
    ),
    "dialog": MixCase(
        title="chat, conversations and agents",
        rate=34.0,
        kinds={"chat": 0.5, "dialog": 0.5},
        programs={"coder": (0.1, 60), "fixer": (0.2, 12)},
    ),
}


def classes(
    mix: MixCase, resident: dict[str, tuple[str, ...]], hold_ratio: Ratio = 0.0
) -> dict[str, dict[str, Any]]:
    """The mix's classes as in a scenario file, bound to jurisdictions where the fleet says so, and
    held at the gate for at most that share of their promised first token."""
    return {
        name: {
            **CLASSES[name],
            "queue_ms_max": hold_ratio * CLASSES[name]["ttft_ms"],
            "jurisdictions": resident.get(name, ()),
        }
        for name in mix.classes
    }


def workload(mix: MixCase, size: float, load: float) -> dict[str, Any]:
    """The `workload` section for a fleet of that size."""
    return {
        "load": load,
        "generate": {"rate": mix.rate * size, "mix": mix.kinds},
        "programs": {
            name: {**_AGENTS[name], "rate": rate * size, "standing": round(standing * size)}
            for name, (rate, standing) in mix.programs.items()
        },
    }


def budget_usd_per_hour(mix: MixCase, size: float, load: float) -> Usd:
    """A generous budget for that load's tokens, as an operator would set it; 0 = none."""
    return BUDGET_RATIO * mix.spend_usd_per_hour * size * load
