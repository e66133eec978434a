"""What is routing by cached prefixes worth? (Writes docs/results/kv_aware.md and kv_aware.json.)

`python docs/results/make_kv_aware.py` plays the Mooncake conversation hour on eight replicas, once
for each router and rate, three samples each.
"""

import json
import statistics
import sys
from typing import Any

from conversation import HERE, play, rows

from flyball.dialects.profiles import profile
from flyball.dialects.traces.row import TraceRow
from flyball.dialects.traces.scale import faster, thinned
from flyball.sim.report import Report

SEEDS = (1, 2, 3)
KEPT = 0.9
REPLICAS = 8
PROFILE = "h100/llama-3.1-8b"
LOADS = (1.0, 2.0)
PROMISE = {"ttft_ms": 2000.0, "tpot_ms": 100.0}
ROUTERS = (
    "round_robin",
    "least_request",
    "dynamo_kv",
    "smg_cache_aware",
    "epp_default",
    "governor",
)
BLOCK = 512

HEAD = """# Routing by cached prefixes against round robin
<!-- Made by docs/results/make_kv_aware.py. -->

The public Mooncake conversation hour (FAST'25; 12,031 requests, blocks of 512 tokens) on eight H100
with Llama-3.1-8B, each with 397,000 tokens of KV. Routers are the twin's rivals by their published
rules with default constants, and the governor with its own. The profile is measured data; nothing
was fitted or tuned to this trace.

    python docs/results/make_kv_aware.py        # $FLYBALL_DATA = the folder of data sets

Each figure is the median of three samples (seeds 1, 2, 3), the least and the greatest in brackets.
A sample keeps nine tenths of the requests, drawn at random, with time compressed to the rate named:
1 = the trace's own 3.4 requests/s. `reused` = prompt tokens found in the engine's cache, of all
served. `in time` = first token within 2 s and 100 ms per later token, of all requests sent: the
governor was told these limits and may refuse; the rivals have no such word, and serve all.
"""

TAIL = """
## Beside what was published

DynoSim (ai-dynamo/dynamo, docs/blogs/digital-twin-simulation) gives, simulated, for Dynamo's KV
router against round robin on the Mooncake *tool-agent* hour (closed loop, eight workers): reuse
0.38 to 0.44, TTFT 1.78 s to 0.48 s at 256 requests in flight. There prompts presumably share much
with all others, as round robin too reuses 0.38; in conversations a prefix is one session's, and
round robin finds it by luck. The direction agrees, TTFT falls by a like factor under load, and
reuse rises by more; the absolute figures cannot be compared.
"""


def main() -> None:
    """Play all and write both files."""
    trace, engine = rows(), profile(PROFILE)
    found: dict[str, dict[str, Any]] = {}
    for load in LOADS:
        for core in ROUTERS:
            print(f"{core} at {load:g}", file=sys.stderr, flush=True)
            reports: list[Report] = []
            for seed in SEEDS:
                sample = faster(thinned(trace, KEPT, seed), load / KEPT)
                reports.append(
                    play(sample, engine, replicas=REPLICAS, seed=seed, core=core, promise=PROMISE)
                )
            found.setdefault(f"{load:g}", {})[core] = figures(reports)
    said = {
        "command": "python docs/results/make_kv_aware.py",
        "trace": "mooncake_conversation", "kept": KEPT, "seeds": SEEDS, "profile": PROFILE,
        "replicas": REPLICAS, "reuse_without_limit": ceiling(trace), "loads": found,
    }  # fmt: skip
    (HERE / "kv_aware.json").write_text(json.dumps(said, indent=1) + "\n")
    (HERE / "kv_aware.md").write_text(page(found, said["reuse_without_limit"]))


def ceiling(trace: list[TraceRow]) -> float:
    """Share of prompt tokens that one cache without limits would have held already."""
    seen: set[int] = set()
    reused = total = 0
    for row in trace:
        total += row.input_tokens
        for block in row.prefix_blocks:
            if block not in seen:
                break
            reused += BLOCK
        seen.update(row.prefix_blocks)
    return round(reused / total, 3)


def figures(reports: list[Report]) -> dict[str, list[float]]:
    """Each figure as [median, least, greatest] over the samples."""

    def spread(values: list[float]) -> list[float]:
        return [round(one, 4) for one in (statistics.median(values), min(values), max(values))]

    totals = [report.total for report in reports]
    return {
        "reused_ratio": spread([one.cached_ratio for one in totals]),
        "ttft_mean_s": spread([one.ttft_s.mean for one in totals]),
        "ttft_p90_s": spread([one.ttft_s.p90 for one in totals]),
        "tpot_mean_ms": spread([1e3 * one.tpot_s.mean for one in totals]),
        "served_ratio": spread([one.served_ratio for one in totals]),
        "in_time_ratio": spread([one.in_time_ratio for one in totals]),
    }


def page(found: dict[str, dict[str, Any]], without_limit: float) -> str:
    """The Markdown page."""
    parts = [HEAD, f"One cache without limits would have held {without_limit:.1%} of all tokens.\n"]
    for load, cores in found.items():
        plain, aware = cores["round_robin"], cores["dynamo_kv"]
        parts += [
            f"## {load} times the trace's rate\n",
            "| router | reused | TTFT mean, s | TTFT p90, s | TPOT mean, ms | served | in time |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| {core} | {cell(one, 'reused_ratio', 3)} | {cell(one, 'ttft_mean_s', 2)} | "
                f"{cell(one, 'ttft_p90_s', 2)} | {cell(one, 'tpot_mean_ms', 1)} | "
                f"{cell(one, 'served_ratio', 3)} | {cell(one, 'in_time_ratio', 3)} |"
                for core, one in cores.items()
            ),
            f"\nDynamo's KV router against round robin: reuse x "
            f"{aware['reused_ratio'][0] / plain['reused_ratio'][0]:.1f}, mean TTFT x "
            f"{aware['ttft_mean_s'][0] / plain['ttft_mean_s'][0]:.2f}, p90 TTFT x "
            f"{aware['ttft_p90_s'][0] / plain['ttft_p90_s'][0]:.2f}.\n",
        ]
    return "\n".join(parts) + TAIL


def cell(one: dict[str, Any], name: str, digits: int) -> str:
    """`median [least, greatest]`."""
    middle, least, greatest = one[name]
    return f"{middle:.{digits}f} [{least:.{digits}f}, {greatest:.{digits}f}]"


if __name__ == "__main__":
    main()
