"""Is any of very many simulated requests placed where law or policy of its moment forbids it?

Three gateways, five sites in four jurisdictions, three classes of data. Replicas fail, paths are
cut, telemetry goes silent, and the policies are swapped all the time. The judge knows neither Cedar
nor the core: it has a table of who may run where under which set, and looks at every attempt. One
run is a seed and ten simulated minutes; runs follow each other until the wanted number is reached.
"""

import argparse
import time
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

import report
from flyball.dialects.traces.row import TraceRow
from flyball.model.decision import Intent, Record
from flyball.sim.build import build
from flyball.sim.run import World, generated
from flyball.sim.scenario import Scenario

RUN_S = 600
SWAP_S = 20.0
CONTROL_S = 40
ENTITIES = msgspec.json.encode(
    [
        {"uid": {"type": "Jurisdiction", "id": "EU"}},
        *[
            {
                "uid": {"type": "Jurisdiction", "id": name},
                "parents": [{"type": "Jurisdiction", "id": "EU"}],
            }
            for name in ("DE", "FR")
        ],
        {"uid": {"type": "Jurisdiction", "id": "US"}},
        {"uid": {"type": "Jurisdiction", "id": "CH"}},
    ]
).decode()
ALL = '@id("all") permit (principal, action, resource);\n'


def residency(*classes: str) -> str:
    named = ", ".join(f'"{name}"' for name in classes)
    return ALL + (
        '@id("residency") forbid (principal, action, resource)\n'
        f"when {{ [{named}].contains(context.dataClass) && !(resource in context.dataHome) }};\n"
    )


# The sets that take turns, and what the judge holds them to: data class -> where it may run.
EVERYWHERE = frozenset({"DE", "FR", "US", "CH"})
HOMES = {"personal": frozenset({"DE", "FR"}), "special": frozenset({"DE"})}
SETS: tuple[tuple[str, dict[str, frozenset[str]]], ...] = (
    (residency("personal", "special"), HOMES),
    (residency("special"), {"special": HOMES["special"]}),
    (
        residency("personal", "special") + '@id("no-swiss") forbid (principal, action, resource)\n'
        'when { resource in Jurisdiction::"CH" };\n',
        HOMES | {"public": EVERYWHERE - {"CH"}},
    ),
)
SITES = {"berlin": "DE", "paris": "FR", "ohio": "US", "zurich": "CH", "oregon": "US"}
CLASSES = {
    "open": {"value_usd": 0.01, "ttft_ms": 1500},
    "people": {"value_usd": 0.01, "data_class": "personal", "data_home": "EU"},
    "health": {"value_usd": 0.02, "data_class": "special", "data_home": "DE"},
}
TROUBLES = ("replica-loss", "partition", "telemetry-outage", "slow", "early-close")


def scenario(seed: int, rate: float, run_s: int = RUN_S, is_governed: bool = True) -> Scenario:
    """One run: a trouble every ten seconds, another set of policies every twenty."""
    names = list(SITES)
    data: dict[str, Any] = {
        "version": "v1",
        "seed": seed,
        "duration_s": run_s,
        "gateways": {"count": 3},
        "fleet": {
            "sites": {
                name: {"jurisdiction": place, "rtt_ms": 5.0 * number}
                for number, (name, place) in enumerate(SITES.items())
            },
            "pools": {
                f"p-{name}": {"site": name, "profile": "h100/llama-3.1-8b", "replicas": 2}
                for name in names
            },
            "classes": CLASSES,
        },
        "workload": {
            "generate": {"rate": rate, "mix": {"chat": 1}},
        },
        "policy": {
            "rules": [
                {"cedar": SETS[n % len(SETS)][0], "entities": ENTITIES, "at_s": n * SWAP_S}
                for n in range(int(run_s / SWAP_S) if is_governed else 0)
            ]
        },
        "triggers": [
            {
                "kind": TROUBLES[(n + seed) % len(TROUBLES)],
                "at_s": 5.0 + 10.0 * n,
                "for_s": 8.0,
                "target": "" if n % 7 == 0 else f"p-{names[(n * 3 + seed) % len(names)]}",
                "factor": 0.2 if (n + seed) % len(TROUBLES) == 4 else 3.0,
            }
            for n in range(int(run_s / 10) - 1)
        ],
    }
    return msgspec.convert(data, Scenario)


class Judge:
    """Looks at every attempt of one run."""

    def __init__(self, made: World) -> None:
        self.requests: set[str] = set()
        self.attempts = 0
        self.misplaced: list[str] = []
        self.others = 0
        self._of = {klass: spec.get("data_class", "public") for klass, spec in CLASSES.items()}
        self._watch = made.driver.sinks.record
        made.driver.sinks.record = self.record

    def record(self, gateway: int, record: Record) -> None:
        self._watch(gateway, record)
        if not isinstance(record, Intent):
            return
        self.attempts += 1
        self.requests.add(record.id)
        place = SITES[record.pool.removeprefix("p-")]
        allowed = SETS[int(record.at / SWAP_S) % len(SETS)][1]
        if place not in allowed.get(str(self._of[record.class_name]), EVERYWHERE):
            self.misplaced.append(f"{record.id} of {record.class_name} in {place} at {record.at}")
        self.others += place != "DE"


def spread(rows: Iterator[TraceRow]) -> Iterator[TraceRow]:
    """The load, each third request of another class."""
    names = list(CLASSES)
    for number, row in enumerate(rows):
        yield replace(row, class_name=names[number % len(names)])


def run(shape: Scenario) -> tuple[Judge, World]:
    """One run to its end."""
    fleet, policy = build(shape)
    made = World(shape, fleet, policy, spread(generated(shape)))
    judge = Judge(made)
    made.run(f"seed {shape.seed}", None)
    return judge, made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="10000000 for the whole claim")
    parser.add_argument("--rate", type=float, default=60.0, help="requests per simulated second")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after this wall time")
    asked = parser.parse_args()
    begun_at, seed, requests, attempts, broken, others = time.monotonic(), 0, 0, 0, 0, 0
    misplaced: list[str] = []
    while requests < asked.requests and time.monotonic() - begun_at < asked.seconds:
        judge, made = run(scenario(seed, asked.rate))
        seed += 1
        requests += len(judge.requests)
        attempts += judge.attempts
        broken += made.checks.broken
        others += judge.others
        misplaced += judge.misplaced
    spent_s = time.monotonic() - begun_at
    note = f"{seed} seeds, {attempts} attempts, {others} of them outside DE, in {spent_s:.0f} s"
    control, _ = run(scenario(0, asked.rate, CONTROL_S, is_governed=False))
    rows: list[dict[str, object]] = [
        {
            "figure": f"misplaced of {requests} simulated requests",
            "value": len(misplaced),
            "unit": "requests",
            "budget": 0,
            "note": note,
        },
        {"figure": "invariants of the world broken", "value": broken, "unit": "", "budget": 0},
        {
            "figure": f"control without policies: misplaced of {len(control.requests)}",
            "value": len(control.misplaced),
            "unit": "requests",
            "note": "the judge must find these, else it proves nothing",
        },
    ]
    report.write("residency", rows)
    for line in misplaced[:5]:
        print(line)


if __name__ == "__main__":
    main()
