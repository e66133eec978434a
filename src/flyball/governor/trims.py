"""What is remembered between two plans, so that the prices of money can follow what is spent?"""

from flyball.model.prices import NO_BOARD, PriceBoard
from flyball.units import Seconds, Usd


class Trims:
    """The plan as it was made, money spent by budget (USD/s), and what was added to its prices."""

    def __init__(self) -> None:
        self.plan: PriceBoard = NO_BOARD
        self.usd_per_s: dict[str, float] = {}
        self.added: dict[str, Usd] = {}
        self.read_at: Seconds = float("-inf")

    def on_top(self, budgets: tuple[tuple[str, Usd], ...]) -> tuple[tuple[str, Usd], ...]:
        """A plan's prices with the trims."""
        return tuple((name, max(0.0, price + self.added.get(name, 0.0))) for name, price in budgets)
