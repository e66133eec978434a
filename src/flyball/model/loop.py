"""What is a control loop: what does it read, move, want, how fast, within which limits?"""

from typing import Literal

from msgspec import Struct

from flyball.units import Seconds

LoopMode = Literal["observe", "advise", "enforce"]


class Loop(Struct, frozen=True, kw_only=True):
    """One mechanism with a sensor, an actuator, an objective, a period and authority."""

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
