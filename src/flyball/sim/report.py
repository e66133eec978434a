"""How well was the load served, class by class, and what did it cost?

Latencies are the client's: from its first sending to arrival, retries and network included. A call
counts as in time if it was served within every promise of its class. Percentiles are over served
calls; shares are over all calls sent after the warm-up.
"""

import numpy as np
from msgspec import Struct

from flyball.model.request import RequestClass
from flyball.sim import tables
from flyball.sim.coherence import Coherence
from flyball.sim.outcomes import ENDS
from flyball.sim.sessions import ProgramReport, Retries
from flyball.units import MS_PER_S, Joules, Ratio, Seconds, Tokens, Usd


class Spread(Struct, frozen=True, kw_only=True):
    """A distribution in five figures; all 0 if nothing was measured."""

    mean: float = 0.0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    max: float = 0.0


class ClassReport(Struct, frozen=True, kw_only=True):
    """One class, or all together. `goodput_rps` = calls in time per second."""

    name: str
    calls: int
    in_time_ratio: Ratio
    goodput_rps: float
    served_ratio: Ratio
    ends: dict[str, int]
    tries_per_call: float
    cached_ratio: Ratio
    ttft_s: Spread
    tpot_s: Spread
    e2e_s: Spread
    value_usd: Usd
    value_missed_usd: Usd


class PoolReport(Struct, frozen=True, kw_only=True):
    """What one pool did and cost over the whole run, warm-up included."""

    name: str
    site: str
    replicas: int
    replica_hours: float
    busy_ratio: Ratio
    joules: Joules
    usd: Usd
    energy_usd: Usd
    prompt_tokens: Tokens
    cached_tokens: Tokens
    output_tokens: Tokens
    preemptions: int
    starts: int = 0
    drains: int = 0


class Report(Struct, frozen=True, kw_only=True):
    """One run. `execution_error_usd` = value missed + machines + energy + penalties of guarantees
    broken: the one number that all loops together should make small. `token_usd` = what was
    answered, at list prices. `digest` = SHA-256 over every column of every call."""

    name: str
    version: str
    seed: int
    core: str
    load: float
    duration_s: Seconds
    measured_s: Seconds
    total: ClassReport
    classes: tuple[ClassReport, ...]
    pools: tuple[PoolReport, ...]
    site_watts_peak: dict[str, float]
    site_over_limit_s: dict[str, Seconds]
    machine_usd: Usd
    energy_usd: Usd
    execution_error_usd: Usd
    joules_per_output_token: float
    boards: int
    tries: int
    intents: int
    outcomes: int
    notices: dict[str, int]
    breaches: tuple[str, ...]
    breaches_count: int
    events: int
    digest: str
    programs: tuple[ProgramReport, ...] = ()
    retries: Retries = Retries()
    token_usd: Usd = 0.0
    coherence: Coherence = Coherence()

    def _repr_html_(self) -> str:
        """Tables for a notebook; they need nothing else."""
        head = tables.note(
            f"{self.name}: core {self.core}, load {self.load:g}, seed {self.seed}, "
            f"{self.measured_s:g} of {self.duration_s:g} s measured, version {self.version}"
        )
        broken = [tables.note(f"INVARIANTS BROKEN: {self.breaches_count}")]
        served = [*self.classes, self.total] if len(self.classes) > 1 else [self.total]
        return "\n".join(
            [
                head,
                *(broken if self.breaches_count else []),
                tables.table("Classes", _CLASS_HEAD, [_class_cells(one) for one in served]),
                tables.table("Pools", _POOL_HEAD, [_pool_cells(one) for one in self.pools]),
                tables.table("Cost", _COST_HEAD, [_cost_cells(self)]),
            ]
        )


class Result(Struct, frozen=True, kw_only=True):
    """A run's report and the columns of all its calls."""

    report: Report
    columns: dict[str, np.ndarray]

    def _repr_html_(self) -> str:
        """The report's tables, for a notebook."""
        return self.report._repr_html_()


