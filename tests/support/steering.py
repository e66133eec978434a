"""A core's state with demand of a known size, for tests of the loops."""

from flyball.governor.loops.registry import PERIOD_LOOPS
from flyball.governor.loops.setpoint import Wish
from flyball.governor.loops.steering import LoopContext
from flyball.governor.policy import Policy
from flyball.governor.state import State
from flyball.model.fleet import Fleet
from flyball.model.loop import LoopPolicy
from support import fleets


def state(
    fleet: Fleet | None = None, rates: dict[str, float] | None = None, **policy: object
) -> State:
    """Demand in requests per second by class (the others are asked for nothing)."""
    made = State(fleet or fleets.fleet(), fleets.policy(**policy))
    demand(made, rates or {})
    return made


def demand(made: State, rates: dict[str, float]) -> None:
    """So many requests per second of each class, of 1,000 prompt and 200 answer tokens."""
    for name, tally in made.tallies.items():
        tally.rate_per_s = rates.get(name, 0.0)
        tally.input_tokens, tally.output_tokens = 1000.0, 200.0


def context(name: str, **policy: object) -> LoopContext:
    """A loop as it declares itself, with what the operator set."""
    entry = PERIOD_LOOPS[name]
    policy_of_loop = LoopPolicy(name=name, **policy)  # type: ignore[arg-type]
    return LoopContext(entry.loop, policy_of_loop, entry.horizon_s)


def wished(made: State, one: LoopContext, looks: int = 1) -> dict[str, Wish]:
    """What the loop wishes after so many looks, by scope."""
    found: list[Wish] = []
    for _ in range(looks):
        found = PERIOD_LOOPS[one.loop.name].wishes(made, one)
    return {wish.scope: wish for wish in found}


def enforced(*names: str, **changes: object) -> Policy:
    """A policy that lets these loops act."""
    loops = tuple(LoopPolicy(name=name, mode="enforce") for name in names)
    return fleets.policy(loops=loops, **changes)
