"""What must a rule for retries answer, wherever it stands (in a client, or in a gateway)?"""

from collections.abc import Mapping

from flyball.sim.rivals.constants import constants
from flyball.units import Seconds


class Retry:
    """Asked after each failure; told when a retry that it allowed has ended."""

    name = ""

    def __init__(self, tuned: Mapping[str, float] | None = None) -> None:
        self.constants = constants(self.name, tuned)

    def wait_s(
        self, attempt: int, status: int, retry_after_s: Seconds, draw: float, in_flight: int
    ) -> Seconds | None:
        """Seconds until the next try; None = give up.

        `attempt` counts from 1 and has just failed with `status` (0 = no answer at all);
        `retry_after_s` 0 = not told; `draw` is uniform in [0, 1); `in_flight` = requests now.
        """
        raise NotImplementedError

    def ended(self) -> None:
        """A retry that was allowed is over."""
