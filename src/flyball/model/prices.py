"""What does each scarce resource cost now, how old is that price, and until when is it valid?"""

from msgspec import Struct

from flyball.units import Ratio, Seconds, Usd


class PoolPrice(Struct, frozen=True, kw_only=True):
    """Shadow prices of one pool's resources."""

    pool: str
    usd_per_gpu_second: Usd = 0.0
    usd_per_kv_token_second: Usd = 0.0
    usd_per_joule: Usd = 0.0
    load: Ratio = 0.0


class PriceBoard(Struct, frozen=True, kw_only=True):
    """A versioned vector of prices. Version 0 = no plan yet: every shadow price is zero.

    `budgets`: USD of shadow price per USD spent; `links`: USD per byte, by site; `groups`: USD per
    second of one shared replica. `replicas` = whole ones that the plan asks for, by pool.
    """

    version: int
    made_at: Seconds
    valid_until: Seconds
    pools: tuple[PoolPrice, ...] = ()
    gap: Ratio = 0.0
    budgets: tuple[tuple[str, Usd], ...] = ()
    links: tuple[tuple[str, Usd], ...] = ()
    groups: tuple[tuple[str, Usd], ...] = ()
    replicas: tuple[tuple[str, int], ...] = ()

    def age_s(self, at: Seconds) -> Seconds:
        """Seconds since it was made, never negative (a clock may step backward)."""
        return max(0.0, at - self.made_at)

    def is_valid(self, at: Seconds) -> bool:
        """Whether a consumer may still act on it."""
        return self.version > 0 and at <= self.valid_until


NO_BOARD = PriceBoard(version=0, made_at=0.0, valid_until=0.0)
