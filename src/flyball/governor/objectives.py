"""How much of what was promised to each class has been kept, and how fast is its error budget used?

The budget over a window is (1 - objective) x requests. Burn = misses per request / (1 - objective):
1 uses up the budget exactly over the window; the site reliability workbook (Google 2018, chapter 5)
pages at 14.4 over 1 h and at 6 over 6 h, each confirmed over a twelfth of that time. Counted since
this process began, at most over the window.
"""

from collections.abc import Iterable

from msgspec import Struct

from flyball.model.faults import FAULTS
from flyball.model.request import RequestClass
from flyball.model.signals import Settled
from flyball.units import Ratio, Seconds, Usd

BURNS: tuple[tuple[str, Seconds], ...] = (("5m", 300.0), ("1h", 3600.0), ("6h", 21_600.0))
FINE_S: Seconds = 30.0
SLOTS = 720


class Contract(Struct, frozen=True, kw_only=True):
    """One class's contract as it stands: `requests` and `missed` over its window, the share of the
    error budget left (below 0 = overdrawn), burn by span, guarantees kept and broken since the
    start and what the broken ones cost."""

    name: str
    objective: Ratio
    window_s: Seconds
    requests: int
    missed: int
    budget_left_ratio: Ratio
    burn: tuple[tuple[str, float], ...]
    kept: int
    broken: int
    penalty_usd: Usd


class Ring:
    """Requests and misses over a span cut into `SLOTS` parts of `width_s`; old parts are reused."""

    __slots__ = ("_missed", "_numbers", "_total", "width_s")

    def __init__(self, width_s: Seconds) -> None:
        self.width_s = width_s
        self._numbers = [-1] * SLOTS
        self._total = [0] * SLOTS
        self._missed = [0] * SLOTS

    def add(self, at: Seconds, is_missed: bool) -> None:
        """Count one request; one older than the span is left out."""
        number = int(at / self.width_s)
        slot = number % SLOTS
        if self._numbers[slot] > number:
            return
        if self._numbers[slot] < number:
            self._numbers[slot] = number
            self._total[slot] = self._missed[slot] = 0
        self._total[slot] += 1
        self._missed[slot] += is_missed

    def sums(self, at: Seconds, span_s: Seconds) -> tuple[int, int]:
        """(requests, misses) of the last `span_s`, to within one part."""
        last = int(at / self.width_s)
        first = last - min(SLOTS, max(1, round(span_s / self.width_s))) + 1
        total = missed = 0
        for number, count, lost in zip(self._numbers, self._total, self._missed, strict=True):
            if first <= number <= last:
                total += count
                missed += lost
        return total, missed


class Objectives:
    """The contracts of all classes. Feed it each `Settled` once."""

    def __init__(self, classes: Iterable[RequestClass]) -> None:
        self._books: dict[str, _Book] = {}
        self.adopt(classes)

    def adopt(self, classes: Iterable[RequestClass]) -> None:
        """Another configuration is in force: classes with the same contract keep their counts."""
        old = self._books
        self._books = {}
        for klass in classes:
            book = old.get(klass.name)
            terms = (klass.objective, klass.objective_window_s)
            if book is None or book.terms != terms:
                book = _Book(klass.name, *terms)
            self._books[klass.name] = book

    def take(self, batch: Iterable[Settled]) -> None:
        """Count requests that came to an end."""
        for one in batch:
            book = self._books.get(one.class_name)
            if book is not None:
                book.take(one)

    def read(self, at: Seconds) -> list[Contract]:
        """All contracts as of `at`, in the order of the classes."""
        return [book.read(at) for book in self._books.values()]


class _Book:
    def __init__(self, name: str, objective: Ratio, window_s: Seconds) -> None:
        self.name = name
        self.terms = (objective, window_s)
        self._fine = Ring(FINE_S)
        self._whole = Ring(window_s / SLOTS)
        self._kept = self._broken = 0
        self._penalty_usd = 0.0

    def take(self, one: Settled) -> None:
        if one.guaranteed and one.outcome != "client-gone":
            self._broken += one.penalty_usd > 0.0
            self._kept += one.penalty_usd == 0.0
            self._penalty_usd += one.penalty_usd
        if not counts(one):
            return
        is_missed = not one.in_time
        self._fine.add(one.at, is_missed)
        self._whole.add(one.at, is_missed)

    def read(self, at: Seconds) -> Contract:
        objective, window_s = self.terms
        requests, missed = self._whole.sums(at, window_s)
        allowed = 1.0 - objective
        budget = allowed * requests
        burns: list[tuple[str, float]] = []
        for name, span_s in BURNS:
            total, lost = self._fine.sums(at, span_s)
            burns.append((name, lost / total / allowed if total else 0.0))
        return Contract(
            name=self.name,
            objective=objective,
            window_s=window_s,
            requests=requests,
            missed=missed,
            budget_left_ratio=1.0 - missed / budget if budget > 0.0 else 1.0,
            burn=tuple(burns),
            kept=self._kept,
            broken=self._broken,
            penalty_usd=self._penalty_usd,
        )


def counts(one: Settled) -> bool:
    """Whether it says anything of the fleet: not what its caller did wrong, or did not wait for."""
    if one.outcome == "client-gone":
        return False
    if one.code:
        return FAULTS[one.code].party in ("fleet", "own")
    return not (400 <= one.status < 500 and one.status != 429)
