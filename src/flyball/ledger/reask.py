"""Does policy, asked again what it was asked then, answer as the record says?

An intent keeps the whole question (see `model.verdict.Question`), and by digest which bundles were
asked. An authority is pure, so the same bundles must give the same answer; those that are not at
hand are counted, and prove nothing.
"""

from collections.abc import Iterator

from flyball.governor.authority import Library
from flyball.model.decision import Intent, Warrant
from flyball.model.verdict import Question, Verdict


class Reask:
    """Asks again. `same`, `unlike` and `absent` count the decisions; `missing` = the sets of
    bundles that were not at hand."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.same = self.unlike = self.absent = 0
        self.missing: set[tuple[str, ...]] = set()

    def problems(self, intent: Intent) -> Iterator[str]:
        """What differs, as sentences."""
        warrant = intent.warrant
        if not isinstance(warrant, Warrant) or not warrant.bundles:
            return
        asked = warrant.asked
        name = f"{intent.id}, attempt {intent.attempt}"
        if not isinstance(asked, Question):
            self.unlike += 1
            yield f"{name}: it names bundles, but not what they were asked."
            return
        found = list(_other_facts(intent, warrant, asked))
        authority = self._library.authority(warrant.bundles)
        if authority is None:
            self.absent += 1
            self.missing.add(warrant.bundles)
        else:
            verdict = authority.decide(asked.subject, asked.circumstances, asked.place)
            found += _unlike(verdict, warrant)
        if found:
            self.unlike += 1
            yield from (f"{name}: {text}" for text in found)
        elif authority is not None:
            self.same += 1


def _unlike(verdict: Verdict, warrant: Warrant) -> Iterator[str]:
    if not verdict.allowed:
        why = ", ".join(verdict.errors or verdict.policies) or "no policy allows it"
        yield f"asked again, policy says no ({why})."
        return
    for what, now, then in (
        ("policies", verdict.policies, warrant.policies),
        ("obligations", verdict.obligations, warrant.obligations),
    ):
        if now != then:
            yield f"asked again, the {what} are {_listed(now)}, on record {_listed(then)}."


def _other_facts(intent: Intent, warrant: Warrant, asked: Question) -> Iterator[str]:
    """The question must be about this very request, else it proves nothing of it."""
    subject, about = asked.subject, asked.circumstances
    approvals = tuple(one.id for one in about.approvals)
    for what, said, is_so in (
        ("class", intent.class_name, subject.class_name),
        ("principal", intent.principal, subject.principal),
        ("model", intent.served_model or intent.model, subject.model),
        ("human", warrant.human, subject.human),
        ("pool", intent.pool, asked.place.pool),
        ("approvals", warrant.approvals, approvals),
    ):
        if said != is_so:
            yield f"policy was asked about the {what} {is_so!r}, the record has {said!r}."


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
