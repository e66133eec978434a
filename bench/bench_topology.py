"""How many planted conflicts are found, how much of what is told is true, and what does it cost?

Graphs: `loop_graphs.py` (40 to 60 loops; of each of the eight kinds one or two conflicts and as
many near misses; gains known to 5 %). Rules and thresholds were set on seeds below 100; judged are
seeds from 1000 on. A finding counts as true if its kind and its loops are those planted; counted
is what is told at level warning or above. The second part withholds 30 % of the gains (signs alone
remain). `records` = fights in audit logs, among writers that do not fight. `probes` = edges from
actuators to signals of a noisy plant with drifting, autocorrelated signals, 24 of 96 pairs real,
moved by 2 % for 20 s at a time.

There is no rival row: no public tool known to us maps the loops of an inference fleet.
"""

import argparse
import time
from collections import Counter

import msgspec
import numpy as np

import report
from flyball.diagnosis.codes.codes import level_of
from flyball.diagnosis.topology.graph import LoopGraph, merge
from flyball.diagnosis.topology.probes import Probe, edges
from flyball.diagnosis.topology.topology import topology
from flyball.diagnosis.topology.writers import Fights, audited
from loop_graphs import KINDS, Planted, case

JUDGED_FROM = 1000
PRECISION_MIN, RECALL_MIN = 0.98, 0.95
BLOCK_S = 20.0
Rows = list[dict[str, object]]


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--graphs", type=int, default=200)
    parser.add_argument("--runs", type=int, default=20)
    asked = parser.parse_args()
    seeds = range(JUDGED_FROM, JUDGED_FROM + asked.graphs)
    print(f"seeds {seeds.start} to {seeds.stop - 1}", flush=True)
    rows = rules(seeds, 0.0) + rules(seeds, 0.3) + records(seeds)
    for hours in (1, 2):
        rows += probed(range(JUDGED_FROM, JUDGED_FROM + asked.runs), hours)
    report.write("topology", [*rows, *cost()])


def rules(seeds: range, sign_share: float) -> Rows:
    """Precision and recall of each kind."""
    real: Counter[str] = Counter()
    found: Counter[str] = Counter()
    false: Counter[str] = Counter()
    decoys = 0
    for seed in seeds:
        one = case(seed, sign_share)
        decoys += one.decoys
        left = set(one.planted)
        real.update(planted.kind for planted in left)
        for told in topology(one.graph):
            if level_of(told) == "note":
                continue
            key = Planted(told.kind, frozenset(told.loops))
            (found if key in left else false).update([told.kind])
            left.discard(key)
    note = f"{sign_share:.0%} of the gains withheld" if sign_share else f"{decoys:,} near misses"
    rows: Rows = []
    for kind in (*KINDS, "all"):
        kinds = KINDS if kind == "all" else (kind,)
        n, good, bad = (sum(some[k] for k in kinds) for some in (real, found, false))
        rows += _pair(f"{kind}{', signs' if sign_share else ''}", n, good, bad, note, sign_share)
    return rows


def _pair(name: str, n: int, good: int, bad: int, note: str, sign_share: float = 0.0) -> Rows:
    precision = good / (good + bad) if good + bad else 1.0
    is_judged = not sign_share
    return [
        {
            "figure": f"{name}: precision",
            "value": precision,
            "unit": "",
            "spread": interval(good, good + bad),
            "budget": f">= {PRECISION_MIN}" if is_judged else None,
            "note": f"{bad} of {good + bad} told are false; {note}",
        },
        {
            "figure": f"{name}: recall",
            "value": good / n if n else 1.0,
            "unit": "",
            "spread": interval(good, n),
            "budget": f">= {RECALL_MIN}" if is_judged else None,
            "note": f"{n - good} of {n} missed",
        },
    ]


def interval(good: int, total: int) -> list[float]:
    """Wilson's 95 % interval of a share."""
    if not total:
        return [0.0, 1.0]
    z2 = 1.96**2
    share = good / total
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    width = (z2 * (share * (1 - share) / total + z2 / (4 * total**2))) ** 0.5 / (1 + z2 / total)
    return [max(0.0, centre - width), min(1.0, centre + width)]


def records(seeds: range) -> Rows:
    """Fights over fields in audit logs."""
    n = good = bad = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        fights = Fights()
        events, real = audit_log(rng)
        for event in events:
            for write in audited(event):
                fights.add(write)
        told = {(one.scope, one.actuators[0]) for one in fights.findings()}
        n, good, bad = n + len(real), good + len(told & real), bad + len(told - real)
    return _pair("direct, by records", n, good, bad, "deploys, edits and lone loops beside")


