"""What is granted at the price of the chosen endpoint: how much of the prompt, how long an answer?

Only for classes whose policy allows it. A prompt is cut where the price that it saves there exceeds
the damage to be expected, and never where the endpoint holds so much of it that the cut would cost
more work than it saves: a cut prompt begins anew behind its first turns, so all that was cached is
taken to be lost, and so is what the next call of the session would have found.
"""

from math import inf

from flyball.governor.flight import Flight, Granted
from flyball.governor.loops import hedge, output
from flyball.governor.loops.context import ARM_NAMES, CONTEXT, LESS, MORE, NO_ARM, ContextLoop
from flyball.governor.marginal import ROWS
from flyball.governor.request.leave import may
from flyball.governor.state import State
from flyball.model.decision import Candidate
from flyball.units import Ratio, Seconds, Usd

CUTTABLE = frozenset({"chat", "message"})
# Bits of a draw below its first sixteen: independent of what the draw has decided above them.
DRAW_LOW_BITS = 65_536.0
_ROW = {name: number for number, name in enumerate(ROWS)}
_USD_TOKEN, _HARM_TOKEN = _ROW["usd_per_token"], _ROW["harm_per_token"]
_USD_KV, _HARM_KV = _ROW["usd_per_kv"], _ROW["harm_per_kv"]
_USD_OUTPUT = _ROW["usd_per_output"]


def low_draw(draw: float) -> float:
    """A second number in [0, 1) out of the same draw."""
    return (draw * DRAW_LOW_BITS) % 1.0


def granted(flight: Flight) -> Granted:
    """What differs from what was asked; made if nothing did so far."""
    found = flight.granted
    if found is None:
        found = flight.granted = Granted(flight.prompt_tokens)
    return found


def arm_name(grant: Granted, other: str) -> str:
    """The probe arm to write down: the context's, else the other probe's."""
    return ARM_NAMES[grant.arm] if grant.arm != NO_ARM else other


def bound_output(flight: Flight) -> None:
    """The class's own bound of an answer, before anything is priced."""
    rule = flight.klass.output
    if rule.tokens_max and flight.output_tokens > 1:
        bound = output.granted(rule, flight.output_tokens_max, inf)
        if bound != flight.output_tokens_max:
            _bound_to(flight, bound)


def _bound_to(flight: Flight, bound: int) -> None:
    flight.output_tokens_max = bound
    flight.output_tokens = min(flight.output_tokens, bound)
    granted(flight).clamp_output = True


def grant_at(state: State, flight: Flight, at: Seconds, best: Candidate, index: int) -> str:
    """Cut the prompt, bound the answer, or leave both; the advice, where it may only advise."""
    advice = _grant_output(state, flight, at, best, index)
    if not flight.klass.context.allow_truncation or flight.head.operation not in CUTTABLE:
        return advice
    cut = _grant_context(state, flight, at, best, index)
    return f"{advice}; {cut}" if advice and cut else advice or cut


def _grant_output(state: State, flight: Flight, at: Seconds, best: Candidate, index: int) -> str:
    rule = flight.klass.output
    if not rule.by_price or flight.output_tokens <= 1:
        return ""
    rows = state.view.rows
    usd = rows[_USD_OUTPUT, index] + 0.5 * (rows[_USD_KV, index] + rows[_HARM_KV, index])
    price = best.externality_usd + best.resource_usd
    most = output.affordable(flight.value_usd, price, flight.output_tokens, float(usd))
    bound = output.granted(rule, flight.output_tokens_max, most)
    if bound == flight.output_tokens_max:
        return ""
    mode = state.modes.effective(output.OUTPUT.name, at)
    pool = state.view.endpoints[index].pool_index
    if mode == "enforce" and not may(state, flight, "cap", output.OUTPUT.name, pool, at):
        return ""
    if mode == "enforce":
        _bound_to(flight, bound)
        return ""
    return f"output: at most {bound} tokens" if mode == "advise" else ""


def _grant_context(state: State, flight: Flight, at: Seconds, best: Candidate, index: int) -> str:
    loop = state.context_loops[flight.klass.name]
    mode = state.modes.effective(CONTEXT.name, at)
    if flight.attempt > 1:
        # A later attempt keeps its cut, unless it finds the prompt warm.
        if best.cached_tokens:
            _keep_whole(flight)
        return ""
    pool = state.view.endpoints[index].pool_index
    if not may(state, flight, "truncate", CONTEXT.name, pool, at):
        return ""
    rule = flight.klass.context
    less, more = loop.ratio_of(LESS), loop.ratio_of(MORE)
    saved = _saving(state, flight, best, index, less)
    if saved <= 0.0:
        return ""
    effect = loop.effect()
    ratio = loop.ratio_of(NO_ARM)
    damage = effect.breaks * (1.0 - min(ratio, more)) * flight.value_usd
    loop.note_eligible(saved - effect.breaks * (1.0 - less) * flight.value_usd)
    arm = loop.arm(low_draw(flight.draw), rule.probe_ratio) if mode == "enforce" else NO_ARM
    if arm == NO_ARM and (ratio >= 1.0 or _saving(state, flight, best, index, ratio) <= damage):
        return ""
    kept = _kept(flight, loop.ratio_of(arm))
    if mode != "enforce":
        return f"context: keep {kept} of {flight.prompt_tokens} tokens" if mode == "advise" else ""
    _cut(state, flight, best, index, loop, arm, kept)
    return ""


