"""Which loop graphs with planted conflicts, and near misses beside them, judge the rules?

Every graph holds for each kind some conflicts and as many decoys: the same shape just short of a
conflict. What is planted is judged by the *true* gains; what the rules see are those gains with an
error of 5 % each, as an hour of probing leaves it, or (`sign_share`) the sign alone. Whether a ring
of loops is unstable is decided by stepping its difference equations in time, loop by loop, and
shares nothing with the rule that is judged (a count of growing modes in the Laplace plane).
"""

from typing import NamedTuple

import msgspec
import numpy as np

from flyball.diagnosis.topology.graph import Effect, LoopGraph, Member, Quota, Reading
from flyball.diagnosis.topology.stability import critical_gain

GAIN_ERROR = 0.05
KINDS = (
    "direct", "indirect", "implicit", "temporal", "sign", "saturation", "signal", "budget",
)  # fmt: skip
TICKS = 6_000
DRAWS_MAX = 400


class Planted(NamedTuple):
    """One conflict that is really there."""

    kind: str
    loops: frozenset[str]


class Case(NamedTuple):
    """A graph as it is seen, and what is really in it."""

    graph: LoopGraph
    planted: list[Planted]
    decoys: int


class Garden:
    """One random graph in the making."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.members: list[Member] = []
        self.effects: list[Effect] = []
        self.quotas: list[Quota] = []
        self.planted: list[Planted] = []
        self.decoys = 0

    def draw(self, low: float, high: float) -> float:
        """Even on a log scale."""
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def loop(
        self, period_s: float = 0.0, delay_s: float = 0.0, margin: float = 0.0, own: float = 0.0
    ) -> int:
        """A loop that is stable alone, on a signal and an actuator of its own; its number."""
        number = len(self.members)
        period_s = period_s or float(self.rng.integers(5, 61))
        own = own or float(self.rng.choice([-1.0, 1.0])) * self.draw(0.3, 1.5)
        margin = margin or self.draw(4.0, 10.0)
        gain = critical_gain(delay_s, period_s) / (margin * abs(own))
        self.members.append(
            Member(
                name=f"loop-{number}",
                actuator=f"actuator-{number}",
                scope="",
                reads=(Reading(signal=f"signal-{number}", sign=-1 if own > 0 else 1, gain=gain),),
                period_s=period_s,
                delay_s=delay_s,
                limit_low=0.0,
                limit_high=100.0,
                value=float(self.rng.uniform(20.0, 80.0)),
            )
        )
        self.effect(number, f"signal-{number}", own, reference=own)
        return number

    def effect(self, number: int, signal: str, gain: float, reference: float | None = None) -> None:
        """A true effect of a loop's actuator."""
        actuator = self.members[number].actuator
        self.effects.append(
            Effect(
                actuator=actuator,
                signal=signal,
                sign=int(np.sign(gain)),
                gain=float(gain),
                reference=reference,
            )
        )

    def own(self, number: int) -> float:
        """The gain of a loop's actuator on its own signal."""
        name = f"signal-{number}"
        return next(one.gain or 0.0 for one in self.effects if one.signal == name)

    def change(self, number: int, **fields: object) -> None:
        """Set fields of a loop."""
        self.members[number] = msgspec.structs.replace(self.members[number], **fields)

    def couple(self, one: int, other: int, kappa: float) -> None:
        """Cross gains with g_12 g_21 / (g_11 g_22) = kappa."""
        share = self.draw(0.5, 2.0)
        self.effect(one, f"signal-{other}", share * self.own(other))
        self.effect(other, f"signal-{one}", kappa / share * self.own(one))

    def tell(self, kind: str, is_real: bool, *numbers: int) -> None:
        """Note a conflict, or a decoy."""
        if is_real:
            self.planted.append(Planted(kind, frozenset(f"loop-{one}" for one in numbers)))
        else:
            self.decoys += 1

    def seen(self, sign_share: float) -> LoopGraph:
        """What is known of it."""
        effects = []
        for one in self.effects:
            error = float(np.exp(GAIN_ERROR * self.rng.standard_normal()))
            gain = None if self.rng.random() < sign_share else (one.gain or 0.0) * error
            effects.append(msgspec.structs.replace(one, gain=gain, is_measured=True))
        order = self.rng.permutation(len(self.members))
        return LoopGraph(
            members=tuple(self.members[number] for number in order),
            effects=tuple(effects),
            quotas=tuple(self.quotas),
        )


def case(seed: int, sign_share: float = 0.0) -> Case:
    """A graph of 40 to 60 loops with one to two conflicts and decoys of each kind."""
    garden = Garden(seed)
    for plant in (direct, indirect, ring, temporal, sign, saturation, signal, budget):
        for is_real in (True, False):
            for _ in range(int(garden.rng.integers(1, 3))):
                plant(garden, is_real)
    for _ in range(6):  # bystanders, moved by others but moving nobody
        number = garden.loop()
        mover = int(garden.rng.integers(0, number))
        garden.effect(mover, f"signal-{number}", garden.draw(0.1, 1.0))
    return Case(garden.seen(sign_share), garden.planted, garden.decoys)


