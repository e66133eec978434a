"""Which units does the project count in, and how do they convert? (Conversions stand only here.)

The aliases mark borders: a field of type `Seconds` holds seconds, and a name inside carries its
unit (`latency_s_p99`, `power_watts_max`). They are plain floats, so arithmetic costs nothing.
"""

from typing import TypeAlias

Seconds: TypeAlias = float
Joules: TypeAlias = float
Watts: TypeAlias = float
Tokens: TypeAlias = int
Bytes: TypeAlias = int
Usd: TypeAlias = float
Ratio: TypeAlias = float

MS_PER_S = 1e3
US_PER_S = 1e6
SECONDS_PER_HOUR = 3600.0
JOULES_PER_KWH = 3.6e6
BYTES_PER_GBIT = 1e9 / 8
BYTES_PER_GB = 1e9


def seconds_from_ms(ms: float) -> Seconds:
    """Milliseconds to seconds."""
    return ms / MS_PER_S


def ms_from_seconds(seconds: Seconds) -> float:
    """Seconds to milliseconds."""
    return seconds * MS_PER_S


def usd_per_second(usd_per_hour: Usd) -> Usd:
    """A price per hour to a price per second."""
    return usd_per_hour / SECONDS_PER_HOUR


def usd_per_joule(usd_per_kwh: Usd) -> Usd:
    """A tariff per kWh to a price per joule."""
    return usd_per_kwh / JOULES_PER_KWH


def bytes_per_second(gbps: float) -> float:
    """Gigabits per second, as links are sold, to bytes per second."""
    return gbps * BYTES_PER_GBIT
