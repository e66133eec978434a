"""How many tokens should an engine guess ahead, at its present batch?

With k guessed tokens, each accepted with probability a, a step yields (1 - a^(k+1)) / (1 - a)
tokens a sequence (Leviathan et al., ICML 2023, eq. 1) and computes k + 1 positions of it, beside k
passes of the draft. Guesses fill compute that a small batch leaves idle and steal it from a large
one, so k follows the batch: the k with the most tokens per second of the step cost (SmartSpec, Liu
et al. 2024, calls that goodput). Without a measured acceptance nothing is wished.
"""

from flyball.governor.loops.setpoint import Wish
from flyball.governor.loops.steering import LoopContext
from flyball.governor.state import State
from flyball.model.loop import Loop
from flyball.model.profile import Profile
from flyball.units import Ratio, Seconds

ACCEPTANCE = "pool.acceptance"
GUESSES_MAX = 8
# A draft pass against one of the model, where the draft is a twentieth of its size.
DRAFT_RATIO: Ratio = 0.05
HORIZON_S: Seconds = 60.0

SPECULATION = Loop(
    name="speculation",
    sensor="sequences by endpoint; acceptance by pool",
    actuator="pool.speculation_tokens",
    objective="most tokens per GPU-second",
    period_s=5.0,
    delay_s=1.0,
    limit_low=0.0,
    limit_high=float(GUESSES_MAX),
    is_whole=True,
    feedback=0.5,
)


def wishes(state: State, context: LoopContext) -> list[Wish]:
    """One per pool in scope whose acceptance is measured."""
    found: list[Wish] = []
    for number in context.pools(state.fleet):
        pool = state.fleet.pools[number]
        acceptance = state.meters.get((ACCEPTANCE, pool.name))
        members = [e for e in state.view.endpoints if e.pool_index == number and not e.draining]
        if acceptance is None or not members:
            continue
        batch = max(1.0, sum(one.sequences for one in members) / len(members))
        kv = sum(one.kv * one.kv_share for one in members) / len(members)
        guesses = best_guesses(pool.profile, batch, kv, acceptance[1], GUESSES_MAX)
        found.append(
            Wish(
                scope=pool.name,
                value=float(guesses),
                present=state.setpoints.value(SPECULATION.actuator, pool.name, 0.0),
                reason=f"batch {batch:.0f}, acceptance {acceptance[1]:.2f}",
            )
        )
    return found


def accepted(acceptance: Ratio, guesses: int) -> float:
    """Tokens that one step yields a sequence."""
    if acceptance >= 1.0:
        return guesses + 1.0
    return (1.0 - acceptance ** (guesses + 1)) / (1.0 - acceptance)


def step_seconds(profile: Profile, batch: float, kv: float, guesses: int) -> Seconds:
    """A step that checks `guesses` tokens of each sequence, the draft's passes included."""
    positions = batch * (guesses + 1)
    extra = profile.mixed.per_prefill_token_s * batch * guesses
    draft = DRAFT_RATIO * guesses * profile.decode_step_s(batch, kv)
    curve = profile.decode.curve_s(positions) - profile.decode.curve_s(batch)
    return profile.decode_step_s(batch, kv) + extra + draft + curve


def best_guesses(
    profile: Profile, batch: float, kv: float, acceptance: Ratio, guesses_max: int
) -> int:
    """The count with the most tokens per second; of equals the least."""
    ratio = min(1.0, max(0.0, acceptance))
    return max(
        range(guesses_max + 1),
        key=lambda k: (accepted(ratio, k) / step_seconds(profile, batch, kv, k), -k),
    )