_CLASS_HEAD = (
    "class", "calls", "in time", "goodput, 1/s", "TTFT p50, ms", "p99", "TPOT p50, ms", "p99",
    "E2E p50, s", "p99", "cached", "tries",
)  # fmt: skip
_POOL_HEAD = (
    "pool", "site", "replicas", "replica-hours", "busy", "kWh", "USD", "preemptions", "starts",
    "drains",
)  # fmt: skip
_COST_HEAD = (
    "execution error, USD", "missed", "machines", "energy", "coherence", "J per answer token",
)  # fmt: skip


def _class_cells(one: ClassReport) -> tuple[str, ...]:
    first, later, whole = one.ttft_s, one.tpot_s, one.e2e_s
    return (
        one.name, f"{one.calls:,}", f"{one.in_time_ratio:.2%}", f"{one.goodput_rps:,.2f}",
        f"{first.p50 * MS_PER_S:,.0f}", f"{first.p99 * MS_PER_S:,.0f}",
        f"{later.p50 * MS_PER_S:,.1f}", f"{later.p99 * MS_PER_S:,.1f}",
        f"{whole.p50:,.2f}", f"{whole.p99:,.2f}", f"{one.cached_ratio:.1%}",
        f"{one.tries_per_call:.2f}",
    )  # fmt: skip


def _pool_cells(one: PoolReport) -> tuple[str, ...]:
    return (
        one.name, one.site, f"{one.replicas:,}", f"{one.replica_hours:,.2f}",
        f"{one.busy_ratio:.0%}", f"{one.joules / 3.6e6:,.3f}", f"{one.usd + one.energy_usd:,.2f}",
        f"{one.preemptions:,}", f"{one.starts:,}", f"{one.drains:,}",
    )  # fmt: skip


def _cost_cells(one: Report) -> tuple[str, ...]:
    usd = (one.execution_error_usd, one.total.value_missed_usd, one.machine_usd, one.energy_usd)
    coherence = f"{one.coherence.ratio:.1%}"
    return (*(f"{value:,.2f}" for value in usd), coherence, f"{one.joules_per_output_token:.3f}")


def class_reports(
    columns: dict[str, np.ndarray],
    classes: tuple[RequestClass, ...],
    begin_s: Seconds,
    measured_s: Seconds,
) -> tuple[ClassReport, tuple[ClassReport, ...]]:
    """(all classes together, each class that had calls), over calls sent from `begin_s` on."""
    kept = {name: column[columns["sent_at_s"] >= begin_s] for name, column in columns.items()}
    values = np.array([klass.value_usd for klass in classes])[kept["class_index"]]
    reports: list[ClassReport] = []
    for index, klass in enumerate(classes):
        mine = kept["class_index"] == index
        if mine.any():
            part = {name: column[mine] for name, column in kept.items()}
            reports.append(_class_report(klass.name, part, values[mine], measured_s))
    return _class_report("all", kept, values, measured_s), tuple(reports)


def _class_report(
    name: str, part: dict[str, np.ndarray], values: np.ndarray, measured_s: Seconds
) -> ClassReport:
    calls = len(part["number"])
    served = part["end"] == 0
    in_time = part["in_time"] == 1
    several = served & (part["output_tokens"] > 1)
    prompt = int(part["input_tokens"][served].sum())
    return ClassReport(
        name=name,
        calls=calls,
        in_time_ratio=_share(int(in_time.sum()), calls),
        goodput_rps=float(in_time.sum()) / measured_s,
        served_ratio=_share(int(served.sum()), calls),
        ends={end: int((part["end"] == i).sum()) for i, end in enumerate(ENDS)},
        tries_per_call=_share(int(part["tries"].sum()), calls),
        cached_ratio=_share(int(part["cached_tokens"].sum()), prompt),
        ttft_s=spread(part["ttft_s"][served]),
        tpot_s=spread(part["tpot_s"][several]),
        e2e_s=spread(part["e2e_s"][served]),
        value_usd=float(values[in_time].sum()),
        value_missed_usd=float(values[~in_time].sum()),
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def spread(values: np.ndarray) -> Spread:
    """Mean, percentiles (linear between order statistics) and maximum."""
    if not len(values):
        return Spread()
    p50, p90, p99 = np.percentile(values, [50, 90, 99])
    return Spread(
        mean=float(values.mean()),
        p50=float(p50),
        p90=float(p90),
        p99=float(p99),
        max=float(values.max()),
    )
