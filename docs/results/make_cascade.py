"""Does one wrong budget tip a fleet over? (Writes docs/results/cascade.md and cascade.json.)

`python docs/results/make_cascade.py` plays recorded agents' sessions under a budget for tokens that
is wrong for two minutes, with independent loops and governed, five seeds each. Runs that
cascade.json holds already are kept: delete it to begin anew.
"""

import json
import os
import sys
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import msgspec
from pyarrow import parquet  # pyright: ignore[reportMissingImports]

from flyball.sim.build import build
from flyball.sim.experiments.cascade import (
    CASES,
    LASTS_S,
    STRIKES_AT_S,
    Demoting,
    budget_usd_per_hour,
    good_share,
    scenario,
    time_line,
)
from flyball.sim.experiments.contestants import DEFAULTS, Contestant
from flyball.sim.experiments.recorded import RecordedWorld, Recording, recordings
from flyball.sim.rivals import RivalCore
from flyball.sim.run import few_collections

HERE = Path(__file__).parent
KEPT = HERE / "cascade.json"
TUNED = HERE / "capacity_tuned.json"
DATA = Path(os.environ.get("FLYBALL_DATA", HERE.parents[2] / "shared" / "data"))
TRACE = DATA / "agentic_claude_code" / "requests.parquet"
COLUMNS = ["trace_id", "agent", "in_tokens", "out_tokens", "lcp_prev_blocks", "think_s"]
SEEDS = (1, 2, 3, 4, 5)
LOAD, HIGH = 0.55, 0.7
RUNS = (*((LOAD, case) for case in CASES), (HIGH, "calm"), (HIGH, "budget"))
SHOWN = (
    (LOAD, "default loops", "budget"),
    (LOAD, "governor", "budget"),
    (HIGH, "default loops", "calm"),
    (HIGH, "governor", "calm"),
)
END_S = 600.0

HEAD = f"""# The tipping point: one wrong budget, and four loops that each do right
<!-- Made by docs/results/make_cascade.py. -->

    python docs/results/make_cascade.py        # $FLYBALL_DATA = the folder of data sets

Recorded Claude Code sessions (callanjfox/kv-cache-tester, Apache-2.0; main agents, sizes at a fifth
and at most 32,000 tokens, pauses at most 20 s; what is shared with the call before as recorded)
run in a closed loop, with Azure's chat beside them, on the mixed fleet of
[capacity.md](capacity.md), at {LOAD:g} of a load of 10 chats/s, 160 sessions under way and 0.2
begun per second. Budget = one and a half times the calm bill. **budget**: it is set to half from
180 to 300 s, and right again afterwards. **spike**: 1.6 times the load from 420 to 480 s.

*Default loops* = endpoint picker at its defaults; a gateway that retries as an SDK does; a cost
loop that keeps three quarters of a context while more than 0.8 of the budget is spent; endpoints
that cool down while most first tokens are late, so that work moves to others. *Tuned loops* = the
same round the router that the search for [capacity.md](capacity.md) found best. *Governor* =
product defaults; it may cut agents' contexts, and its loop decides. Rules and constants are those
of the twin's rivals ([sources](../reference/rivals.md)). Load and the two troubles' times were
chosen on seeds 101 and 102, but for one thing: a load of 0.7, chosen there, was too much for the
default loops on three of the judging seeds with no trouble at all; it is kept below as a second
case. Seeds 1 to 5: mean, least and greatest.

`good` = calls served within every promise, of all that were offered.
"""


def main() -> None:
    found: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    sessions: list[Recording] = []
    for (load, case), (name, one), seed in product(RUNS, contestants().items(), SEEDS):
        key = f"{load:g}|{name}|{case}|{seed}"
        if key not in found:
            sessions = sessions or recorded_sessions()
            found[key] = play(one, load, case, seed, sessions)
            KEPT.write_text(json.dumps(found) + "\n")
            print(key, found[key]["good"], file=sys.stderr, flush=True)
    (HERE / "cascade.md").write_text(page(found))


def contestants() -> dict[str, Contestant]:
    """Two sets of independent loops, and the governor."""
    best = json.loads(TUNED.read_text())["tuned_loops"]["best"]["contestant"]
    loops = {"retry": "sdk_default", "truncation": "threshold_truncation"}
    return {
        "default loops": DEFAULTS["default_stack"],
        "tuned loops": msgspec.convert({**best, **loops}, Contestant),
        "governor": DEFAULTS["governor"],
    }


def recorded_sessions() -> list[Recording]:
    """All of the trace."""
    columns = parquet.read_table(TRACE, columns=COLUMNS).to_pydict()
    return recordings(zip(*(columns[name] for name in COLUMNS), strict=True))


