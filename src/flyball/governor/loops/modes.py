"""May this loop act now: what did the operator set, is it held, has it fallen back by itself?

Three things can only take freedom away, never give it: the mode of the whole gateway, a hold, and
an automatic fall-back. Each keeps its reason, so that whoever asks why a loop stands still is told.
"""

from collections.abc import Iterable, Sequence

from flyball.model.loop import LoopMode, LoopPolicy
from flyball.units import Seconds

DEFAULT_MODE: LoopMode = "enforce"
# Held only by name: an operator who freezes the fleet must not freeze what takes failing endpoints
# out of it, nor what keeps retries from feeding on themselves.
SAFETY = frozenset({"health", "retry"})
NAMES_MAX = 256


class Hold:
    """Set-points are frozen: until when (None = till released), why, and by whom."""

    __slots__ = ("reason", "until", "who")

    def __init__(self, until: Seconds | None, reason: str, who: str) -> None:
        self.until = until
        self.reason = reason
        self.who = who

    def lasts(self, at: Seconds) -> bool:
        """Whether it is still in force."""
        return self.until is None or at < self.until


class LoopModes:
    """Modes of all loops by name. `effective` is what a loop asks before each move."""

    def __init__(self, policies: Sequence[LoopPolicy] = (), gateway_mode: str = "enforce") -> None:
        self._set_by_operator: dict[str, LoopMode] = {}
        self._holds: dict[str, Hold] = {}
        self._hold_all: Hold | None = None
        self._fallbacks: dict[str, str] = {}
        self._configured: dict[str, LoopMode] = {}
        self._observes_all = False
        self.adopt(policies, gateway_mode)

    def adopt(self, policies: Iterable[LoopPolicy], gateway_mode: str) -> None:
        """A configuration comes into force; what was set, held or fell back meanwhile stays."""
        self._configured = {one.name: one.mode for one in policies}
        self._observes_all = gateway_mode == "observe"

    def effective(self, name: str, at: Seconds) -> LoopMode:
        """What the loop may do now; a loop that nobody named enforces.

        Held or fallen back = "observe": it decides and records, and its set-point stays.
        """
        if self._observes_all or self._fallbacks.get(name) or self.hold_of(name, at) is not None:
            return "observe"
        return self.set_mode(name)

    def set_mode(self, name: str) -> LoopMode:
        """The operator's own mode: set at run time, else by the configuration, else enforce."""
        found = self._set_by_operator.get(name)
        return found or self._configured.get(name, DEFAULT_MODE)

    def hold_of(self, name: str, at: Seconds) -> Hold | None:
        """The hold in force on this loop, its own first."""
        own = self._holds.get(name)
        if own is not None and own.lasts(at):
            return own
        everyone = self._hold_all
        if everyone is not None and name not in SAFETY and everyone.lasts(at):
            return everyone
        return None

    def why(self, name: str, at: Seconds) -> str:
        """Why it may do less than its mode says; "" = nothing keeps it from that."""
        hold = self.hold_of(name, at)
        if hold is not None:
            return f"held by {hold.who or 'an operator'}: {hold.reason or 'no reason given'}"
        if self._fallbacks.get(name):
            return f"fell back: {self._fallbacks[name]}"
        return "the gateway only observes" if self._observes_all else ""

    def set_by_operator(self, name: str, mode: LoopMode | None) -> None:
        """Change a loop's mode while it runs; None = as configured. Beyond `NAMES_MAX` names,
        none more is taken."""
        if mode is None:
            self._set_by_operator.pop(name, None)
        elif name in self._set_by_operator or len(self._set_by_operator) < NAMES_MAX:
            self._set_by_operator[name] = mode

    def hold(self, name: str, until: Seconds | None, reason: str, who: str) -> None:
        """Freeze one loop's set-points, or with "" those of all loops but the safety ones."""
        if not name:
            self._hold_all = Hold(until, reason, who)
        elif name in self._holds or len(self._holds) < NAMES_MAX:
            self._holds[name] = Hold(until, reason, who)

    def release(self, name: str) -> None:
        """End a hold; with "" every hold there is."""
        if name:
            self._holds.pop(name, None)
        else:
            self._hold_all = None
            self._holds.clear()

    def fall_back(self, name: str, reason: str) -> bool:
        """Stand still by itself for this reason ("" = go on); True if that began or ended now."""
        before = bool(self._fallbacks.get(name))
        if reason:
            self._fallbacks[name] = reason
        else:
            self._fallbacks.pop(name, None)
        return before != bool(reason)

    def fallback_of(self, name: str) -> str:
        """Why it fell back; "" = it did not."""
        return self._fallbacks.get(name, "")
