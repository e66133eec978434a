"""Are deadlines of 10 and 30 ms kept over real distances, and impossible ones refused at once?

Three sites in network namespaces (edge 1 ms, regional 8 ms, central 40 ms away; see `sites`), a
real MLServer with a small scikit-learn model in each, `flyball serve` in front, and clients 2 ms
away in a namespace of their own. Each deadline counts from when the client's request was due to the
last byte that it receives. The profile is measured first, straight at the edge server; then load
comes at shares of what that server can do alone: what is judged was not used to set anything.

    python bench/bench_realtime.py            all loads, 20 s each
    python bench/bench_realtime.py --quick    5 s each
    python bench/bench_realtime.py --first    before all other processes of this machine
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import report
import sites
from paced import NUMBER
from real import env
from support import live, mlserver

HERE = Path(__file__).parent
RTTS_MS = {"edge": 1.0, "regional": 8.0, "central": 40.0, "clients": 2.0}
SERVED = ("edge", "regional", "central")
DEADLINES_MS = {"control": 10.0, "media": 30.0}
CLIENT_RTT_MS = RTTS_MS["clients"]
LOADS = (0.3, 0.5, 0.7)
KEPT_RATIO = 0.999
FIRST_PRIORITY = 10
TENSOR = {"name": "predict", "shape": [1, 4], "datatype": "FP32", "data": [5.1, 3.5, 1.4, 0.2]}
BODY = json.dumps({"inputs": [TENSOR]}).replace("0.2]", f"0.2{NUMBER}]")
TOKENS = len(BODY) / 4.0 + 1.0

Calls = dict[str, list[tuple[int, float, float]]]


def call(model: str, klass: str = "") -> str:
    """One inference over the Open Inference Protocol, whole."""
    own = f"x-flyball-class: {klass}\r\n" if klass else ""
    return (
        f"POST /v2/models/{model}/infer HTTP/1.1\r\nhost: gateway\r\n{own}"
        f"content-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n{BODY}"
    )


def send(
    folder: Path,
    address: tuple[str, int],
    calls: dict[str, str],
    *,
    seconds: float,
    rate: float = 0.0,
    connections: int = 1,
    seed: int = 1,
    at: sites.Site | None = None,
) -> Calls:
    """Run a load, from a site or from here; what each call met."""
    plan, result = folder / "plan.json", folder / "result.json"
    plan.write_text(
        json.dumps(
            {
                "address": address,
                "calls": calls,
                "seconds": seconds,
                "rate": rate,
                "connections": connections,
                "seed": seed,
            }
        )
    )
    words = [sys.executable, str(HERE / "paced.py"), str(plan), str(result)]
    client = subprocess.Popen(at.inside(words) if at else words)
    prefer(client.pid)
    if client.wait():
        raise RuntimeError("the load generator failed: see above")
    return json.loads(result.read_text())


def measure_server(folder: Path, host: str, port: int, seconds: float) -> tuple[float, float]:
    """(median time of one alone, ms, its network taken off; answers a second when always busy)."""
    direct = {"one": call(mlserver.MODEL)}
    send(folder, (host, port), direct, seconds=1.0)
    alone = send(folder, (host, port), direct, seconds=seconds / 2)["one"]
    busy = send(folder, (host, port), direct, seconds=seconds, connections=8)["one"]
    idle_ms = 1e3 * statistics.median(took for _, took, _ in alone) - RTTS_MS["edge"]
    return idle_ms, sum(status == 200 for status, _, _ in busy) / seconds


def fleet_file(servers: dict[str, str], idle_ms: float, per_s: float) -> str:
    """One pool at each site; `elsewhere` is a model that only the central site has."""
    each_ms = 1e3 / per_s
    base_ms = max(0.05, idle_ms - each_ms)
    step = f"{{base_ms: {base_ms:.4f}, per_seq_us: 0, per_kv_token_ns: 0"
    profile = (
        f"{{base: cpu/onnx-small, decode: {step}}}, "
        f"mixed: {step}, per_prefill_token_us: {1e3 * each_ms / TOKENS:.3f}}}}}"
    )
    pools = "".join(
        f"  {site}: {{site: {site}, engine: oip, surfaces: [oip], profile: {profile},\n"
        f"    models: [{mlserver.MODEL}{', elsewhere' if site == 'central' else ''}],\n"
        f"    endpoints: [{{url: '{url}'}}]}}\n"
        for site, url in servers.items()
    )
    places = "".join(
        f"  {site}: {{jurisdiction: EU, tier: {site}, rtt_ms: {RTTS_MS[site]}}}\n"
        for site in servers
    )
    classes = "".join(
        f"  {name}: {{value_usd: 0.001, e2e_ms: {ms}, output_tokens_mean: 1,\n"
        f"    contract: {{realtime: true, objective: {KEPT_RATIO}, "
        f"client_rtt_ms: {CLIENT_RTT_MS}}}}}\n"
        for name, ms in DEADLINES_MS.items()
    )
    return (
        f"version: v1\nsites:\n{places}pools:\n{pools}classes:\n{classes}"
        "listen: {host: 0.0.0.0}\nledger: {folder: ledger}\n"
    )


def rows_of(load: float, offered: float, calls: Calls, rate: float) -> list[dict[str, Any]]:
    """What the clients saw at one load, class by class."""
    rows: list[dict[str, Any]] = []
    for name, found in calls.items():
        limit_s = DEADLINES_MS[name] / 1e3
        refused = [took for status, _, took in found if status == 429]
        admitted = [(status, took) for status, took, _ in found if status != 429]
        kept = sum(status == 200 and took <= limit_s for status, took in admitted)
        cut = sum(status == 504 for status, _ in admitted)
        late = [took - limit_s for status, took in admitted if status == 200 and took > limit_s]
        what = f"{name} {DEADLINES_MS[name]:g} ms, load {load:.0%}"
        note = (
            f"{len(found)} sent at {rate:.0f}/s in all, {len(refused)} refused early, "
            f"{cut} ended at the deadline, {len(late)} answers late"
        )
        if late:
            note += f" by {1e3 * statistics.median(late):.2f} ms (median)"
        share = kept / len(admitted) if admitted else 0.0
        rows.append(
            {
                "figure": f"{what}: in time, of those admitted",
                "value": round(100 * share, 3),
                "unit": "%",
                "budget": f">= {100 * KEPT_RATIO}",
                "note": note,
            }
        )
        rows.append(
            {
                "figure": f"{what}: in time, of all",
                "value": round(100 * kept / max(1, len(found)), 3),
                "unit": "%",
            }
        )
    return rows


def refusals(calls: Calls) -> list[dict[str, Any]]:
    """How soon an impossible deadline is refused, seen from this machine."""
    rows: list[dict[str, Any]] = []
    for name, found in calls.items():
        took_ms = sorted(1e3 * took for _, _, took in found)
        wrong = sum(status != 429 for status, _, _ in found)
        rows.append(
            {
                "figure": f"{name} {DEADLINES_MS[name]:g} ms, only 40 ms away: refused after, p99",
                "value": round(took_ms[int(0.99 * len(took_ms))], 3),
                "unit": "ms",
                "spread": [round(took_ms[0], 3), round(took_ms[int(0.999 * len(took_ms))], 3)],
                "budget": "< 1",
                "note": f"{len(found)} sent, {wrong} not refused; least and p99.9; "
                f"median {statistics.median(took_ms):.3f} ms",
            }
        )
    return rows


def pauses(page: str) -> dict[str, Any]:
    """The gateway's own pauses, out of its metrics."""
    counts = {
        bound: float(value)
        for bound, value in re.findall(
            r'flyball_pause_seconds_bucket\{worker="0",le="([^"]+)"\} (\S+)', page
        )
    }
    total = counts["+Inf"]
    return {
        "figure": "the gateway's own pauses of at most 2 ms",
        "value": round(100 * counts["0.002"] / total, 4),
        "unit": "%",
        "budget": ">= 99.99",
        "note": f"{total:.0f} looks at its loop",
    }


