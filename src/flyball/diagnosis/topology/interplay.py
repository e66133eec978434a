"""What do loops do together that none does alone: turned gains, growing cycles, limits that bite?

The rules of kinds sign, implicit and saturation. They rest on the matrix of plant gains G
(signals that the loops regulate x their actuators) over groups of loops that move each other's
signals, as far as its entries are known.

The relative gain array is G o inv(G)' (Bristol 1966): entry (i, i) = gain of loop i with the others
open / with them closed. Negative: the sign turns when they close; when loop j saturates, loop i's
gain grows by lambda_ii(all) / lambda_ii(without j).
"""

from collections.abc import Iterator, Sequence

import numpy as np

from flyball.diagnosis.codes.codes import finding
from flyball.diagnosis.finding import Evidence, Finding
from flyball.diagnosis.topology.conflicts import (
    GAIN_MARGIN_MIN,
    PARTIAL,
    SURE,
    confidence_in,
    regulated,
)
from flyball.diagnosis.topology.cycles import components, simple_cycles
from flyball.diagnosis.topology.graph import Effect, Link, Member, Reading, Wiring
from flyball.diagnosis.topology.stability import Closed, Matrix, is_growing, lone_margin, margin
from flyball.units import Ratio, Seconds

REFERENCE_SHARE_MIN: Ratio = 0.5
LIMIT_SHARE: Ratio = 0.02
GAIN_CHANGE_MIN = 1.5
MARGIN_MIN = 1.0
# Cycles further from growing than this, by the quick count, are not stepped in time.
SCREEN = 2.0
# Groups are split no further than this: the gains of larger ones are never all known.
GROUP_MAX = 32
CONDITION_MAX = 1e9
# A link weaker than this, against the gains of the loop it reaches, joins no group.
LINK_MIN = 0.02


class Interplay:
    """The groups of loops that move each other's signals, and their gains where known."""

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.known = [_is_known(wiring, member) for member in wiring.members]
        groups = components(self._strong_neighbours())
        self.groups = [group for group in groups if len(group) <= GROUP_MAX]
        self.relative = {tuple(group): self.relative_gains(group) for group in self.groups}
        self.turned = {
            group
            for group, gains in self.relative.items()
            if gains is not None and bool((np.diagonal(gains) < 0.0).any())
        }

    def _strong_neighbours(self) -> list[list[int]]:
        """Links between loops whose own gain is known; those too weak to matter left out."""
        out: list[set[int]] = [set() for _ in self.known]
        for link in self.wiring.links:
            if link.source == link.target or not (
                self.known[link.source] and self.known[link.target]
            ):
                continue
            if link.reading == regulated(self.wiring.members[link.target]) and _is_strong(
                self.wiring, link
            ):
                out[link.source].add(link.target)
        return [sorted(some) for some in out]

    def gains(self, group: Sequence[int]) -> Matrix | None:
        """G of that group (regulated signals x actuators), or None where an entry is unknown."""
        matrix = np.zeros((len(group), len(group)))
        for row, there in enumerate(group):
            reading = regulated(self.wiring.members[there])
            for column, here in enumerate(group):
                member = self.wiring.members[here]
                effect = self.wiring.effect(member, reading.signal) if reading else None
                if effect is not None and effect.gain is None:
                    return None
                matrix[row, column] = effect.gain if effect and effect.gain else 0.0
        return matrix

    def relative_gains(self, group: Sequence[int]) -> Matrix | None:
        """The group's relative gain array, or None where G is unknown or singular."""
        gains = self.gains(group)
        if gains is None or np.linalg.cond(gains) > CONDITION_MAX:
            return None
        return gains * np.linalg.inv(gains).T

    def is_turned(self, group: Sequence[int]) -> bool:
        """Whether these loops lie together in a group with a turned gain."""
        return any(set(group) <= set(turned) for turned in self.turned)


def _own(wiring: Wiring, member: Member) -> tuple[Reading, Effect] | None:
    reading = regulated(member)
    effect = wiring.effect(member, reading.signal) if reading else None
    return (reading, effect) if reading and effect else None


def _is_known(wiring: Wiring, member: Member) -> bool:
    own = _own(wiring, member)
    return own is not None and bool(own[1].gain)


def _is_strong(wiring: Wiring, link: Link) -> bool:
    own = _own(wiring, wiring.members[link.target])
    if own is None or not own[1].gain or link.effect.gain is None:
        return link.effect.way != 0
    return abs(link.effect.gain) >= LINK_MIN * abs(own[1].gain)


