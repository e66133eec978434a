"""Which loops are in each other's way by what they move, want, read, spend, and how fast?

The rules of kinds direct, indirect, temporal, signal and budget: each looks at pairs of acting
loops and needs no gain, but is more exact where gains are known. Kinds that need the whole of
several loops (implicit, sign, saturation) stand in `interplay`.

The kinds are those of O-RAN's conflict taxonomy (direct, indirect, implicit; Adamczyk & Kliks,
arXiv 2305.07117), extended by what control theory adds.
"""

from collections.abc import Iterator
from itertools import combinations

from flyball.diagnosis.codes.codes import finding
from flyball.diagnosis.finding import Evidence, Finding
from flyball.diagnosis.topology.graph import Effect, Member, Reading, Wiring, overlap
from flyball.diagnosis.topology.stability import lone_margin
from flyball.units import Seconds

# Time-scale separation: a loop may take one three times as fast as settled.
PERIOD_RATIO_MIN = 3.0
DELAY_SHARE_MAX = 1.0 / PERIOD_RATIO_MIN
GAIN_MARGIN_MIN = 3.0
COUPLING_MIN = 0.1
GAIN_MIN = 0.05
# Gains measured; gains declared; signs where a sign is enough; something is missing.
SURE, DECLARED, SIGNED, PARTIAL = 0.95, 0.9, 0.8, 0.6


def confidence_in(*effects: Effect) -> float:
    """Of a finding that rests on these: measured, declared with a gain, or known by sign alone."""
    sure = SURE
    for one in effects:
        sure = min(sure, SIGNED if one.gain is None else SURE if one.is_measured else DECLARED)
    return sure


def regulated(member: Member) -> Reading | None:
    """The signal that the loop keeps: the first that it reads."""
    return member.reads[0] if member.reads else None


def direct(wiring: Wiring, at: Seconds) -> Iterator[Finding]:
    """FB-101: two acting loops on one actuator."""
    for one, other in direct_pairs(wiring):
        quick, slow = sorted((one, other), key=lambda member: member.period_s)
        moves = [
            Evidence(
                what=f"moves of {member.name}",
                value=3600.0 / member.period_s if member.period_s > 0.0 else 0.0,
                unit="1/h" if member.period_s > 0.0 else "1/h (one per request)",
            )
            for member in (quick, slow)
        ]
        yield finding(
            "FB-101",
            at=at,
            loops=(quick.name, slow.name),
            actuators=(one.actuator,),
            evidence=[Evidence(what="acting loops", value=2.0, limit=1.0), *moves],
            confidence=SURE,
            scope=one.scope or other.scope,
            summary=f"{quick.name} and {slow.name} both move {one.actuator}",
        )


def direct_pairs(wiring: Wiring) -> Iterator[tuple[Member, Member]]:
    """Pairs of acting loops with one actuator and a scope in common."""
    by_actuator: dict[str, list[Member]] = {}
    for member in wiring.members:
        by_actuator.setdefault(member.actuator, []).append(member)
    for members in by_actuator.values():
        for one, other in combinations(members, 2):
            if one.name != other.name and overlap(one.scope, other.scope):
                yield one, other


def indirect(wiring: Wiring, at: Seconds) -> Iterator[Finding]:
    """FB-103: two actuators, one signal, opposite wishes."""
    readers: dict[str, list[tuple[Member, Reading]]] = {}
    for member in wiring.members:
        for reading in member.reads:
            readers.setdefault(reading.signal, []).append((member, reading))
    for signal, some in readers.items():
        for (one, first), (other, second) in combinations(some, 2):
            if one.actuator == other.actuator or not overlap(one.scope, other.scope):
                continue
            here, there = wiring.effect(one, signal), wiring.effect(other, signal)
            apart = _apart(first, second)
            if apart is None or not here or not there or not (here.way and there.way):
                continue
            yield finding(
                "FB-103",
                at=at,
                loops=(one.name, other.name),
                actuators=(one.actuator, other.actuator),
                evidence=[apart, *_gains(here, there)],
                confidence=confidence_in(here, there),
                scope=one.scope or other.scope,
                summary=f"{one.name} and {other.name} want {signal} in different places",
            )