def direct(garden: Garden, is_real: bool) -> None:
    """Two loops on one actuator; decoys: in other scopes, or one that only recommends."""
    one, other = garden.loop(), garden.loop()
    garden.change(other, actuator=garden.members[one].actuator)
    if not is_real and garden.rng.random() < 0.5:
        garden.change(one, scope="east")
        garden.change(other, scope="west")
    elif not is_real:
        garden.change(other, is_acting=False)
    garden.tell("direct", is_real, one, other)


def indirect(garden: Garden, is_real: bool) -> None:
    """Two actuators on one signal, other wishes; decoys: alike, or targets within the bands."""
    one, other = garden.loop(), garden.loop()
    name = f"shared-{one}"
    target = garden.draw(0.5, 50.0)
    is_wish = garden.rng.random() < 0.5
    apart = garden.draw(1.15, 3.0) if is_real else float(garden.rng.uniform(1.0, 1.08))
    for number, wish, goal in ((one, 1, target), (other, -1 if is_real else 1, target * apart)):
        reading = Reading(signal=name, wants=wish) if is_wish else Reading(signal=name, target=goal)
        garden.change(number, reads=(*garden.members[number].reads, reading))
        garden.effect(number, name, float(garden.rng.choice([-1, 1])) * garden.draw(0.2, 1.0))
    garden.tell("indirect", is_real, one, other)


def ring(garden: Garden, is_real: bool) -> None:
    """Two to four loops in a ring, each stable alone: unstable together, or (decoys) not."""
    size = int(garden.rng.integers(2, 5))
    for _ in range(DRAWS_MAX):
        base = int(garden.rng.integers(3, 7))
        ratios = garden.rng.permutation(size) if size == 2 else garden.rng.integers(0, 2, size)
        periods = [float(base * 4 ** int(power)) for power in ratios]
        delays = [float(garden.rng.integers(0, max(1, int(period / 4)) + 1)) for period in periods]
        margins = [garden.draw(1.3, 6.0) for _ in periods]
        strength = garden.draw(0.2, 30.0)
        if _is_clear(periods, delays, margins, strength) == is_real:
            break
    else:
        return
    numbers = [
        garden.loop(period, delay, margin)
        for period, delay, margin in zip(periods, delays, margins, strict=True)
    ]
    # Loop i lowers what the next reads by as much as raises it: only the product counts. Its sign
    # is that of a ring without a turned gain: 1 - (-1)^n x product > 0 is the determinant.
    product = strength * (1.0 if size % 2 else -1.0)
    shares = [garden.draw(0.5, 2.0) for _ in numbers]
    scale = (abs(product) / float(np.prod(shares))) ** (1.0 / size)
    for place, number in enumerate(numbers):
        there = numbers[(place + 1) % size]
        turn = np.sign(product) if place == 0 else 1.0
        garden.effect(number, f"signal-{there}", turn * scale * shares[place] * garden.own(there))
    for number, delay in zip(numbers, delays, strict=True):
        if 3.0 * delay > garden.members[number].period_s:
            raise AssertionError("a late loop would be another conflict")
    garden.tell("implicit", is_real, *numbers)


def _is_clear(
    periods: list[float], delays: list[float], margins: list[float], strength: float
) -> bool:
    """Whether the ring is unstable, by stepping it in time."""
    size = len(periods)
    plant = np.eye(size)
    for place in range(size):
        plant[(place + 1) % size, place] = strength ** (1.0 / size)
    plant[1 % size, 0] *= 1.0 if size % 2 else -1.0
    gains = [
        critical_gain(delay, period) / margin
        for period, delay, margin in zip(periods, delays, margins, strict=True)
    ]
    return grows(plant, gains, periods, delays)


