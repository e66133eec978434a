"""What does a power loop see of a site, and what may it order?"""

from typing import Protocol

from msgspec import Struct

from flyball.units import Ratio, Seconds, Watts


class PowerReading(Struct, frozen=True, kw_only=True):
    """One site at one moment; `replica_watts_max` = one replica at full power."""

    at: Seconds
    site: str
    watts: Watts
    watts_max: Watts
    replicas: int
    replica_watts_max: Watts


class PowerOrder(Struct, frozen=True, kw_only=True):
    """A cap for each replica (infinite = none) and clocks as shares of the highest clock, for
    work of low and of high priority."""

    replica_watts_cap: Watts = float("inf")
    clock_ratio_low: Ratio = 1.0
    clock_ratio_high: Ratio = 1.0


class PowerLoop(Protocol):
    """Asked every `period_s` for each site."""

    period_s: Seconds

    def order(self, reading: PowerReading) -> PowerOrder:
        """The caps and clocks to set."""
        ...