def sign(interplay: Interplay, at: Seconds) -> Iterator[Finding]:
    """FB-107: a loop's own gain has turned or faded. FB-108: it turns when the others close."""
    for member in interplay.wiring.members:
        own = _own(interplay.wiring, member)
        evidence = _turned(*own) if own else None
        if own and evidence:
            yield finding(
                "FB-107",
                at=at,
                loops=(member.name,),
                actuators=(member.actuator,),
                evidence=(evidence,),
                confidence=_sure_of(own[1], evidence),
                scope=member.scope,
                summary=f"{member.actuator} no longer moves {own[1].signal} as {member.name} needs",
            )
    for group in sorted(interplay.turned):
        gains = interplay.relative[group]
        assert gains is not None
        diagonal = np.diagonal(gains)
        order = np.argsort(diagonal)
        members = [interplay.wiring.members[group[place]] for place in order]
        yield finding(
            "FB-108",
            at=at,
            loops=(member.name for member in members),
            actuators=(member.actuator for member in members),
            evidence=[
                Evidence(
                    what=f"relative gain of {members[0].name}",
                    value=float(diagonal[order[0]]),
                    limit=0.0,
                )
            ],
            confidence=_confidence_of(interplay.wiring, group),
            scope=members[0].scope,
            summary=f"{members[0].name} steers the wrong way once the others are closed",
        )


def _turned(reading: Reading, effect: Effect) -> Evidence | None:
    what = f"of {effect.actuator} on {effect.signal}"
    if effect.gain is not None and effect.reference:
        share = effect.gain / effect.reference
        if share < REFERENCE_SHARE_MIN:
            bounds = [
                bound / effect.reference for bound in (effect.low, effect.high) if bound is not None
            ]
            return Evidence(
                what=f"gain {what} / gain at commissioning",
                value=share,
                low=min(bounds, default=None),
                high=max(bounds, default=None),
                limit=REFERENCE_SHARE_MIN,
            )
    if reading.sign * effect.way > 0:
        value = float(effect.way) if effect.gain is None else effect.gain
        text = "sign" if effect.gain is None else "gain"
        limit = 0.0  # the loop raises its actuator above target, so that it must push downwards
        return Evidence(what=f"{text} {what}", value=value, limit=limit)
    return None


def _sure_of(effect: Effect, evidence: Evidence) -> float:
    """Less where the interval reaches over the limit."""
    is_over = evidence.high is not None and evidence.limit is not None
    if is_over and evidence.high > evidence.limit > evidence.value:  # type: ignore[operator]
        return PARTIAL
    return confidence_in(effect)


def implicit(interplay: Interplay, at: Seconds) -> Iterator[Finding]:
    """FB-104: a cycle that grows though its members do not. FB-112: one that may, by its signs.

    Cycles are looked at shortest first; one that holds a growing one within it is not said again.
    """
    wiring = interplay.wiring
    told: list[frozenset[int]] = []
    cycles = sorted(simple_cycles(wiring.neighbours()).found, key=len)
    for cycle in cycles:
        group = frozenset(cycle)
        if any(small <= group for small in told) or interplay.is_turned(cycle):
            continue
        links = _links_along(wiring, cycle)
        closed = closed_loops(wiring, sorted(cycle))
        if closed is None:
            found = _by_sign(wiring, cycle, links, at)
        else:
            found = _by_growth(wiring, sorted(cycle), closed, at)
        if found is not None:
            told.append(group)
            yield found


def _links_along(wiring: Wiring, cycle: Sequence[int]) -> list[Link]:
    """One link per step, the strongest."""
    steps = zip(cycle, (*cycle[1:], cycle[0]), strict=True)
    return [
        max(wiring.between(here, there), key=lambda link: abs(link.effect.gain or 0.0))
        for here, there in steps
    ]


def closed_loops(wiring: Wiring, group: Sequence[int]) -> Closed | None:
    """These loops around their plant, or None where a gain, sign or period of theirs is unknown.

    Rows of the plant: the signal that each loop regulates, then what else they read.
    """
    members = [wiring.members[number] for number in group]
    if any(one.period_s <= 0.0 or not one.reads for one in members):
        return None
    names = [one.reads[0].signal for one in members]
    names += sorted({one.signal for member in members for one in member.reads[1:]})
    plant = np.zeros((len(names), len(members)))
    lags = np.zeros_like(plant)
    responses = np.zeros((len(members), len(names)))
    for column, member in enumerate(members):
        for place, reading in enumerate(member.reads):
            if reading.gain is None or not reading.sign:
                return None
            row = column if place == 0 else names.index(reading.signal, len(members))
            responses[column, row] = reading.sign * reading.gain
        for row, name in enumerate(names):
            effect = wiring.effect(member, name)
            if effect is not None and effect.gain is None:
                return None
            if effect is not None:
                plant[row, column], lags[row, column] = effect.gain or 0.0, effect.delay_s
    return Closed(
        responses=responses,
        plant=plant,
        periods_s=np.array([one.period_s for one in members]),
        delays_s=np.array([one.delay_s for one in members]),
        plant_delays_s=lags,
    )


