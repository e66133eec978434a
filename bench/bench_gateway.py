"""How fast is the gateway on one core, and what does it add to a request, beside its rivals?

    python bench/bench_gateway.py [--quick] [NAME ...]

NAME = part of a contestant's name. Each round starts every contestant anew, one at a time: a
warm-up, 64 connections in a closed loop, one connection, then Poisson arrivals at half of the rate
just found, and the same arrivals straight at the engines. Figures are medians over the rounds.

Reference figure: nginx does 50,900 req/s on one core of the reference machine. As machines differ,
the budget is for ours / nginx here, in the same round, times that figure.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bodies
import contestants
import report
import rig
import rivals
from contestants import (
    CORE_OFF,
    ENVOY,
    GOVERNED,
    GOVERNED_64,
    LITELLM,
    NGINX,
    SGLANG,
    SMG,
    VLLM,
    Contestant,
)
from rig import Run

CONNECTIONS = 64
REFERENCE_NGINX_RPS = 50_900.0
BUDGET_RPS = 25_000
BUDGET_ROUTER = 1.5
BUDGET_ADDED_P99_US = 1_000
GUARD_NOTE = "guard against mispredictions opened, as the mock has no engine's timing"
DIRECT = "direct"
OURS = (GOVERNED, GOVERNED_64, CORE_OFF)
ALL = (*OURS, NGINX, ENVOY, SGLANG, SMG, VLLM, LITELLM)


@dataclass(frozen=True)
class Plan:
    """How long each part lasts, in seconds, and how many rounds there are."""

    rounds: int = 3
    warm_s: float = 0.7
    closed_s: float = 2.0
    single_s: float = 1.0
    half_s: float = 1.0


QUICK = Plan(rounds=1, warm_s=0.3, closed_s=0.6, single_s=0.3, half_s=0.3)


@dataclass
class Found:
    """What one contestant showed, a value a round; `why` = why it shows nothing more."""

    rps: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    p50_us: list[float] = field(default_factory=list)
    p99_us: list[float] = field(default_factory=list)
    half_rps: list[float] = field(default_factory=list)
    half_p50_us: list[float] = field(default_factory=list)
    half_p99_us: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    foreign: list[float] = field(default_factory=list)
    bad: int = 0
    why: str = ""

    def add(self, closed: Run, single: Run) -> None:
        """The closed loop's figures of a round."""
        self.rps.append(closed.per_s)
        self.cpu_us.append(closed.cpu_us)
        self.p50_us.append(single.p50_us)
        self.p99_us.append(single.p99_us)
        self.foreign.append(closed.foreign)
        self.bad += closed.other + closed.faults

    @property
    def note(self) -> str:
        """What a reader must know to trust the figures."""
        words = []
        if self.bad:
            words.append(f"{self.bad} answers were not 2xx")
        if max(self.foreign, default=0.0) > 0.1:
            words.append(f"others took {max(self.foreign):.0%} of the core")
        return "; ".join(words)


def measure(who: Contestant, plan: Plan, body: Path, found: Found) -> None:
    """One round of one contestant."""
    with tempfile.TemporaryDirectory() as name, rig.engines(who.engines) as (_, engines):
        folder = Path(name)
        folder.chmod(0o755)
        port = rig.free_ports(1)
        with rig.contestant(who.start(folder, engines, port), port, folder, body) as pid:
            rig.load(port, body, plan.warm_s, CONNECTIONS)
            closed = rig.load(port, body, plan.closed_s * who.stretch, CONNECTIONS, pid=pid)
            single = rig.load(port, body, plan.single_s * who.stretch, 1, pid=pid)
            if not (closed.ok and single.ok):
                raise rig.RigFault(f"{closed.other + closed.faults} answers, none of them 2xx")
            rate = closed.per_s / 2
            half = rig.load(port, body, plan.half_s * who.stretch, CONNECTIONS, rate=rate, pid=pid)
            straight = rig.load(engines[0], body, plan.half_s, CONNECTIONS, rate=rate)
            found.add(closed, single)
            found.half_rps.append(half.per_s)
            found.half_p50_us.append(half.p50_us - straight.p50_us)
            found.half_p99_us.append(half.p99_us - straight.p99_us)
            found.bad += half.other + half.faults
            found.rss_mb.append(rig.rss_mb(pid))


