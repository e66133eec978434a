"""Where does each actuator stand, where does its loop want it, and how far may it go now?

A set-point is a plain number for one actuator and scope. What is wished is approached: not at all
within the dead band, by the gain's share of the way, at most by the rate limit, inside the limits.
The exact set-point is kept between moves; an actuator that takes whole numbers gets it rounded
toward where it stands, so that a share of a replica is not a replica.
"""

from math import ceil, floor

from msgspec import Struct

from flyball.governor.loops.response import Response
from flyball.model.loop import Loop
from flyball.units import Ratio, Seconds

ROUNDING = 1e-9
SET_POINTS_MAX = 16_384
# Periods over which a loop that stood still gets back its full gain.
RAMP_PERIODS = 4


class Wish(Struct, frozen=True):
    """Where a loop wants one actuator: value, why, and which endpoints it is about.

    `present` = where it stands, as far as the loop knows. `reading` = its sensor now, and
    `slope` = by how much the reading should change per unit of the actuator (0 = not said).
    `is_urgent` = gain and rate do not hold it back (a limit would be broken, or nothing runs).
    """

    scope: str
    value: float
    reason: str
    present: float
    targets: tuple[str, ...] = ()
    reading: float = 0.0
    slope: float = 0.0
    is_urgent: bool = False


class SetPoint:
    """One actuator at one scope."""

    __slots__ = ("exact", "fault", "moved_at", "present", "ramp", "response", "shown")

    def __init__(self, present: float, at: Seconds) -> None:
        self.present = present
        self.exact = present
        self.moved_at = at
        self.ramp = RAMP_PERIODS
        self.shown: tuple[float, float, str] | None = None
        self.fault = ""
        self.response = Response()

    def stands(self, value: float) -> None:
        """The actuator stands here, whoever moved it; the loop goes on from there."""
        if abs(value - self.present) > ROUNDING:
            self.present = self.exact = value

    def rest(self) -> None:
        """The loop may not move it: when it may again it begins where the actuator stands, with
        little gain at first (bumpless)."""
        self.exact = self.present
        self.ramp = 0
        self.response.forget()

    def approach(self, loop: Loop, wish: Wish, gain: Ratio, elapsed_s: Seconds) -> float:
        """The value to set now, where `gain` in [0, 1] is what the loop may use; the present one if
        nothing should move."""
        target = min(loop.limit_high, max(loop.limit_low, wish.value))
        scale = max(abs(self.present), 1.0) if loop.is_relative else 1.0
        if abs(target - self.present) <= loop.dead_band * scale + ROUNDING:
            self.exact = self.present
            return self.present
        if wish.is_urgent:
            self.exact = target
            return target
        if self.ramp < RAMP_PERIODS:
            self.ramp += 1
        step = gain * self.ramp / RAMP_PERIODS * (target - self.exact)
        most = loop.rate_per_s * scale * max(0.0, elapsed_s)
        self.exact += min(most, max(-most, step))
        return self._rounded(target) if loop.is_whole else self.exact

    def _rounded(self, target: float) -> float:
        """Whole steps that are done; a wish less than half a step away is as good as reached."""
        if abs(self.exact - target) < 0.5:
            return float(round(target))
        up = self.exact >= self.present
        return float(floor(self.exact + ROUNDING) if up else ceil(self.exact - ROUNDING))


class SetPoints:
    """All of them, by actuator and scope; bounded."""

    def __init__(self) -> None:
        self._points: dict[tuple[str, str], SetPoint] = {}

    def __len__(self) -> int:
        return len(self._points)

    def of(self, actuator: str, scope: str, present: float, at: Seconds) -> SetPoint:
        """The set-point there, begun at `present` when it is new."""
        found = self._points.get((actuator, scope))
        if found is None:
            if len(self._points) >= SET_POINTS_MAX:
                self._points.pop(next(iter(self._points)))
            found = self._points[(actuator, scope)] = SetPoint(present, at)
        return found

    def find(self, actuator: str, scope: str) -> SetPoint | None:
        """The set-point there, if a loop or its actuator ever told one."""
        return self._points.get((actuator, scope))

    def value(self, actuator: str, scope: str, otherwise: float) -> float:
        """Where that actuator stands, or `otherwise` if nobody knows."""
        found = self._points.get((actuator, scope))
        return found.present if found is not None else otherwise