def _apart(first: Reading, second: Reading) -> Evidence | None:
    if first.wants * second.wants < 0:
        text = f"preferred directions of {first.signal} (product)"
        return Evidence(what=text, value=float(first.wants * second.wants), limit=0.0)
    if first.wants or second.wants or first.target is None or second.target is None:
        return None
    gap = abs(first.target - second.target)
    room = abs(first.target) * first.band + abs(second.target) * second.band
    if gap <= room:
        return None
    return Evidence(what=f"distance of the targets of {first.signal}", value=gap, limit=room)


def temporal(wiring: Wiring, at: Seconds) -> Iterator[Finding]:
    """FB-105: coupled both ways, at nearly one pace. FB-106: delay long against the period.
    FB-113: gain beyond what the delay allows."""
    for source, target in _coupled(wiring):
        one, other = wiring.members[source], wiring.members[target]
        if one.period_s <= 0.0 or other.period_s <= 0.0 or one.actuator == other.actuator:
            continue
        ratio = max(one.period_s, other.period_s) / min(one.period_s, other.period_s)
        strength = coupling(wiring, source, target)
        if ratio >= PERIOD_RATIO_MIN or (strength is not None and abs(strength) < COUPLING_MIN):
            continue
        if strength is None and min(one.guard, other.guard) >= GAIN_MARGIN_MIN:
            continue
        evidence = [Evidence(what="ratio of the periods", value=ratio, limit=PERIOD_RATIO_MIN)]
        if strength is not None:
            text = "coupling: product of the cross gains / product of the own gains"
            evidence.append(Evidence(what=text, value=strength, limit=COUPLING_MIN))
        slow, quick = sorted((one, other), key=lambda member: -member.period_s)
        yield finding(
            "FB-105",
            at=at,
            loops=(slow.name, quick.name),
            actuators=(slow.actuator, quick.actuator),
            evidence=evidence,
            confidence=PARTIAL if strength is None else DECLARED,
            scope=one.scope or other.scope,
            summary=f"{slow.name} ({slow.period_s:g} s) and {quick.name} ({quick.period_s:g} s) "
            "correct each other's moves",
        )
    for member in wiring.members:
        if (found := _late(wiring, member, at)) is not None:
            yield found


def _coupled(wiring: Wiring) -> list[tuple[int, int]]:
    forth = {(link.source, link.target) for link in wiring.links}
    return sorted((a, b) for a, b in forth if a < b and (b, a) in forth)


def coupling(wiring: Wiring, source: int, target: int) -> float | None:
    """kappa = g_ij g_ji / (g_ii g_jj) over the signals that the two regulate: 1 - 1 / lambda of
    their relative gain array (Bristol 1966). None where a gain is not known."""
    gains: list[float] = []
    for here, there in ((source, target), (target, source), (source, source), (target, target)):
        reading = regulated(wiring.members[there])
        effect = wiring.effect(wiring.members[here], reading.signal) if reading else None
        if effect is None and reading and here != there:
            gains.append(0.0)
        elif effect is None or effect.gain is None:
            return None
        else:
            gains.append(effect.gain)
    own = gains[2] * gains[3]
    return gains[0] * gains[1] / own if own else None


