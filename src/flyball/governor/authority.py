"""What does the core ask of whoever knows the policies? (A port: the core holds no policy engine.)

An `Authority` is pure: the same question gets the same answer, no clock or file is read. Which
bundles are in force is told to the core by the event `BundlesSet`, so an event log says it all.
"""

from typing import Protocol

from flyball.model.verdict import Circumstances, Place, Subject, Verdict

ALLOWED = Verdict(allowed=True)


class Authority(Protocol):
    """The policies of some bundles, all of which must allow."""

    @property
    def digests(self) -> tuple[str, ...]:
        """Digests of the bundles asked, workload first; () = none is in force."""
        ...

    def mask(self, subject: Subject, places: tuple[Place, ...]) -> tuple[str, ...]:
        """For each place "" if some circumstances could make it allowed, else the rule against it.

        Never narrower than `decide`: what `decide` allows, the mask allows.
        """
        ...

    def decide(self, subject: Subject, circumstances: Circumstances, place: Place) -> Verdict:
        """The authorization itself."""
        ...


class Library(Protocol):
    """All bundles that a driver has verified, by digest."""

    def authority(self, digests: tuple[str, ...]) -> Authority | None:
        """Those bundles together; None if one of them is not at hand."""
        ...


class Open:
    """No bundle is in force: all that configuration allows is allowed."""

    digests: tuple[str, ...] = ()

    def mask(self, subject: Subject, places: tuple[Place, ...]) -> tuple[str, ...]:
        """Nothing is masked."""
        return ("",) * len(places)

    def decide(self, subject: Subject, circumstances: Circumstances, place: Place) -> Verdict:
        """Always yes."""
        return ALLOWED


class NoBundles:
    """A driver that has no bundles: only the open authority exists."""

    def authority(self, digests: tuple[str, ...]) -> Authority | None:
        """Open for no digests, nothing else."""
        return None if digests else Open()