def grows(plant: np.ndarray, gains: list[float], periods: list[float], delays: list[float]) -> bool:
    """Whether u_i' = u_i - gain_i y_i(t - delay_i) every period_i, y = plant u, runs away.

    A loop reads what stood one tick (1 s) before its own move."""
    size = len(gains)
    past = np.zeros((TICKS, size))
    now = np.linspace(1.0, 0.5, size)
    past[0] = now
    for tick in range(1, TICKS):
        due = [i for i in range(size) if tick % int(periods[i]) == 0]
        if due:
            now = now.copy()
            reads = {i: past[max(0, tick - 1 - int(delays[i]))] for i in due}
            for i in due:
                now[i] -= gains[i] * float(plant[i] @ reads[i])
            if np.abs(now).max() > 1e6:
                return True
        past[tick] = now
    early = np.abs(past[TICKS // 4 : TICKS // 2]).max()
    return bool(np.abs(past[-TICKS // 4 :]).max() > early)


def temporal(garden: Garden, is_real: bool) -> None:
    """Coupled at one pace, late, or unstable alone; decoys: far apart, hardly coupled, slow."""
    which = garden.rng.random()
    if which < 0.5:
        base = float(garden.rng.integers(5, 20))
        is_far = not is_real and garden.rng.random() < 0.5
        ratio = garden.draw(3.3, 8.0) if is_far else garden.draw(1.0, 2.7)
        kappa = garden.draw(0.15, 0.5) if is_real or is_far else garden.draw(0.005, 0.07)
        one, other = garden.loop(base), garden.loop(base * ratio)
        garden.couple(one, other, kappa * float(garden.rng.choice([-1.0, 1.0])))
        garden.tell("temporal", is_real, one, other)
        return
    period_s = float(garden.rng.integers(5, 61))
    if which < 0.75 or not is_real:
        margin = garden.draw(1.15, 2.6) if is_real else garden.draw(3.5, 10.0)
    else:
        margin = garden.draw(0.3, 0.87)
    number = garden.loop(period_s, period_s * garden.draw(0.45, 5.0), margin)
    garden.tell("temporal", is_real, number)


def sign(garden: Garden, is_real: bool) -> None:
    """A faded gain, or one that turns when loops close; decoys: a little less, coupled."""
    if garden.rng.random() < 0.5:
        number = garden.loop()
        place = next(i for i, one in enumerate(garden.effects) if one.signal == f"signal-{number}")
        old = garden.effects[place]
        share = float(garden.rng.uniform(-1.0, 0.4) if is_real else garden.rng.uniform(0.6, 1.2))
        garden.effects[place] = msgspec.structs.replace(
            old, gain=share * (old.gain or 0.0), sign=int(np.sign(share * (old.gain or 0.0)))
        )
        garden.tell("sign", is_real, number)
        return
    base = float(garden.rng.integers(5, 12))
    one, other = garden.loop(base), garden.loop(4.0 * base)
    garden.couple(one, other, garden.draw(1.3, 4.0) if is_real else garden.draw(0.15, 0.7))
    garden.tell("sign", is_real, one, other)


def saturation(garden: Garden, is_real: bool) -> None:
    """At a limit, and another's gain grows; decoys: by little, or the same gains off the limit."""
    base = float(garden.rng.integers(5, 12))
    one, other = garden.loop(base), garden.loop(4.0 * base)
    is_at_limit = is_real or garden.rng.random() < 0.5
    strong = is_real or not is_at_limit
    low, high = (0.42, 0.8) if strong else (0.1, 0.25)
    garden.couple(one, other, float(garden.rng.uniform(low, high)))
    if is_at_limit:
        garden.change(other, value=100.0 if garden.rng.random() < 0.7 else 0.5)
    garden.tell("saturation", is_real, one, other)


def signal(garden: Garden, is_real: bool) -> None:
    """A sensor moved against its truth; decoys: with it, or by next to nothing."""
    reader, mover = garden.loop(), garden.loop()
    first = garden.members[reader].reads[0]
    stands = int(garden.rng.choice([-1, 1]))
    reading = msgspec.structs.replace(first, stands_for=f"truth-{reader}", stands_sign=stands)
    garden.change(reader, reads=(reading,))
    truth = float(garden.rng.choice([-1.0, 1.0])) * garden.draw(0.2, 1.0)
    sensor = garden.draw(0.2, 1.0) * stands * np.sign(truth)
    if is_real:
        sensor = -sensor
    elif garden.rng.random() < 0.3:
        sensor = -0.03 * np.sign(sensor)
    garden.effect(mover, first.signal, float(sensor))
    garden.effect(mover, f"truth-{reader}", truth)
    garden.tell("signal", is_real, reader, mover)


def budget(garden: Garden, is_real: bool) -> None:
    """Claims above a quota; decoys: within it, or with an arbiter."""
    numbers = [garden.loop() for _ in range(int(garden.rng.integers(2, 5)))]
    claims = [garden.draw(1.0, 50.0) for _ in numbers]
    has_arbiter = not is_real and garden.rng.random() < 0.5
    share = (
        garden.draw(1.03, 2.0) if is_real or has_arbiter else float(garden.rng.uniform(0.4, 0.98))
    )
    name = f"quota-{numbers[0]}"
    garden.quotas.append(
        Quota(name=name, limit=sum(claims) / share, arbiter="prices" if has_arbiter else "")
    )
    for number, claim in zip(numbers, claims, strict=True):
        garden.change(number, spends=name, claim=claim)
    garden.tell("budget", is_real, *numbers)
