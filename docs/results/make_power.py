"""How many servers does a feed carry, and what does a good token cost? (Writes power.{md,json}.)

`python docs/results/make_power.py [--seeds 5]` sets ever more servers under one feed, and counts
joules per good token, by power loop. Runs that power.json holds already are kept: delete it to
begin anew.
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import mean
from typing import Any

from flyball.model.request import GATE_SHARE
from flyball.sim.build import build
from flyball.sim.experiments.power import (
    DURATION_S,
    FEED_SERVERS,
    TOLERANCES,
    Capper,
    feed_watts,
    is_carried,
    joules_per_good_token,
    scenario,
)
from flyball.sim.run import run

HERE = Path(__file__).parent
KEPT = HERE / "power.json"
SEEDS = (1, 2, 3, 4, 5)
LOAD = 0.7
MOST = 16
FIRST = 10
LOOPS = {
    "clocks at the limit, EPP": Capper(core="epp_default"),
    "POLCA, EPP": Capper(core="epp_default", power="polca"),
    "static cap, EPP": Capper(core="epp_default", power="static_cap"),
    "governed": Capper(core="governor", power="governor", hold_ratio=GATE_SHARE),
}
# (loops, share of the feed that is there; None = no limit, so clocks stay at full: race to idle)
SAVERS: dict[str, tuple[Capper, float | None]] = {
    "race to idle, EPP": (Capper(core="epp_default"), None),
    "static cap at 0.7, EPP": (Capper(core="epp_default", power="static_cap"), 0.7),
    "governor, no power loop": (Capper(core="governor", hold_ratio=GATE_SHARE), None),
    "governor, power": (
        Capper(core="governor", power="governor", hold_ratio=GATE_SHARE),
        None,
    ),
    "governor, power and consolidation": (
        Capper(core="governor", power="governor", consolidates=True, hold_ratio=GATE_SHARE),
        None,
    ),
}
SAVING_LOADS = (0.3, 0.7)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--seeds", type=int, default=len(SEEDS))
    found: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for seed in SEEDS[: ask.parse_args().seeds]:
        for name, one in LOOPS.items():
            key = f"servers|{name}|{seed}"
            if key not in found:
                keep(found, key, deployable(one, seed))
        for load in SAVING_LOADS:
            for name, (one, feed) in SAVERS.items():
                key = f"joules|{load:g}|{name}|{seed}"
                if key not in found:
                    keep(found, key, played(one, FEED_SERVERS, load, seed, feed))
        (HERE / "power.md").write_text(page(found))


def played(
    capper: Capper, servers: int, load: float, seed: int, feed: float | None = 1.0
) -> dict[str, Any]:
    """One run's figures."""
    shape = scenario(capper, servers, load, seed, feed)
    result = run(shape, *build(shape))
    report = result.report
    return {
        "is_carried": {name: is_carried(result, one) for name, one in TOLERANCES.items()},
        "in_time": min(klass.in_time_ratio for klass in report.classes),
        "joules": joules_per_good_token(result),
        "watts_peak": sum(report.site_watts_peak.values()),
        "over_s": sum(report.site_over_limit_s.values()),
        "execution_error_usd": report.execution_error_usd,
        "coherence": report.coherence.ratio,
    }


def deployable(one: Capper, seed: int) -> dict[str, Any]:
    """Runs by number of servers, from `FIRST` to the first that no tolerance lets pass, or down to
    one that all let pass."""
    runs: dict[str, Any] = {}
    servers = FIRST
    while servers <= MOST:
        runs[str(servers)] = played(one, servers, LOAD, seed)
        if not any(runs[str(servers)]["is_carried"].values()):
            break
        servers += 1
    servers = FIRST
    while servers > 1 and not all(runs[str(servers)]["is_carried"].values()):
        servers -= 1
        runs[str(servers)] = played(one, servers, LOAD, seed)
    return {"runs": runs, "servers": {name: _last(runs, name) for name in TOLERANCES}}


def _last(runs: dict[str, Any], tolerance: str) -> int:
    """The largest number below the first that fails."""
    counts = sorted(int(count) for count in runs)
    failed = [count for count in counts if not runs[str(count)]["is_carried"][tolerance]]
    return min(failed, default=MOST + 1) - 1


def keep(found: dict[str, Any], key: str, value: dict[str, Any]) -> None:
    """Write down what is known so far."""
    found[key] = value
    KEPT.write_text(json.dumps(found) + "\n")
    print(key, value.get("servers", value.get("joules")), file=sys.stderr, flush=True)


def page(found: dict[str, Any]) -> str:
    """The whole page, as Markdown."""
    return "\n".join([_head(found), _servers(found), _joules(found), LIMITS]) + "\n"


def _seeds(found: dict[str, Any]) -> list[int]:
    """Those that every cell has."""
    keys = [f"servers|{name}|" for name in LOOPS]
    keys += [f"joules|{load:g}|{name}|" for load in SAVING_LOADS for name in SAVERS]
    return [seed for seed in SEEDS if all(f"{key}{seed}" in found for key in keys)]


