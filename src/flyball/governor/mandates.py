"""Which mandates are in use, which are void, and how fresh is what is known of that?

A `Party` is one mandate as requests use it, kept so that what is the same for all of them is worked
out once. Revocation ids name blocks of a chain: one revoked block voids every chain that holds it.
"""

from flyball.governor.events import FeedHeard, Revoked
from flyball.governor.policy import AuthorityRules
from flyball.model.mandate import Mandate
from flyball.model.request import Principal
from flyball.units import Seconds

PARTIES_MAX = 65_536
REVOKED_MAX = 2_000_000


class Party:
    """One mandate in use. `kind` = all that decides where it may run without policy; `who` = all
    that policy may read of it besides. `flights` = ids of its requests in the governor's hands."""

    __slots__ = ("checked", "flights", "kind", "mandate", "owner", "principal", "who")

    def __init__(self, mandate: Mandate) -> None:
        self.mandate = mandate
        self.flights: set[str] = set()
        self.checked = -1
        self.principal = Principal(
            name=mandate.actor,
            key_sha256="",
            classes=mandate.classes,
            models=mandate.models,
            jurisdictions=mandate.jurisdictions,
        )
        # Two people's agents may have the same name: their sessions must not be one, and no name
        # may be made up so that two parties read alike.
        self.owner = f"{_escaped(mandate.human)}/{_escaped(mandate.actor)}"
        self.kind = f"mandate {sorted(mandate.jurisdictions)}"
        depth, autonomy = len(mandate.delegates), mandate.autonomy
        self.who = repr((self.kind, self.owner, mandate.tenant, depth, autonomy))


def _escaped(name: str) -> str:
    return name.replace("%", "%25").replace("/", "%2F")


class Mandates:
    """What one core knows of mandates. `revocations` counts what has made some void."""

    def __init__(self) -> None:
        self.rules = AuthorityRules()
        self.parties: dict[str, Party] = {}
        self.revocations = 0
        self._by_block: dict[str, set[str]] = {}
        self._revoked: set[str] = set()
        self._subjects: dict[str, Seconds] = {}
        self._is_full = False
        self._heard: dict[str, Seconds] = {}
        self._ages: dict[str, Seconds] = {}
        self._age_least: Seconds = 0.0

    def adopt(self, rules: AuthorityRules) -> None:
        """A configuration comes into force."""
        self.rules = rules
        self._ages = dict(rules.feed_age_s)
        self._age_least = min(self._ages.values(), default=0.0)

    def party(self, mandate: Mandate) -> Party:
        """The party of that mandate; a new one if it was not in use."""
        found = self.parties.get(mandate.id)
        if found is None:
            if len(self.parties) >= PARTIES_MAX:
                self._sweep()
            found = self.parties[mandate.id] = Party(mandate)
            for block in mandate.chain:
                self._by_block.setdefault(block, set()).add(mandate.id)
        return found

    def _sweep(self) -> None:
        """Forget those without a request under way."""
        self.parties = {name: party for name, party in self.parties.items() if party.flights}
        self._by_block = {}
        for name, party in self.parties.items():
            for block in party.mandate.chain:
                self._by_block.setdefault(block, set()).add(name)

    def why_void(self, party: Party) -> str:
        """What made it void, or "". Looked at again only when something was revoked since."""
        if party.checked == self.revocations:
            return ""
        mandate = party.mandate
        for block in mandate.chain:
            if block in self._revoked:
                return f"block {block[:16]} of its chain"
        for subject in mandate.subjects:
            if mandate.not_before <= self._subjects.get(subject, float("-inf")):
                return f"all of {subject}"
        party.checked = self.revocations
        return ""

    def why_stale(self, data_class: str, at: Seconds) -> str:
        """Which feed was silent for too long for that class of data, or ""."""
        if self._is_full:
            return f"{REVOKED_MAX} revocations are known, and no more can be kept"
        limit = self._ages.get(data_class, self._age_least)
        for feed in self.rules.feeds:
            heard_at = self._heard.get(feed)
            if heard_at is None:
                return f"the feed {feed!r} was not heard yet"
            if at - heard_at > limit:
                return f"the feed {feed!r} is silent for {at - heard_at:.1f} s, {limit:g} allowed"
        return ""

    def revoke(self, event: Revoked) -> list[Party]:
        """Take a revocation; the parties in use that it voids."""
        self.revocations += 1
        self._revoked.update(event.ids)
        self._is_full = len(self._revoked) + len(self._subjects) > REVOKED_MAX
        found: dict[str, Party] = {}
        for block in event.ids:
            for name in self._by_block.get(block, ()):
                found[name] = self.parties[name]
        if event.subjects:
            found.update(self._void_subjects(event))
        return list(found.values())

    def _void_subjects(self, event: Revoked) -> dict[str, Party]:
        made_at = event.made_at or event.at
        wanted = set(event.subjects)
        for subject in wanted:
            self._subjects[subject] = max(made_at, self._subjects.get(subject, made_at))
        return {
            name: party
            for name, party in self.parties.items()
            if party.mandate.not_before <= made_at and not wanted.isdisjoint(party.mandate.subjects)
        }

    def hear(self, event: FeedHeard) -> None:
        """A feed was heard. Feeds that no configuration names are not kept."""
        if event.feed in self.rules.feeds:
            last = self._heard.get(event.feed, float("-inf"))
            self._heard[event.feed] = max(last, event.at)