def measure_direct(plan: Plan, body: Path, found: Found) -> None:
    """One round of load straight at an engine, which has the contestants' core."""
    with rig.engines(1, core=rig.CONTESTANT_CORE) as (pid, ports):
        rig.load(ports[0], body, plan.warm_s, CONNECTIONS)
        closed = rig.load(ports[0], body, plan.closed_s, CONNECTIONS, pid=pid)
        found.add(closed, rig.load(ports[0], body, plan.single_s, 1, pid=pid))


def run(chosen: Sequence[Contestant], plan: Plan) -> dict[str, Found]:
    """All rounds, the contestants in turn."""
    found = {DIRECT: Found(), **{who.name: Found() for who in chosen}}
    with tempfile.TemporaryDirectory() as name:
        body = bodies.whole(Path(name))
        for turn in range(1, plan.rounds + 1):
            measure_direct(plan, body, found[DIRECT])
            for who in chosen:
                own = found[who.name]
                if own.why:
                    continue
                try:
                    measure(who, plan, body, own)
                except (rig.RigFault, rivals.Missing) as fault:
                    own.why = str(fault)
                    rig.say(f"   round {turn}  {who.name}: {fault}")
                    continue
                rig.say(
                    f"   round {turn}  {who.name}: {own.rps[-1]:,.0f} req/s, "
                    f"{own.cpu_us[-1]:.1f} CPU µs"
                )
    return found


def rows_of(found: dict[str, Found], direct: Found) -> list[dict[str, Any]]:
    """A row per contestant and figure; the ratio is to ours, above 1 = better than ours."""
    figures: list[tuple[str, str, Callable[[Found], list[float]]]] = [
        ("64 connections", "req/s", lambda one: one.rps),
        ("64 connections", "CPU µs/req", lambda one: one.cpu_us),
        ("1 connection p50", "µs", lambda one: one.p50_us),
        ("1 connection p99", "µs", lambda one: one.p99_us),
        ("1 connection p50 added", "µs", lambda one: less(one.p50_us, direct.p50_us)),
        ("1 connection p99 added", "µs", lambda one: less(one.p99_us, direct.p99_us)),
        ("half load p50 added", "µs", lambda one: one.half_p50_us),
        ("half load p99 added", "µs", lambda one: one.half_p99_us),
        ("resident", "MB", lambda one: one.rss_mb),
    ]
    rows = []
    for figure, unit, take in figures:
        ours = rig.middle(take(found[GOVERNED.name])) if GOVERNED.name in found else float("nan")
        for name, one in found.items():
            values = take(one)
            if not values or (name == DIRECT and "added" in figure):
                continue
            value = rig.middle(values)
            rows.append(
                {
                    "figure": f"{figure}: {name}",
                    "value": round(value, 1),
                    "unit": unit,
                    "spread": rig.spread(values),
                    "rival": None if name.startswith(contestants.OURS) else name,
                    "ratio": ratio(value, ours, unit),
                    "budget": budget(name, figure),
                    "note": note(name, figure, unit, one),
                }
            )
    for name, one in found.items():
        if one.why:
            figure = f"{name}: {'only ' if one.rps else ''}{len(one.rps) or 'no'} rounds"
            rows.append({"figure": figure, "note": one.why})
    return rows


def note(name: str, figure: str, unit: str, one: Found) -> str:
    """What a reader must know to trust the row."""
    if unit != "req/s":
        return one.note if "half" in figure or "p99" in figure else ""
    words = [GUARD_NOTE] if name in (GOVERNED.name, GOVERNED_64.name) else []
    if name == LITELLM.name:
        words.append(rivals.version("litellm"))
    return "; ".join([*words, one.note] if one.note else words)


