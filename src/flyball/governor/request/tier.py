"""Who answers: the model that was asked for, or a smaller one whose answer is worth more now?

Each lower tier of the class is priced like the model itself, its answer worth less by its ratio.
The most value after all prices wins; what would wait or be refused counts as nothing won. A stored
answer is continued where it lives, and an attempt under way stays with its model.
"""

from flyball.governor.flight import Flight
from flyball.governor.loops.demotion import DEMOTION, is_better, lower_tiers
from flyball.governor.request.authorize import scope_of
from flyball.governor.request.grant import granted
from flyball.governor.request.identify import CONTINUES
from flyball.governor.request.leave import may
from flyball.governor.request.pick import Choice, Wait, pick
from flyball.governor.state import State
from flyball.model.faults import Refusal
from flyball.units import Seconds, Usd


def pick_tier(state: State, flight: Flight, at: Seconds) -> Choice | Wait | Refusal:
    """`pick`, and for a class with tiers whether one of them is better; the flight is set to it."""
    answer = pick(state, flight, at)
    tiers = flight.klass.tiers
    if not tiers or flight.attempt or flight.session_source == CONTINUES:
        return answer
    if flight.guarantee is not None or (flight.granted is not None and flight.granted.model):
        return answer
    mode = state.modes.effective(DEMOTION.name, at)
    if mode == "observe":
        return answer
    best = _Tried(flight, answer)
    asked, model = best, ""
    allowed = flight.principal.models
    for name, ratio in lower_tiers(tiers, flight.head.model):
        if allowed and name not in allowed:
            continue
        scope = scope_of(state, flight, name)
        if scope is None or not scope.count:
            continue
        flight.scope, flight.value_usd = scope, asked.value_usd * ratio
        tried = _Tried(flight, pick(state, flight, at))
        if is_better(tried.surplus_usd, best.surplus_usd, asked.value_usd):
            best, model = tried, name
    if model and not _may_demote(state, flight, best, at):
        model = ""
    if model and mode == "enforce":
        best.restore(flight)
        granted(flight).model = model
        return best.answer
    asked.restore(flight)
    if model:
        flight.advice = f"demotion: {model} in place of {flight.head.model}"
    return asked.answer


def _may_demote(state: State, flight: Flight, tried: "_Tried", at: Seconds) -> bool:
    """Whether policy lets a class be answered by less, there."""
    if not isinstance(tried.answer, Choice):
        return False
    pool = state.view.endpoints[tried.answer.endpoint].pool_index
    return may(state, flight, "demote", DEMOTION.name, pool, at)


class _Tried:
    """One tier's answer, with all that pricing it left on the flight."""

    __slots__ = ("_blocks_held", "_matches", "_scope", "answer", "value_usd")

    def __init__(self, flight: Flight, answer: Choice | Wait | Refusal) -> None:
        self.answer = answer
        self.value_usd: Usd = flight.value_usd
        self._scope = flight.scope
        self._matches = flight.matches
        self._blocks_held = flight.blocks_held

    @property
    def surplus_usd(self) -> Usd:
        """Value less price; nothing is won by waiting or by a refusal."""
        if not isinstance(self.answer, Choice):
            return 0.0
        return self.value_usd - self.answer.candidates[0].total_usd

    def restore(self, flight: Flight) -> None:
        """Make the flight as it was when this was tried."""
        flight.scope, flight.value_usd = self._scope, self.value_usd
        flight.matches, flight.blocks_held = self._matches, self._blocks_held