def audit_log(rng: np.random.Generator) -> tuple[list[dict[str, object]], set[tuple[str, str]]]:
    """An hour of writes to 12 workloads, of which some are fought over."""
    events: list[tuple[float, dict[str, object]]] = []
    real: set[tuple[str, str]] = set()
    for number in range(12):
        name = f"web-{number}"
        period = float(rng.uniform(10.0, 60.0))
        walk = 10 + np.cumsum(rng.integers(-1, 2, 200))
        times = np.arange(0.0, 3600.0, period) + rng.uniform(0.0, period)
        moves = times[rng.random(len(times)) < 0.5]
        for turn, at in enumerate(moves):
            events.append((at, _event(at, "hpa", name, {"replicas": int(walk[turn % 200])})))
        which = rng.integers(0, 4)
        if which == 0:  # another loop sets it back, again and again
            real.add((f"prod/deployment/{name}", "pool.replicas"))
            for at in moves[::2] + rng.uniform(1.0, 9.0):
                events.append((float(at), _event(float(at), "gitops", name, {"replicas": 100})))
        elif which == 1:  # one deploy and one edit by hand
            at = float(rng.uniform(0.0, 3600.0))
            events.append((at, _event(at, "gitops", name, {"replicas": 4})))
            at = float(rng.uniform(0.0, 3600.0))
            events.append((at, _event(at, "kubectl-edit", name, {"replicas": 5})))
        elif which == 2:  # another loop on another field
            for at in np.arange(5.0, 3600.0, 45.0):
                events.append((at, _event(at, "tuner", name, {"paused": bool(at % 2)})))
    events.sort(key=lambda one: one[0])
    return [event for _, event in events], real


def _event(at: float, writer: str, name: str, spec: dict[str, object]) -> dict[str, object]:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1.7e9 + at))
    return {
        "stage": "ResponseComplete",
        "verb": "patch",
        "user": {"username": f"system:serviceaccount:kube-system:{writer}"},
        "userAgent": writer,
        "objectRef": {"resource": "deployments", "namespace": "prod", "name": name},
        "responseStatus": {"code": 200},
        "requestObject": {"spec": spec},
        "stageTimestamp": f"{stamp}.{int(at * 1e6) % 1_000_000:06d}Z",
    }


def probed(seeds: range, hours: int) -> Rows:
    """Edges that a randomised probe shows in so many hours."""
    n = good = bad = 0
    begun = time.process_time()
    for seed in seeds:
        probe, real = experiment(np.random.default_rng(seed), int(hours * 3600.0 / BLOCK_S))
        told = {(one.actuator, one.signal) for one in edges(probe)}
        n, good, bad = n + len(real), good + len(told & real), bad + len(told - real)
    spent = (time.process_time() - begun) / len(seeds)
    note = f"gains 0.1 to 1; {spent:.2f} CPU-s a run"
    return _pair(f"edges by probes alone, {hours} h", n, good, bad, note, sign_share=1.0)


def experiment(rng: np.random.Generator, blocks: int) -> tuple[Probe, set[tuple[str, str]]]:
    """8 actuators, 12 signals: lagged responses, noise that remembers, drift and a slow wave."""
    actuators, signals = 8, 12
    gains = np.zeros((actuators, signals))
    chosen = rng.choice(actuators * signals, 24, replace=False)
    gains.flat[chosen] = np.exp(rng.uniform(np.log(0.1), 0.0, 24)) * rng.choice([-1, 1], 24)
    arms = rng.choice([-1.0, 1.0], (blocks, actuators))
    held = np.exp(-BLOCK_S / rng.uniform(5.0, 30.0, signals))
    response, noise = np.zeros(signals), np.zeros(signals)
    values = np.zeros((blocks, signals))
    wave = np.sin(2 * np.pi * np.arange(blocks) * BLOCK_S / 7200.0)
    for block in range(blocks):
        response = held * response + (1.0 - held) * (0.02 * arms[block] @ gains)
        noise = 0.8 * noise + 0.003 * rng.standard_normal(signals)
        values[block] = 1.0 + response + noise + 0.03 * wave[block] + 1e-4 * block
    names = [f"a{i}" for i in range(actuators)], [f"s{i}" for i in range(signals)]
    real = {(f"a{i}", f"s{j}") for i, j in zip(*np.nonzero(gains), strict=True)}
    probe = Probe(names[0], names[1], arms, values, np.full(actuators, 0.02), BLOCK_S)
    return probe, real


def cost() -> Rows:
    """CPU time of one look at a fleet of about 200 loops."""
    graph = merge(_renamed(case(seed).graph, seed) for seed in range(JUDGED_FROM, JUDGED_FROM + 4))
    times = []
    for _ in range(5):
        begun = time.process_time()
        topology(graph)
        times.append(time.process_time() - begun)
    value = 1e3 * float(np.median(times))
    return [
        {
            "figure": f"one look at {len(graph.members)} loops",
            "value": value,
            "unit": "CPU-ms",
            "spread": [1e3 * min(times), 1e3 * max(times)],
            "budget": "<= 100",
            "note": "1 % of a core at a period of 10 s",
        }
    ]


def _renamed(graph: LoopGraph, seed: int) -> LoopGraph:
    """The same graph with names of its own."""
    text = msgspec.json.encode(graph).decode()
    for word in ("loop-", "actuator-", "signal-", "shared-", "truth-", "quota-"):
        text = text.replace(f'"{word}', f'"{seed}-{word}')
    return msgspec.json.decode(text, type=LoopGraph)


if __name__ == "__main__":
    main()