def measure(folder: Path, python: Path, seconds: float) -> list[dict[str, Any]]:
    """Everything, in order."""
    with ExitStack() as stack:
        made = stack.enter_context(sites.sites(RTTS_MS))
        servers: dict[str, str] = {}
        for name in SERVED:
            (folder / name).mkdir()
            place = made[name]
            server = mlserver.running(python, folder / name, place.there, place.inside([]))
            servers[name] = stack.enter_context(server).url
        port = int(servers["edge"].rpartition(":")[2])
        idle_ms, per_s = measure_server(folder, made["edge"].there, port, seconds)
        say(f"edge server: {idle_ms:.2f} ms alone, {per_s:.0f} answers/s")
        processes: dict[str, subprocess.Popen[str]] = {}
        text = fleet_file(servers, idle_ms, per_s)
        gateway = live.serve_file(stack, folder, text, processes)
        prefer(processes["gateway"].pid)
        here = made["clients"].here
        at = (here, int(gateway.rpartition(":")[2]))
        calls = {name: call(mlserver.MODEL, name) for name in DEADLINES_MS}
        warm = {"seconds": 3.0, "connections": 32, "at": made["clients"]}
        send(folder, at, calls, rate=0.3 * per_s, **warm)
        rows: list[dict[str, Any]] = []
        for number, load in enumerate(LOADS, 2):
            rate = load * per_s
            paced = {"seconds": seconds, "rate": rate, "connections": 32, "seed": number}
            rows += rows_of(load, rate, send(folder, at, calls, at=made["clients"], **paced), rate)
            say(f"load {load:.0%} done")
        far = {name: call("elsewhere", name) for name in DEADLINES_MS}
        rows += refusals(send(folder, ("127.0.0.1", at[1]), far, seconds=seconds / 4))
        with urllib.request.urlopen(f"{gateway}/metrics", timeout=5) as page:
            rows.append(pauses(page.read().decode()))
        head = f"edge server alone: {idle_ms:.2f} ms, {per_s:.0f} answers/s"
        rows[0]["note"] = f"{head}; {rows[0]['note']}"
        return rows


def prefer(pid: int) -> None:
    """With --first: what must not wait comes before the servers, as on machines of their own."""
    if os.sched_getscheduler(0) == os.SCHED_RR:
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(FIRST_PRIORITY + 1))


def say(text: str) -> None:
    """Narration goes to stderr."""
    print(f"   {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main(words: Sequence[str]) -> int:
    """Run it; 0 also where it cannot run, which is said."""
    python = env.python_of("mlserver")
    reason = sites.why_not() or ("" if python else env.how_to_make("mlserver"))
    if reason or python is None:
        print(f"realtime: not run: {reason}", file=sys.stderr)
        return 0
    if "--first" in words:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(FIRST_PRIORITY))
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), python, 5.0 if "--quick" in words else 20.0)
    report.write("realtime", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
