"""A core whose demand and outcomes the test says, looked at by its own diagnosis."""

from collections.abc import Iterable
from typing import Any

from flyball.diagnosis.finding import Finding
from flyball.governor.commands import Command, Diagnosed, Notice, Record
from flyball.governor.events import Tick
from flyball.governor.governor import Governor
from flyball.governor.policy import Diagnosis
from flyball.model.acts import FindingSet
from flyball.model.decision import LoopAction
from flyball.model.signals import Settled
from support import fleets, steering


def settled(**changes: Any) -> Settled:
    """A chat answer of the first endpoint, in time; override any field."""
    fields: dict[str, Any] = {
        "at": 100.0,
        "class_name": "chat",
        "model": "m",
        "endpoint": 0,
        "outcome": "served",
        "is_retry": False,
        "prompt_bytes": 4000,
        "input_tokens": 1000,
        "cached_tokens": 0,
        "output_tokens": 200,
        "ttft_s": 0.2,
        "e2e_s": 2.0,
        "ttft_s_predicted": 0.2,
        "tpot_s_predicted": 0.01,
        "in_time": True,
        "status": 200,
        "cost_usd": 0.001,
    }
    return Settled(**(fields | changes))


class Watched:
    """Ticks once a second, looks every `interval_s`; `rates` = demand by class."""

    def __init__(self, interval_s: float = 10.0, mode: str = "advise", **policy: Any) -> None:
        rules = Diagnosis(mode=mode, interval_s=interval_s)  # type: ignore[arg-type]
        self.core = Governor(
            policy.pop("fleet", fleets.fleet()), fleets.policy(diagnosis=rules, **policy)
        )
        self.at = 100.0
        self.rates: dict[str, float] = {"chat": 5.0}
        self.said: list[Command] = []

    def ticks(self, seconds: int, batch: Iterable[Settled] = ()) -> list[Command]:
        """So many seconds pass, each with these outcomes."""
        some = tuple(batch)
        said: list[Command] = []
        for _ in range(seconds):
            self.at += 1.0
            steering.demand(self.core.state, self.rates)
            for tally in self.core.state.tallies.values():
                tally.updated_at = self.at
            for one in some:
                self.core.state.note_settled(one)
            said += self.core.handle(Tick(self.at))
        self.said += said
        return said


def looks(said: Iterable[Command]) -> list[Diagnosed]:
    return [one for one in said if isinstance(one, Diagnosed)]


def standing(said: Iterable[Command]) -> tuple[Finding, ...]:
    """Findings of the last look."""
    return looks(said)[-1].findings


def codes(said: Iterable[Command]) -> list[str]:
    return [one.code for one in standing(said)]


def records(said: Iterable[Command]) -> list[FindingSet]:
    found = [one.record for one in said if isinstance(one, Record)]
    return [one for one in found if isinstance(one, FindingSet)]


def holds(said: Iterable[Command]) -> list[LoopAction]:
    found = [one.record for one in said if isinstance(one, Record)]
    return [one for one in found if isinstance(one, LoopAction) and one.actuator == "loop.hold"]


def notices(said: Iterable[Command]) -> list[Notice]:
    return [
        one for one in said if isinstance(one, Notice) and one.code in ("finding", "finding-gone")
    ]
