"""Which trouble strikes when, and what does it do to the world?

Each begins at its time and ends by itself. A spike is more of the same load; the others change the
state of replicas, network or telemetry. Where two of one kind overlap at one target, the first end
ends both.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Any

from msgspec.structs import replace

from flyball.dialects.traces.row import TraceRow
from flyball.sim.clock import Chance, Clock
from flyball.sim.driver import Driver
from flyball.sim.network import Network
from flyball.sim.replica import Replica
from flyball.sim.scenario import Trigger
from flyball.sim.scraper import Scraper
from flyball.sim.spend import Spend
from flyball.units import Seconds

_SPREAD_S: Seconds = 1.0
_COPY_SHIFT = 53  # block ids of traces are smaller


def struck(replicas: Sequence[Replica], target: str) -> list[Replica]:
    """The replicas that a target names: itself, a pool's first, a site's all; "" = all."""
    for replica in replicas:
        if target in (replica.name, replica.pool.name):
            return [replica]
    return [replica for replica in replicas if not target or replica.site == target]


def arm(
    triggers: Sequence[Trigger],
    clock: Clock,
    driver: Driver,
    network: Network,
    scraper: Scraper,
    replicas: Sequence[Replica],
) -> None:
    """Set every trigger but spikes on the clock."""

    def between(trigger: Trigger, begin: Callable[[], Any], end: Callable[[], Any]) -> None:
        clock.at(trigger.at_s, lambda _: begin())
        clock.at(trigger.at_s + trigger.for_s, lambda _: end())

    for trigger in triggers:
        who = struck(replicas, trigger.target)
        names = {one.index for one in who}
        match trigger.kind:
            case "replica-loss":
                between(trigger, _losing(driver, who), _returning(who))
            case "slow":
                between(trigger, _slowing(who, trigger.factor), _slowing(who, 1.0))
            case "telemetry-outage":
                between(
                    trigger,
                    lambda names=names: scraper.silent.update(names),
                    lambda names=names: scraper.silent.difference_update(names),
                )
            case "partition":
                sites = {one.site for one in who}
                between(
                    trigger,
                    lambda sites=sites: network.cut.update(sites),
                    lambda sites=sites: network.cut.difference_update(sites),
                )
            case "early-close":
                ratio = min(1.0, trigger.factor)
                between(
                    trigger,
                    lambda names=names, ratio=ratio: driver.early_close.update(
                        dict.fromkeys(names, ratio)
                    ),
                    lambda names=names: [driver.early_close.pop(one, None) for one in names],
                )
            case "spike" | "budget-cut":
                continue


def squeeze(triggers: Sequence[Trigger], clock: Clock, spend: Spend) -> None:
    """Set on the clock when the budget for tokens is another than it should be."""

    def becomes(factor: float) -> Callable[[Any], None]:
        def change(_: Any) -> None:
            spend.budget_factor = factor

        return change

    for trigger in triggers:
        if trigger.kind == "budget-cut":
            clock.at(trigger.at_s, becomes(trigger.factor))
            clock.at(trigger.at_s + trigger.for_s, becomes(1.0))


def _losing(driver: Driver, replicas: Sequence[Replica]) -> Callable[[], None]:
    def lose() -> None:
        for replica in replicas:
            if replica.is_reachable:
                driver.lost(replica.lose())

    return lose


def _returning(replicas: Sequence[Replica]) -> Callable[[], None]:
    def come_back() -> None:
        for replica in replicas:
            if replica.life == "lost":
                replica.come_back()

    return come_back


def _slowing(replicas: Sequence[Replica], slowdown: float) -> Callable[[], None]:
    def slow() -> None:
        for replica in replicas:
            replica.set_defect(slowdown)

    return slow


def spiked(
    rows: Iterable[TraceRow], triggers: Sequence[Trigger], chance: Chance
) -> Iterator[TraceRow]:
    """The rows with those in a spike's window multiplied by its factor.

    A copy comes within a second of its original, has a session and a cache content of its own.
    """
    spikes = [trigger for trigger in triggers if trigger.kind == "spike" and trigger.factor > 1.0]
    if not spikes:
        yield from rows
        return
    waiting: list[tuple[Seconds, int, TraceRow]] = []
    order = count()
    for row in rows:
        while waiting and waiting[0][0] <= row.at_s:
            yield heappop(waiting)[2]
        yield row
        for spike in spikes:
            if spike.at_s <= row.at_s < spike.at_s + spike.for_s:
                for copy in range(1, _copies(spike.factor, chance) + 1):
                    at_s = row.at_s + chance.uniform() * _SPREAD_S
                    heappush(waiting, (at_s, next(order), _copied(row, at_s, copy)))
    while waiting:
        yield heappop(waiting)[2]


def _copies(factor: float, chance: Chance) -> int:
    whole = int(factor - 1.0)
    return whole + (chance.uniform() < factor - 1.0 - whole)


def _copied(row: TraceRow, at_s: Seconds, copy: int) -> TraceRow:
    return replace(
        row,
        at_s=at_s,
        session=f"{row.session}+{copy}" if row.session else "",
        prefix_blocks=tuple(block + (copy << _COPY_SHIFT) for block in row.prefix_blocks),
        answer_blocks=tuple(block + (copy << _COPY_SHIFT) for block in row.answer_blocks),
    )


def spiked_times(
    times: Iterable[Seconds], triggers: Sequence[Trigger], chance: Chance
) -> list[Seconds]:
    """The begins of sessions, with those in a spike's window multiplied by its factor."""
    spikes = [trigger for trigger in triggers if trigger.kind == "spike" and trigger.factor > 1.0]
    found: list[Seconds] = []
    for at_s in times:
        found.append(at_s)
        for spike in spikes:
            if spike.at_s <= at_s < spike.at_s + spike.for_s:
                copies = _copies(spike.factor, chance)
                found += [at_s + chance.uniform() * _SPREAD_S for _ in range(copies)]
    return sorted(found)
