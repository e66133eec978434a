"""Which fault is injected into which request?"""

import random
from difflib import get_close_matches
from typing import Literal, get_args

from msgspec import Struct

from flyball.units import Ratio

Kind = Literal["error-503", "error-429", "stall", "garbage", "close-early", "slow"]
KINDS: tuple[str, ...] = get_args(Kind)
FAULTS_MAX = 16


class Fault(Struct, frozen=True, forbid_unknown_fields=True):
    """One injected fault: it strikes a request with probability `ratio`.

    `after_chunks`: stall, garbage and close-early strike after that many chunks of a stream (0 =
    before any). `factor`: how many times slower `slow` makes the answer.
    """

    kind: Kind
    ratio: Ratio = 1.0
    after_chunks: int = 0
    factor: float = 4.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.ratio <= 1.0:
            raise ValueError(f"ratio must lie in 0..1, got {self.ratio}")
        if self.after_chunks < 0:
            raise ValueError(f"after_chunks must not be negative, got {self.after_chunks}")
        if self.factor < 1.0:
            raise ValueError(f"factor must be at least 1, got {self.factor}")


class Faults:
    """The faults in force; which requests they strike depends on the seed and their order alone."""

    def __init__(self, seed: int) -> None:
        self.in_force: list[Fault] = []
        self._chance = random.Random(seed)

    def add(self, fault: Fault) -> None:
        """Put a fault in force, in place of one of its kind; ValueError if there are too many."""
        kept = [other for other in self.in_force if other.kind != fault.kind]
        if len(kept) >= FAULTS_MAX:
            raise ValueError(f"at most {FAULTS_MAX} faults can be in force")
        self.in_force = [*kept, fault]

    def clear(self) -> None:
        """No faults from now on."""
        self.in_force = []

    def draw(self) -> Fault | None:
        """The fault that strikes the next request, if any."""
        struck: Fault | None = None
        for fault in self.in_force:
            # One draw per fault and request, struck or not, so that runs can be compared.
            if self._chance.random() < fault.ratio and struck is None:
                struck = fault
        return struck


def parse_fault(text: str) -> Fault:
    """`kind` or `kind:ratio`; ValueError says what is wrong."""
    kind, _, ratio = text.partition(":")
    if kind not in KINDS:
        close = get_close_matches(kind, KINDS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(KINDS)}"
        raise ValueError(f"no fault is named {kind!r}; {hint}")
    try:
        share = float(ratio) if ratio else 1.0
    except ValueError:
        raise ValueError(f"the ratio of {text!r} is not a number") from None
    return Fault(kind=kind, ratio=share)  # pyright: ignore[reportArgumentType]
