"""What really happened in a scenario: which loops, which kind of trouble, when were users harmed?

Detectors never see it. A neutral scenario harms nobody; any finding in it is a false alarm.
"""

from typing import Any, Literal

import msgspec
import numpy as np
from msgspec import Struct

from flyball.diagnosis.signals import Signals
from flyball.units import Seconds

Form = Literal["ramp", "step", "latent", "neutral"]
Kind = Literal[
    "fold",
    "oscillatory",
    "metastable",
    "direct",
    "indirect",
    "implicit",
    "temporal",
    "sign",
    "saturation",
    "signal",
    "budget",
    "drift",
]
# What detectors call a kind, where it is not the word itself.
SAME_KIND: dict[str, Kind] = {
    "gain margin": "oscillatory",
    "sensitivity": "oscillatory",
    "load margin": "fold",
    "cost gain": "fold",
    "no rest": "fold",
}
HARM_RATIO = 0.02
HARM_S: Seconds = 600.0


class Truth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`began_s` = when the fleet became unsafe (a ramp's begin, a step's moment, 0 for what is
    latent from the first row): a finding before it is false. `harm_s` None = nobody was harmed.
    `kinds` = the words that name the mechanism rightly, the best first. `period_s` = the slowest
    of the loops' periods, by which a step's delay is judged."""

    name: str
    form: Form
    half: Literal["tuning", "judging"]
    plant: str
    seed: int
    loops: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    began_s: Seconds = 0.0
    harm_s: Seconds | None = None
    period_s: Seconds = 30.0
    source: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError where it contradicts itself."""
        if self.form == "neutral" and (self.harm_s is not None or self.loops or self.kinds):
            raise ValueError(f"{self.name}: a neutral scenario has no harm, loops or kinds")
        if self.form != "neutral" and not (self.loops and self.kinds):
            raise ValueError(f"{self.name}: name the loops and the kind of trouble")
        if self.harm_s is not None and self.harm_s < self.began_s:
            raise ValueError(f"{self.name}: harm at {self.harm_s} s, before it began")


def truth_of(data: Any) -> Truth:
    """From the data of a truth file. Raises ValueError naming the field that is wrong."""
    try:
        return msgspec.convert(data, Truth)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


def harmed_at(signals: Signals) -> Seconds | None:
    """The end of the first ten minutes in which more than 2 % of finished tasks were bad."""
    width = max(round(HARM_S / signals.step_s), 1)
    if len(signals.values) <= width:
        return None
    bad = np.cumsum(np.nan_to_num(signals.column("plant.bad_per_s")))
    done = np.cumsum(np.nan_to_num(signals.column("plant.finished_per_s")))
    # Where nothing is finished any more, that is harm too.
    over = (bad[width:] - bad[:-width]) > HARM_RATIO * (done[width:] - done[:-width])
    stuck = (done[width:] - done[:-width]) <= 0.0
    at = np.flatnonzero(over | stuck)
    return float(signals.times_s[int(at[0]) + width]) if len(at) else None