def _head(found: dict[str, Any]) -> str:
    return f"""# Servers under a fixed feed, and joules per good token
<!-- Made by docs/results/make_power.py. -->

    python docs/results/make_power.py

H100 with Llama-3.1-8B and the mix `agents` of [capacity.md](capacity.md), {DURATION_S:g} s, the
first 40 not counted. The feed gives {feed_watts():,.0f} W: {FEED_SERVERS} servers at full power.
Each server brings {LOAD:g} of its share of the mix with it. A number of
servers is carried if every class has 95 % of its calls in time and the draw, looked at once a
period of its loop, is never above the feed; or, the second column, at most 5 % above it and in at
most 1 % of the time. (The second was added after the first seed: there one second at 2 % above
decided.) Seeds {_seeds(found)}: mean, least and greatest. Nothing
was tuned. POLCA's half of low priority is half of the servers; its thresholds and clocks are as the
[reference](../reference/rivals.md) has them, where they are marked as recalled.
"""


def _servers(found: dict[str, Any]) -> str:
    lines = [
        "| loops | execution error, USD | coherence | servers, never above the feed | beyond "
        f"{FEED_SERVERS} | servers, at most 5 % above in 1 % of the time | beyond {FEED_SERVERS} "
        "| one more fails by: in time | peak, W | s above |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    strict, lenient = TOLERANCES
    for name in LOOPS:
        cells = [found[f"servers|{name}|{seed}"] for seed in _seeds(found)]
        at = [one["runs"][str(one["servers"][strict])] for one in cells]
        above = [one["runs"].get(str(one["servers"][lenient] + 1)) for one in cells]
        above = [one for one in above if one]
        counts = {key: [float(one["servers"][key]) for one in cells] for key in TOLERANCES}
        columns = [
            _spread([one["execution_error_usd"] for one in at], "{:.1f}"),
            _spread([one["coherence"] for one in at], "{:.2f}"),
        ]
        for key in (strict, lenient):
            columns += [_spread(counts[key], "{:.3g}")]
            columns += [f"{mean(counts[key]) / FEED_SERVERS - 1.0:+.0%}"]
        columns += [
            _spread([one["in_time"] for one in above], "{:.1%}"),
            _spread([one["watts_peak"] for one in above], "{:,.0f}"),
            _spread([one["over_s"] for one in above], "{:.0f}"),
        ]
        lines.append(f"| {name} | {' | '.join(columns)} |")
    return "\n".join(lines) + "\n"


def _joules(found: dict[str, Any]) -> str:
    lines = [
        "## Joules per good token\n",
        f"{FEED_SERVERS} servers; all the energy of the run, idle power included, over the answer "
        "tokens of the calls in time.\n",
        "| load | loops | execution error, USD | coherence | J per good token | against race to "
        "idle, paired | worst class in time | peak, W |",
        "|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    first = next(iter(SAVERS))
    for load in SAVING_LOADS:
        base = [found[f"joules|{load:g}|{first}|{seed}"] for seed in _seeds(found)]
        for name in SAVERS:
            runs = [found[f"joules|{load:g}|{name}|{seed}"] for seed in _seeds(found)]
            gains = [a["joules"] / b["joules"] - 1.0 for a, b in zip(runs, base, strict=True)]
            lines.append(
                f"| {load:g} | {name} "
                f"| {_spread([one['execution_error_usd'] for one in runs], '{:.1f}')} "
                f"| {_spread([one['coherence'] for one in runs], '{:.2f}')} "
                f"| {_spread([one['joules'] for one in runs], '{:.3f}')} "
                f"| {_spread(gains, '{:+.1%}')} "
                f"| {_spread([one['in_time'] for one in runs], '{:.1%}')} "
                f"| {_spread([one['watts_peak'] for one in runs], '{:,.0f}')} |"
            )
    return "\n".join(lines) + "\n"


def _spread(values: list[float], form: str) -> str:
    if not values:
        return "-"
    low, middle, high = (form.format(one) for one in (min(values), mean(values), max(values)))
    return middle if low == high else f"{middle} [{low}, {high}]"


LIMITS = """## Reading

**Servers: missed.** The governed fleet carries no more servers than POLCA or a static cap, of which
it was to carry more. What stops it is not a promise missed but seconds a few per cent above the
feed: its loop looks and acts a second late, with a margin of 3 %. What stops POLCA are promises
(every clock falls at once) and its late look; a static cap holds the feed best and fails where the
draw of all idle and lowest clocks no longer fits. All are above the 30 % that POLCA reports, or
near it, as the load leaves that much.

**Joules: lower than race to idle, and little of it by the power loop.** Most of the gain is where
the governor places work; its power loop and parking add little at 0.3, and at 0.7 nothing, where a
static cap comes near.

## Limits

One model, one kind of server, two minutes of load: a feed is laid out for a day's peak, which a
stationary load at 0.7 is not. Power falls with the cube of the clock and time rises with its
inverse, which is hard on slow clocks where decoding waits for memory. POLCA was made for rows of
racks with mixed work; with two thresholds on ten servers it is coarse. The feed of a real site
bears more than its rating for seconds; here one second above it counts as failed.
"""


if __name__ == "__main__":
    main()
