"""Was each attempt placed by an authority that was alive then: mandate, bundles, no stop?

Two passes: the acts first (mandates, revocations, bundles, stops), then every intent is held
against them by time, whatever log each of them stands in. What a gateway could not have known yet
is no fault of it: `EFFECT_S` is the time that an act may take to reach each of its workers.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from operator import itemgetter

from flyball.model.acts import BundleSet, MandateSet, Oversight, RevocationSet
from flyball.model.decision import Intent, Record, Warrant
from flyball.model.mandate import subjects_named
from flyball.units import Seconds

EFFECT_S: Seconds = 0.25
Acts = BundleSet | MandateSet | Oversight | RevocationSet


class Timeline:
    """What was in force when: (from, value) in the order of time."""

    def __init__(self) -> None:
        self._turns: list[tuple[Seconds, str]] = []

    def turn(self, at: Seconds, value: str) -> None:
        """From `at` on it is `value`, "" = nothing."""
        self._turns.insert(bisect_right(self._turns, at, key=itemgetter(0)), (at, value))

    def during(self, at: Seconds) -> set[str]:
        """All that was in force within EFFECT_S of `at`, "" if nothing was at some time of it."""
        first = bisect_right(self._turns, at - EFFECT_S, key=itemgetter(0))
        last = bisect_right(self._turns, at + EFFECT_S, key=itemgetter(0))
        before = self._turns[first - 1][1] if first else ""
        return {before, *(value for _, value in self._turns[first:last])}


class Entitlement:
    """Holds intents against the acts. `is_cut`: older acts may have been pruned."""

    def __init__(self, acts: Iterable[Record], is_cut: bool = False) -> None:
        self._is_cut = is_cut
        self.mandates: dict[str, MandateSet] = {}
        self.revoked: dict[str, RevocationSet] = {}
        self.voided: dict[str, list[RevocationSet]] = {}
        self.bundles: dict[str, Timeline] = {}
        self._humans: dict[str, str] = {}
        self._stops: dict[str, Timeline] = {}
        self._used: dict[str, str] = {}
        for act in sorted((act for act in acts if isinstance(act, Acts)), key=lambda act: act.at):
            self._take(act)

    def _take(self, act: Acts) -> None:
        if isinstance(act, MandateSet):
            self.mandates.setdefault(act.chain[-1], act)
            self._humans.setdefault(act.chain[0], act.human)
        elif isinstance(act, RevocationSet):
            for one in act.ids:
                self.revoked.setdefault(one, act)
            for one in act.subjects:
                self.voided.setdefault(one, []).append(act)
        elif isinstance(act, BundleSet):
            if act.in_force:
                self.bundles.setdefault(act.role, Timeline()).turn(act.at, act.digest)
        elif act.act in ("stop", "resume"):
            stopped = act.by if act.act == "stop" else ""
            turns = self._stops.setdefault(act.scope, Timeline())
            turns.turn(act.at, stopped)
            if stopped and act.until > act.at:
                turns.turn(act.until, "")

    def check(self, intent: Intent) -> Iterator[str]:
        """What was wrong with its authority, as sentences."""
        yield from self._stopped(intent)
        warrant = intent.warrant
        if not isinstance(warrant, Warrant):
            return
        yield from self._void(intent, warrant)
        yield from self._left_out(intent, warrant)
        yield from self._unlike(intent, warrant)
        yield from self._bundles(intent, warrant)
        for name in warrant.approvals:
            user = self._used.setdefault(name, intent.id)
            if user != intent.id:
                yield f"{intent.id} used the approval {name}, which {user} had used up."

    def _void(self, intent: Intent, warrant: Warrant) -> Iterator[str]:
        for one in warrant.chain:
            end = self.revoked.get(one)
            if end is not None and intent.at > end.at + EFFECT_S:
                yield (
                    f"{intent.id} was placed {intent.at - end.at:.2f} s after {end.by} revoked "
                    f"{one}, which its mandate descends from ({end.id})."
                )
            known = self.mandates.get(one)
            if known is not None and 0 < known.expires_at <= intent.at:
                yield (
                    f"{intent.id} was placed {intent.at - known.expires_at:.2f} s after its "
                    f"mandate {one} had expired."
                )

    def _left_out(self, intent: Intent, warrant: Warrant) -> Iterator[str]:
        """Whether all that the person had been granted by then was void."""
        if not warrant.human or not self.voided:
            return
        for subject in subjects_named(warrant.human, warrant.session):
            for end in self.voided.get(subject, ()):
                if voids(end, subject, warrant) and intent.at > end.at + EFFECT_S:
                    yield (
                        f"{intent.id} was placed {intent.at - end.at:.2f} s after {end.by} revoked "
                        f"all of {subject} ({end.id})."
                    )

    def _unlike(self, intent: Intent, warrant: Warrant) -> Iterator[str]:
        """What it says of its mandate against what the record of that mandate says."""
        if not warrant.chain:
            return
        human = self._humans.get(warrant.chain[0], warrant.human)
        if human != warrant.human:
            yield f"{intent.id} names {warrant.human} as its human, its mandate's is {human}."
        for depth, one in enumerate(warrant.chain, 1):
            known = self.mandates.get(one)
            if known is not None and known.chain != warrant.chain[:depth]:
                yield f"{intent.id} descends from {one} by another chain than {known.id} says."

    def _bundles(self, intent: Intent, warrant: Warrant) -> Iterator[str]:
        if not self.bundles:
            return
        live: set[str] = set()
        for role, turns in self.bundles.items():
            found = turns.during(intent.at)
            live |= found
            if "" not in found and not found.intersection(warrant.bundles):
                yield f"{intent.id} was placed without asking the {role} bundle in force."
        if self._is_cut:
            return
        for digest in warrant.bundles:
            if digest not in live:
                yield f"{intent.id} was placed under the bundle {digest}, not in force then."

    def _stopped(self, intent: Intent) -> Iterator[str]:
        scopes = (
            "all",
            f"class:{intent.class_name}",
            f"session:{intent.session}",
            f"principal:{intent.principal}",
            f"model:{intent.model}",
        )
        for scope in scopes:
            turns = self._stops.get(scope)
            if turns is not None and "" not in (found := turns.during(intent.at)):
                yield f"{intent.id} was placed while {min(found)} had stopped {scope}."


def voids(act: RevocationSet, subject: str, warrant: Warrant) -> bool:
    """Whether the act makes void what that person or session had when the mandate was granted."""
    return subject in act.subjects and warrant.granted_at <= (act.made_at or act.at)