def less(values: Sequence[float], base: Sequence[float]) -> list[float]:
    """Each value without the median of the base."""
    return [value - rig.middle(base) for value in values] if base else []


def ratio(value: float, ours: float, unit: str) -> float | None:
    """How many times better than ours; None where that says nothing."""
    if ours != ours or min(value, ours) <= 0:
        return None
    return round(value / ours if unit == "req/s" else ours / value, 3)


def budget(name: str, figure: str) -> str | None:
    """The bound that is kept or missed by a row itself."""
    if name == GOVERNED_64.name and figure == "half load p99 added":
        return f"<= {BUDGET_ADDED_P99_US}"
    return None


def verdicts(found: dict[str, Found], chosen: Sequence[Contestant]) -> list[dict[str, Any]]:
    """The rows that the budgets are for: against nginx of the reference, and the fastest router."""
    routers = {who.name: found[who.name] for who in chosen if who.is_router}
    routers = {name: one for name, one in routers.items() if one.rps}
    nginx = found.get(NGINX.name, Found())
    rows: list[dict[str, Any]] = []
    for who in (GOVERNED, GOVERNED_64):
        ours = found.get(who.name, Found())
        shares = {
            "req/s": paired(ours.rps, nginx.rps),
            "CPU per request": paired(nginx.cpu_us, ours.cpu_us),
        }
        rows += [on_reference(who.name, how, values) for how, values in shares.items() if values]
        if ours.rps and routers:
            fastest = max(routers, key=lambda name: rig.middle(routers[name].rps))
            leanest = min(routers, key=lambda name: rig.middle(routers[name].cpu_us))
            rows += [
                over_router(who.name, "req/s", fastest, paired(ours.rps, routers[fastest].rps)),
                over_router(
                    who.name, "CPU per request", leanest,
                    paired(routers[leanest].cpu_us, ours.cpu_us),
                ),
            ]  # fmt: skip
    return rows


def paired(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Quotients by round, as the runs of a round lie close in time."""
    return [one / other for one, other in zip(over, under, strict=False)]


def on_reference(name: str, how: str, shares: Sequence[float]) -> dict[str, Any]:
    """What ours would do on the reference machine, if it were to nginx there as it is here."""
    values = [share * REFERENCE_NGINX_RPS for share in shares]
    return {
        "figure": f"on the reference machine, by {how}: {name}",
        "value": round(rig.middle(values)),
        "unit": "req/s",
        "spread": rig.spread(values, 0),
        "rival": NGINX.name,
        "ratio": round(rig.middle(shares), 3),
        "budget": f">= {BUDGET_RPS}",
        "note": f"ours / nginx here x {REFERENCE_NGINX_RPS:,.0f} of nginx there",
    }


def over_router(name: str, how: str, router: str, ratios: Sequence[float]) -> dict[str, Any]:
    """How many times better than the best Rust router of this run."""
    return {
        "figure": f"over the best Rust router, by {how}: {name}",
        "value": round(rig.middle(ratios), 2),
        "unit": "x",
        "spread": rig.spread(ratios, 2),
        "rival": router,
        "ratio": round(rig.middle(ratios), 3),
        "budget": f">= {BUDGET_ROUTER}",
    }


def main(words: list[str]) -> int:
    """Measure and report; the exit code: 0, 1 if ours failed, 2 for an unknown contestant."""
    parts = [word for word in words if not word.startswith("-")]
    chosen = [who for who in ALL if not parts or any(part in who.name for part in parts)]
    if not chosen or set(words) - set(parts) - {"--quick"}:
        rig.say(f"bench_gateway: contestants are {', '.join(who.name for who in ALL)}; --quick")
        return 2
    try:
        found = run(chosen, QUICK if "--quick" in words else Plan())
    except rig.RigFault as fault:
        rig.say(f"bench_gateway: {fault}")
        return 1
    report.write("gateway", [*rows_of(found, found[DIRECT]), *verdicts(found, chosen)])
    return 1 if any(found[who.name].why for who in chosen if who in OURS) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