def _cut(
    state: State,
    flight: Flight,
    best: Candidate,
    index: int,
    loop: ContextLoop,
    arm: int,
    kept: int,
) -> None:
    grant = granted(flight)
    grant.arm = arm
    if arm != NO_ARM:
        one = _saving(state, flight, best, index, loop.ratio_of(LESS))
        other = _saving(state, flight, best, index, loop.ratio_of(MORE))
        grant.saved_usd = one - other
        grant.spent_usd = max(one, best.externality_usd + best.resource_usd)
    if kept < flight.prompt_tokens:
        grant.tokens_kept = kept
        flight.cached_tokens = flight.blocks_believed = 0


def _keep_whole(flight: Flight) -> None:
    grant = flight.granted
    if grant is not None:
        grant.tokens_kept = flight.prompt_tokens
        grant.arm = NO_ARM


def _kept(flight: Flight, ratio: Ratio) -> int:
    """Tokens that stay: never below the class's minimum, never more than there are."""
    kept = max(flight.klass.context.tokens_min, int(ratio * flight.prompt_tokens))
    return min(flight.prompt_tokens, kept)


def _saving(state: State, flight: Flight, best: Candidate, index: int, ratio: Ratio) -> Usd:
    """USD saved at this endpoint by keeping that share; <= 0 = the cut costs more than it saves."""
    kept = _kept(flight, ratio)
    cut = flight.prompt_tokens - kept
    prefill = cut - best.cached_tokens
    if cut <= 0 or prefill <= 0:
        return 0.0
    rows = state.view.rows
    usd_per_token = float(rows[_USD_TOKEN, index] + rows[_HARM_TOKEN, index])
    usd_per_kv = float(rows[_USD_KV, index] + rows[_HARM_KV, index])
    lost = state.tallies[flight.klass.name].cached_ratio * kept if flight.session else 0.0
    return (prefill - lost) * usd_per_token + cut * usd_per_kv


def copy_at(
    state: State, flight: Flight, at: Seconds, candidates: tuple[Candidate, ...]
) -> Seconds:
    """When to ask whether a second copy is worth it; 0 = never. What has a guarantee is protected
    where it is, which one place of it can be."""
    if flight.attempt != 1 or len(candidates) < 2 or flight.guarantee is not None:
        return 0.0
    best, other = candidates[0], candidates[1]
    left_s = first_byte_left_s(flight, at, best)
    if left_s <= 0.0 or state.modes.effective(hedge.HEDGE.name, at) != "enforce":
        return 0.0
    wait_s = hedge.due_after_s(best.ttft_s, other.ttft_s, left_s)
    return at + wait_s if wait_s >= 0.0 else 0.0


def first_byte_left_s(flight: Flight, at: Seconds, best: Candidate) -> Seconds:
    """Time left for the first byte by whatever was promised; 0 = nothing was."""
    promised_s = flight.head.ttft_s_max or flight.klass.promise.ttft_s
    if flight.e2e_s:
        whole_s = flight.e2e_s - best.tpot_s * max(0, flight.output_tokens - 1)
        promised_s = min(promised_s, whole_s) if promised_s else whole_s
    return promised_s - (at - flight.arrived_at) if promised_s else 0.0


def note_repeat(state: State, flight: Flight, owner: str) -> None:
    """A prompt of a class that may be cut arrives: was it answered before, in one of the arms?"""
    seen = state.sessions.prompts.get((owner, flight.head.body_digest))
    if seen is not None and seen.context_arm != NO_ARM:
        state.context_loops[flight.klass.name].note_repeat(seen.context_arm)
        seen.context_arm = NO_ARM


def note_answered(state: State, flight: Flight) -> None:
    """A probe's answer went out: from now on the same prompt again is a repeat."""
    loop, grant = state.context_loops.get(flight.klass.name), flight.granted
    if loop is None or grant is None or grant.arm == NO_ARM:
        return
    loop.note_answered(grant.arm, grant.spent_usd, grant.saved_usd)
    owner = flight.session or flight.owner
    seen = state.sessions.prompts.get((owner, flight.head.body_digest))
    if seen is not None:
        seen.context_arm = grant.arm