def play(
    one: Contestant, load: float, case: str, seed: int, sessions: list[Recording]
) -> dict[str, Any]:
    """One run's figures."""
    shape = scenario(one, load, seed, budget_usd_per_hour(load), case)
    fleet, policy = build(shape)
    world = RecordedWorld(shape, fleet, policy, sessions)
    for core in world.cores:
        if isinstance(core, RivalCore):
            core.router = Demoting(core.router)
    with few_collections():
        result = world.run("", None)
    report, ends_s = result.report, STRIKES_AT_S + LASTS_S
    (coders,) = report.programs
    return {
        "good": report.total.in_time_ratio,
        "before": good_share(result, 60.0, STRIKES_AT_S),
        "during": good_share(result, STRIKES_AT_S, ends_s),
        "between": good_share(result, ends_s, 420.0),
        "last": good_share(result, 480.0, END_S),
        "classes": {klass.name: klass.in_time_ratio for klass in report.classes},
        "token_usd": report.token_usd,
        "completed": coders.completed,
        "steps": coders.steps,
        "cut": coders.steps_cut,
        "retries": report.retries.sdk + report.retries.agent + report.retries.step,
        "execution_error_usd": report.execution_error_usd,
        "coherence": report.coherence.ratio,
        "slices": msgspec.to_builtins(time_line(result, tuple(e.pool for e in fleet.endpoints))),
    }


def page(found: dict[str, Any]) -> str:
    """The whole page, as Markdown."""
    parts = [HEAD, _table(found)]
    parts += [_line(found, *shown) for shown in SHOWN]
    return "\n".join([*parts, _verdict(found), _limits()]) + "\n"


def _table(found: dict[str, Any]) -> str:
    lines = [
        "| load | case | loops | execution error, USD | coherence | good, from 60 s on | before "
        "| during the wrong budget | after it | at the end | tokens, USD | sessions completed "
        "| retries |",
        "|--:|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for (load, case), name in product(RUNS, contestants()):
        runs = [found[f"{load:g}|{name}|{case}|{seed}"] for seed in SEEDS]
        shares = ("good", "before", "during", "between", "last")
        counts = ("token_usd", "completed", "retries")
        cells = [_spread([one["execution_error_usd"] for one in runs], "{:.0f}")]
        cells += [_spread([one["coherence"] for one in runs], "{:.2f}")]
        cells += [_spread([one[key] for one in runs], "{:.1%}") for key in shares]
        cells += [_spread([one[key] for one in runs], "{:.0f}") for key in counts]
        lines.append(f"| {load:g} | {case} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _spread(values: list[float], form: str) -> str:
    low, middle, high = (form.format(one) for one in (min(values), mean(values), max(values)))
    return middle if low == high else f"{middle} [{low}, {high}]"


def _line(found: dict[str, Any], load: float, name: str, case: str) -> str:
    lines = [
        f"## Load {load:g}, {name}, {case}: seed {SEEDS[0]}, by when a call was first sent\n",
        "| from, s | calls | contexts cut | prompt found in a cache | repeats of broken steps "
        "| retries per call | first token p99, s | on slower hardware | good |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {one['at_s']:.0f} | {one['calls']} | {one['cut']:.0%} | {one['reused']:.0%} "
        f"| {one['repeats']:.1%} | {one['retries']:.2f} | {one['ttft_p99_s']:.1f} "
        f"| {one['slow']:.0%} | {one['in_time']:.1%} |"
        for one in found[f"{load:g}|{name}|{case}|{SEEDS[0]}"]["slices"]
    ]
    return "\n".join(lines) + "\n"


def _verdict(found: dict[str, Any]) -> str:
    lines = ["## Asked for: at least 97 % of the offered work good, governed\n"]
    for load, case in RUNS:
        shares = [found[f"{load:g}|governor|{case}|{seed}"]["good"] for seed in SEEDS]
        met = "met" if min(shares) >= 0.97 else "**missed**"
        lines.append(f"- load {load:g}, {case}: {_spread(shares, '{:.1%}')}, {met}")
    bills = [
        mean(found[f"{LOAD:g}|default loops|{case}|{seed}"]["token_usd"] for seed in SEEDS)
        for case in ("calm", "budget")
    ]
    lines.append(
        f"""
A loop that cuts contexts to save money raised the bill from {bills[0]:.0f} to {bills[1]:.0f} USD:
what it cut away had been ten times cheaper, being cached. So it still sees its line crossed when
the budget is right again, and cuts to the end of the run: one wrong setting of two minutes has two
stable ends.

**Missed**: the chain in its full order, truncation, retries, latency, demotion. Here truncation
leads to lost reuse, to latency and back to truncation, but retries stay a handful (clients wait
10 s and 60 s for a first byte), few steps break at three quarters of a context, and little work
moves to slower hardware than was there before. The spike on top adds little. At {HIGH:g} first
tokens do take half a minute and clients retry, but that begins with no cut at all: caches that are
cold at the start are enough on some seeds, and the fleet does not come back for minutes; the cuts
that follow shorten the queue at once, and keep the caches from ever becoming warm."""
    )
    return "\n".join(lines) + "\n"


def _limits() -> str:
    return """## Limits

One fleet, one 8B model, two loads; the first minute, from cold caches, is not in `good` (see the
time lines). The first prompts of sessions share nothing here (their common
system prompt is left out). Broken steps follow the twin's rule and are rare at three quarters of a
context: most of the damage is lost reuse, not repeats. The cool-down for late first tokens is
LiteLLM's for failures, with lateness for a failure. The cost loop keeps no memory of what its cut
has cost: that is the fault shown, and it is how such loops are built, but one that compared the
bill before and after would find out. The budget of the governed fleet is not enforced: it spends
what the tokens cost. The trouble therefore does not reach it; what it shows is that its own loop,
free to cut, does not.
"""


if __name__ == "__main__":
    main()
