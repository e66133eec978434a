"""Which policies hold in the simulated world, and from when on?

A scenario gives Cedar text, and a time for each change. Every gateway hears of a change at once, by
the same event as in the real one.
"""

from collections.abc import Sequence

from flyball.authority.policy.cedar import CedarLibrary
from flyball.authority.policy.policies import PolicyErrors, PolicySet, load
from flyball.governor.authority import Library, NoBundles
from flyball.governor.events import BundlesSet
from flyball.governor.governor import Governor
from flyball.sim.clock import Clock
from flyball.sim.driver import Driver
from flyball.sim.loops import Core
from flyball.sim.scenario import RuleShape


class Rules:
    """The sets of policies of one scenario, read. Raises PolicyErrors (a ValueError)."""

    def __init__(self, shapes: Sequence[RuleShape]) -> None:
        self._timed = [(one.at_s, _read(one, i)) for i, one in enumerate(shapes)]
        self.shelf: Library = NoBundles()
        if self._timed:
            self.shelf = CedarLibrary({one.digest: one for _, one in self._timed})

    def arm(self, clock: Clock, driver: Driver, cores: Sequence[Core]) -> None:
        """Those from the beginning are in force; the others come at their time."""
        for at_s, policy_set in self._timed:
            if at_s <= clock.now:
                _tell(driver, cores, policy_set.digest)
            else:
                clock.at(at_s, lambda digest: _tell(driver, cores, digest), policy_set.digest)


def rule_faults(shapes: Sequence[RuleShape]) -> list[tuple[tuple[str | int, ...], str, str]]:
    """(path, message, next step) of every set of policies that cannot be used."""
    found: list[tuple[tuple[str | int, ...], str, str]] = []
    for number, one in enumerate(shapes):
        try:
            _read(one, number)
        except PolicyErrors as errors:
            for fault in errors.faults:
                found.append((("policy", "rules", number, "cedar"), str(fault), fault.next_step))
    return found


def _read(shape: RuleShape, number: int) -> PolicySet:
    return load({f"rules-{number}.cedar": shape.cedar}, shape.entities)


def _tell(driver: Driver, cores: Sequence[Core], digest: str) -> None:
    for gateway, core in enumerate(cores):
        if isinstance(core, Governor):
            driver.feed(gateway, BundlesSet(driver.time(gateway), (digest,), by="scenario"))