def _late(wiring: Wiring, member: Member, at: Seconds) -> Finding | None:
    reading = regulated(member)
    effect = wiring.effect(member, reading.signal) if reading else None
    delay_s = member.delay_s + (effect.delay_s if effect else 0.0)
    if reading is None or member.period_s <= 0.0 or member.guard >= GAIN_MARGIN_MIN:
        return None
    is_late = delay_s > DELAY_SHARE_MAX * member.period_s
    text = f"{member.name} moves every {member.period_s:g} s what shows after {delay_s:g} s"
    evidence = [
        Evidence(what="delay / period", value=delay_s / member.period_s, limit=DELAY_SHARE_MAX)
    ]
    code, sure = "FB-106", PARTIAL
    if effect and effect.gain is not None and reading.gain is not None and reading.sign:
        slope = reading.sign * reading.gain * effect.gain
        margin = lone_margin(slope, delay_s, member.period_s)
        if margin == 0.0:  # it pushes the wrong way, which is another kind
            return None
        if margin <= 1.0:
            code, text = "FB-113", f"{member.name} oscillates by itself"
        elif margin >= GAIN_MARGIN_MIN:
            return None
        limit = 1.0 if code == "FB-113" else GAIN_MARGIN_MIN
        evidence.insert(0, Evidence(what="gain margin alone", value=margin, limit=limit))
        sure = confidence_in(effect)
    if not is_late and code == "FB-106":
        return None
    return finding(
        code,
        at=at,
        loops=(member.name,),
        actuators=(member.actuator,),
        evidence=evidence,
        confidence=sure,
        scope=member.scope,
        summary=text,
    )


def signal(wiring: Wiring, at: Seconds) -> Iterator[Finding]:
    """FB-110: a sensor that another actuator moves against the truth it stands for."""
    for link in wiring.links:
        mover, reader = wiring.members[link.source], wiring.members[link.target]
        if link.source == link.target or not link.reading.stands_for:
            continue
        truth = wiring.effect(mover, link.reading.stands_for)
        if truth is None or not link.effect.way or _is_small(link.effect):
            continue
        agreed = link.effect.way * link.reading.stands_sign * _way(truth)
        if agreed > 0 or (agreed == 0 and truth.gain is None):
            continue
        yield finding(
            "FB-110",
            at=at,
            loops=(reader.name, mover.name),
            actuators=(mover.actuator, reader.actuator),
            evidence=_gains(link.effect, truth),
            confidence=confidence_in(link.effect, truth),
            scope=reader.scope or mover.scope,
            summary=f"{mover.name} moves {link.reading.signal}, which {reader.name} reads as "
            f"{link.reading.stands_for}, the wrong way",
        )


def _way(effect: Effect) -> int:
    """The sign of an effect; a gain so small that it is noise is none."""
    return 0 if _is_small(effect) else effect.way


def _is_small(effect: Effect) -> bool:
    return effect.gain is not None and abs(effect.gain) < GAIN_MIN


def budget(wiring: Wiring, at: Seconds) -> Iterator[Finding]:
    """FB-111: one quota, several spenders, nobody who shares it out."""
    for quota in wiring.graph.quotas:
        spenders = [one for one in wiring.members if one.spends == quota.name]
        if len(spenders) < 2 or quota.arbiter:
            continue
        claims = [one.claim for one in spenders if one.claim is not None]
        is_whole = len(claims) == len(spenders)
        if is_whole and sum(claims) <= quota.limit:
            continue
        evidence = [Evidence(what="loops that spend it", value=float(len(spenders)), limit=1.0)]
        if claims:
            text = "claims together" if is_whole else f"claims of {len(claims)} of them"
            total = Evidence(what=text, value=sum(claims), unit=quota.unit, limit=quota.limit)
            evidence.append(total)
        spenders.sort(key=lambda one: -(one.claim or 0.0))
        yield finding(
            "FB-111",
            at=at,
            loops=(one.name for one in spenders),
            actuators=(one.actuator for one in spenders),
            evidence=evidence,
            confidence=DECLARED if is_whole else PARTIAL,
            summary=f"{len(spenders)} loops spend {quota.name} and nobody shares it out",
        )


def _gains(*effects: Effect) -> list[Evidence]:
    """Each gain with its interval, or the sign where no more is known."""
    return [
        Evidence(
            what=f"{'sign' if one.gain is None else 'gain'} of {one.actuator} on {one.signal}",
            value=float(one.sign) if one.gain is None else one.gain,
            low=one.low,
            high=one.high,
        )
        for one in effects
    ]
