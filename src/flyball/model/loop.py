"""What is a control loop: what does it read, move, want, how fast, within which limits?"""

from math import inf
from typing import Literal

from msgspec import Struct

from flyball.units import Ratio, Seconds

LoopMode = Literal["observe", "advise", "enforce"]
Law = Literal["hpa", "sdk-retry", "cooldown", "preemption", "other"]


class Loop(Struct, frozen=True, kw_only=True):
    """One mechanism with a sensor, an actuator, an objective, a period and authority.

    A set-point moves at most `rate_per_s` a second (in the actuator's own unit; as a share of it
    where `is_relative`), not at all for a wish within `dead_band` of it, and by at most
    `gain_cap` of the way to the wish in one period. `feedback` = by which share of the set-point
    the wish itself answers to it (0 = feed-forward): with the delay it bounds the gain.
    """

    name: str
    sensor: str
    actuator: str
    objective: str
    period_s: Seconds
    delay_s: Seconds = 0.0
    limit_low: float = 0.0
    limit_high: float = float("inf")
    mode: LoopMode = "enforce"
    owner: str = "flyball"
    rate_per_s: float = inf
    dead_band: float = 0.0
    gain_cap: Ratio = 1.0
    is_relative: bool = False
    is_whole: bool = False
    feedback: float = 0.0


class LoopPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator set for one loop; None = as the loop declares. `scopes` () = everywhere."""

    name: str
    mode: LoopMode = "advise"
    scopes: tuple[str, ...] = ()
    limit_low: float | None = None
    limit_high: float | None = None
    period_s: Seconds | None = None
    rate_per_s: float | None = None
    dead_band: float | None = None
    horizon_s: Seconds | None = None
    start_s: Seconds | None = None


class ForeignLoop(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A loop that is not ours but moves the same plant: its known law, what it moves and where.

    `gain` = relative move of its actuator per relative error of its sensor in one period: an HPA's
    is 1 (replicas * measured / target). `scope` "" = everywhere.
    """

    name: str
    law: Law
    actuator: str
    scope: str = ""
    period_s: Seconds = 15.0
    delay_s: Seconds = 0.0
    gain: float = 1.0
