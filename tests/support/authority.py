"""Mandates and policies for tests: small, readable, without a policy engine."""

from collections.abc import Callable

from msgspec.structs import replace

from flyball.governor.authority import Authority, Open
from flyball.model.mandate import Mandate, Spend
from flyball.model.verdict import Circumstances, Place, Subject, Verdict

Rule = Callable[[Subject, Place], bool]
LastWord = Callable[[Subject, Circumstances, Place], Verdict | None]
D1, D2 = "sha256:one", "sha256:two"


class Rules:
    """`forbids` = the static rules by their id; `last` = what only the single request decides."""

    def __init__(
        self,
        digests: tuple[str, ...] = (D1,),
        forbids: dict[str, Rule] | None = None,
        last: LastWord = lambda subject, circumstances, place: None,
        obligations: tuple[str, ...] = (),
    ) -> None:
        self.digests = digests
        self.forbids = forbids or {}
        self.last = last
        self.obligations = obligations
        self.asked: list[tuple[Subject, Circumstances, Place]] = []
        self.masked = 0

    def mask(self, subject: Subject, places: tuple[Place, ...]) -> tuple[str, ...]:
        self.masked += 1
        return tuple(self._broken(subject, place) for place in places)

    def decide(self, subject: Subject, circumstances: Circumstances, place: Place) -> Verdict:
        self.asked.append((subject, circumstances, place))
        rule = self._broken(subject, place)
        if rule:
            return Verdict(allowed=False, policies=(rule,), bundles=self.digests)
        said = self.last(subject, circumstances, place)
        if said is not None:
            return replace(said, bundles=self.digests)
        return Verdict(
            allowed=True,
            policies=("permit-all",),
            obligations=self.obligations,
            bundles=self.digests,
        )

    def _broken(self, subject: Subject, place: Place) -> str:
        return next((name for name, rule in self.forbids.items() if rule(subject, place)), "")


class Shelf:
    """The bundles that a driver has."""

    def __init__(self, *authorities: Rules) -> None:
        self._by_digests = {one.digests: one for one in authorities}

    def authority(self, digests: tuple[str, ...]) -> Authority | None:
        return self._by_digests.get(digests) if digests else Open()


def mandate(*blocks: str, **changes: object) -> Mandate:
    """ann's agent for an hour from 0 s, unless said otherwise."""
    chain = blocks or ("b0", "b1")
    fields: dict[str, object] = {
        "chain": chain,
        "human": "https://id.example|ann",
        "delegates": ("agent-7",),
        "expires_at": 3600.0,
    }
    fields.update(changes)
    return Mandate(**fields)  # type: ignore[arg-type]


def spends(**limits: int) -> tuple[Spend, ...]:
    """Ceilings of blocks by name, micro-USD."""
    return tuple(Spend(block, limit) for block, limit in limits.items())