def _by_growth(wiring: Wiring, group: Sequence[int], closed: Closed, at: Seconds) -> Finding | None:
    own = np.diagonal(closed.responses @ closed.plant)
    delays_s = closed.delays_s + np.diagonal(closed.plant_delays_s)
    alone = [
        lone_margin(float(gain), float(delay_s), float(period_s))
        for gain, delay_s, period_s in zip(own, delays_s, closed.periods_s, strict=True)
    ]
    if min(alone) <= MARGIN_MIN or not is_growing(closed, SCREEN):
        return None
    together = margin(closed)
    if together > MARGIN_MIN:
        return None
    order = sorted(range(len(group)), key=lambda place: alone[place])
    members = [wiring.members[group[place]] for place in order]
    evidence = [
        Evidence(what="gain margin of the cycle", value=together, limit=MARGIN_MIN),
        Evidence(what="least gain margin of a member alone", value=min(alone), limit=MARGIN_MIN),
        Evidence(what="loops in the cycle", value=float(len(group))),
    ]
    return finding(
        "FB-104",
        at=at,
        loops=(member.name for member in members),
        actuators=(member.actuator for member in members),
        evidence=evidence,
        confidence=_confidence_of(wiring, group),
        scope=members[0].scope,
        summary=f"{' -> '.join(member.name for member in members)}: stable alone, not together",
    )


def _by_sign(
    wiring: Wiring, cycle: Sequence[int], links: Sequence[Link], at: Seconds
) -> Finding | None:
    product = float(np.prod([link.sign for link in links]))
    members = [wiring.members[number] for number in cycle]
    if product <= 0.0 or min(one.guard for one in members) >= GAIN_MARGIN_MIN:
        return None
    lag_s = sum(one.delay_s + one.period_s for one in members)
    lag_s += sum(link.effect.delay_s for link in links)
    unknown = sum(link.effect.gain is None or link.reading.gain is None for link in links)
    return finding(
        "FB-112",
        at=at,
        loops=(one.name for one in members),
        actuators=(one.actuator for one in members),
        evidence=[
            Evidence(what="product of the signs around the cycle", value=product, limit=0.0),
            Evidence(what="steps whose gain is not known", value=float(unknown)),
            Evidence(what="once around", value=lag_s, unit="s"),
        ],
        confidence=PARTIAL,
        scope=members[0].scope,
        summary=f"{' -> '.join(one.name for one in members)} reinforces itself",
    )


def saturation(interplay: Interplay, at: Seconds) -> Iterator[Finding]:
    """FB-109: a loop at its limit, and the loops whose gain that changes."""
    wiring = interplay.wiring
    for number, member in enumerate(wiring.members):
        reached = _limit_of(member)
        if reached is None:
            continue
        for other in _others(interplay, number):
            change = _gain_change(interplay, number, other)
            if change is not None and 0.0 <= change.value < GAIN_CHANGE_MIN:
                continue
            there = wiring.members[other]
            yield finding(
                "FB-109",
                at=at,
                loops=(member.name, there.name),
                actuators=(member.actuator, there.actuator),
                evidence=[reached, *([change] if change else [])],
                confidence=SURE if change else PARTIAL,
                scope=member.scope or there.scope,
                summary=f"{member.name} stands at its limit, which changes {there.name}'s gain",
            )


def _limit_of(member: Member) -> Evidence | None:
    low, high, value = member.limit_low, member.limit_high, member.value
    if value is None:
        return None
    room = LIMIT_SHARE * (high - low if low is not None and high is not None else abs(value))
    for limit, is_met in (
        (high, high is not None and value >= high - room),
        (low, low is not None and value <= low + room),
    ):
        if is_met:
            return Evidence(what=f"set-point of {member.actuator}", value=value, limit=limit)
    return None


def _others(interplay: Interplay, number: int) -> list[int]:
    """Loops that this one is coupled with both ways: by gains in a group, else by links."""
    for group in interplay.groups:
        if number in group:
            return [other for other in group if other != number]
    if interplay.known[number]:
        return []
    wiring = interplay.wiring
    count = range(len(wiring.members))
    return [
        other
        for other in count
        if other != number and wiring.between(number, other) and wiring.between(other, number)
    ]


def _gain_change(interplay: Interplay, number: int, other: int) -> Evidence | None:
    group = next((some for some in interplay.groups if number in some and other in some), None)
    gains = interplay.relative.get(tuple(group)) if group else None
    if group is None or gains is None:
        return None
    rest = [one for one in group if one != number]
    without = interplay.relative_gains(rest)
    if without is None:
        return None
    place = rest.index(other)
    before, after = gains[group.index(other), group.index(other)], without[place, place]
    if after == 0.0:
        return None
    name = interplay.wiring.members[other].name
    return Evidence(
        what=f"gain of {name} with the other open / closed",
        value=float(before / after),
        limit=GAIN_CHANGE_MIN,
    )


def _confidence_of(wiring: Wiring, group: Sequence[int]) -> float:
    effects = [
        link.effect for here in group for there in group for link in wiring.between(here, there)
    ]
    return confidence_in(*effects)
