"""What do the kept tables say, as a page? (Writes capacity.md, capacity.json and capacity.svg.)"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flyball.sim.capacity import Interval, interval
from flyball.sim.experiments.fleets import FLEETS
from flyball.sim.experiments.mixes import CLASSES, MIXES
from flyball.sim.experiments.troubles import TROUBLES

HERE = Path(__file__).parent
COMMAND = "python docs/results/make_capacity.py"
GOVERNED = "governor"  # whom the others are compared with

HEAD = """# How much load does a governed fleet carry, beside independent loops?
<!-- Made by docs/results/make_capacity.py. -->

Everything here is simulated: the production core in the twin, on calibrated profiles of real
engines ([how accurate it is](accuracy.md)); eight replicas of Llama-3.1-8B, 240 s of load after
agents' sessions stand, the first 60 s not counted. Load = multiple of a mix, on a common grid of
2 %; the same seeds serve all, so gains are paired, seed by seed.

- **Steady**: the largest load at which, of *every* class, at least 95 % of the calls are served
  within every promise, as the client sees it; refused ones count as missed.
- **Safe**: the largest load, at most the steady one, at which moreover every class is back at 95 %
  in the fifth minute after each trouble: 1.6 times the load for 60 s, a tenth of the replicas lost
  for 120 s, 30 s without telemetry, an accelerator at half speed for 60 s; where a loop watches a
  budget for tokens, that set to half for 60 s; where there are several sites, one cut off for 60 s.
- **Execution error** = value of the calls missed + machines + energy. **Coherence** = value in time
  / the most that any control could make of the same calls on that fleet; **bound** = the load that
  this perfect control could just carry (fluid, perfect information: `sim/bound.py`).

Rivals are the twin's, by their published rules and constants ([sources](../reference/rivals.md)),
readings every 50 ms as their pickers have them, and the governor alike. `tuned_loops` is the best
that a search over four routers with their weights, thresholds and a retry budget found;
`tuned_governor` the best of the same search, with as many samples, over the governor's constants;
both are tuned on one cell and on seeds of their own, and judged on others. `governor` has the
product's defaults and stands in "governed / it", paired by seed.
`default_stack` = the endpoint picker at its defaults with a gateway that retries and a cost loop
that cuts contexts; `pool_split` = weights by hardware, set by hand, and a picker in each pool.
"""

LIMITS = """## Limits

The rule lets a class miss 5 % of its calls, and a core that refuses can choose which: most of the
gain on plain chat is that (rivals serve all and are late for many at once), and there the load may
pass the bound, which serves all. With 99 % asked for, that way is closed: on `mixed` with agents
the governor at its defaults, which were set for 95 %, then carries 8 % less than the tuned loops,
elsewhere about as much; with the constants of `tuned_governor` (tuned for 95 % as well, and run
before engines at rest were charged as the plan prices them) a fifth more.

In the closed loop agents wait longer near the edge: `programs`, completed in the four minutes, grow
less than the load. Tables of one or two seeds are first looks, not results; an interval of no width
means the same step of the grid. The governor's constants were set by hand; but that calls wait at
the gate for half their promise was tried, with that one value, on seed 3 of `uniform` and seed 1 of
`mixed`, which judge here too, before it became the default; that a cached prefix is charged no room
was tried on seeds 101 to 104 only. What the search found for the governor did not become the
default: on the judging seeds it carries a little less at 95 %.

One 8B model; contexts of coding agents at a fifth of the recorded ones, pauses cut at 20 s. Short
runs: a seed's edge moves by several per cent with the bursts of its four minutes, hence the
interval, and the edge itself is not sharp: above it a load may pass again. The bound knows no
chance, so nobody reaches it. Rivals have no admission of their own at defaults, and were given
none but what their routers hold. The governor's predictor has the form of the twin's engines.
"""


def write(tables: dict[str, Any]) -> None:
    """All three files, from the tables' kept cells."""
    said = {"command": COMMAND, **tables}
    (HERE / "capacity.json").write_text(json.dumps(said, indent=1) + "\n")
    parts = [
        HEAD,
        _promises(),
        _steady(tables["steady"]),
        _safe(tables["safe"], tables["steady"]),
        _strict(tables["strict"]),
        _tuned(),
        _struck(tables["struck"]),
        _parts(tables["parts"]),
        _views(tables["views"]),
        LIMITS,
        f"Digests of the sources run: {', '.join(f'`{one}`' for one in _digests(tables))}.\n",
    ]
    (HERE / "capacity.md").write_text("\n".join(part for part in parts if part))
    _draw(tables["steady"])


def _digests(tables: dict[str, Any]) -> list[str]:
    """Of the code that made the cells: the last word of each key but the searches'."""
    keys = [key for name, table in tables.items() if name != "tuned" for key in table]
    return sorted({key.replace("|", " ").split()[-1] for key in keys})


def _promises() -> str:
    rows = [
        f"| {name} | {one['value_usd']} | {one['ttft_ms']:g} | {one['tpot_ms']:g} |"
        for name, one in CLASSES.items()
    ]
    mixes = [
        f"- `{name}`: {mix.title}; {mix.rate:g} requests/s of {', '.join(mix.kinds)}"
        + "".join(
            f", {rate:g} {klass} sessions begun/s and {standing} under way"
            for klass, (rate, standing) in mix.programs.items()
        )
        for name, mix in MIXES.items()
    ]
    fleets = [f"- `{name}`: {one.title}; rates times {one.size:g}" for name, one in FLEETS.items()]
    head = "| class | value, USD | first token, ms | per token, ms |\n|---|---|---|---|"
    return "\n".join([head, *rows, "", *mixes, "", *fleets, ""])


def _cells(table: dict[str, Any]) -> dict[tuple[str, str], dict[str, dict[int, dict[str, Any]]]]:
    """(fleet, mix) -> contestant -> seed -> figures; of several digests, the last one made."""
    found: dict[tuple[str, str], dict[str, dict[int, dict[str, Any]]]] = {}
    for key, value in table.items():
        fleet, mix, name, seed, _ = key.split()
        found.setdefault((fleet, mix), {}).setdefault(name, {})[int(seed)] = value
    return found


def _steady(table: dict[str, Any]) -> str:
    if not table:
        return f"## Steady capacity\n\nNot run: `{COMMAND} steady --budget 3600`\n"
    parts = [f"## Steady capacity\n\n    {COMMAND} steady --budget 3600\n"]
    for (fleet, mix), cores in _cells(table).items():
        parts.append(f"### {mix} on {fleet}\n")
        parts.append(
            "| core | execution error, USD | coherence | load | 95 % | governed / it | bound | "
            "programs | what fails first above it |\n|---|---|---|---|---|---|---|---|---|"
        )
        for name, seeds in sorted(cores.items(), key=lambda item: _mean(item[1], "load")):
            load = _interval(seeds)
            parts.append(
                f"| {name} | {_mean(seeds, 'execution_error_usd'):.2f} | "
                f"{_mean(seeds, 'coherence'):.1%} | {load.mean:.3f} | {_band(load)} | "
                f"{_gain(cores.get(GOVERNED, {}), seeds)} | {_mean(seeds, 'bound_load'):.2f} | "
                f"{_mean(seeds, 'completed'):.0f} | {seeds[max(seeds)]['fails_by']} |"
            )
        parts.append("")
    return "\n".join(parts)


def _safe(table: dict[str, Any], steady: dict[str, Any]) -> str:
    if not table:
        return f"## Safe capacity\n\nNot run: `{COMMAND} safe --budget 3600`\n"
    parts = [f"## Safe capacity\n\n    {COMMAND} safe --budget 3600\n"]
    before = _cells(steady)
    for (fleet, mix), cores in _cells(table).items():
        parts.append(f"### {mix} on {fleet}\n")
        parts.append(
            "| core | safe load | 95 % | governed / it | steady | margin between | binding |\n"
            "|---|---|---|---|---|---|---|"
        )
        for name, seeds in sorted(cores.items(), key=lambda item: _mean(item[1], "load")):
            load, known = _interval(seeds), before[fleet, mix][name]
            calm = _mean({seed: known[seed] for seed in seeds}, "load")
            binding = ", ".join(sorted({one["binding"] or "steady" for one in seeds.values()}))
            parts.append(
                f"| {name} | {load.mean:.3f} | {_band(load)} | "
                f"{_gain(cores.get(GOVERNED, {}), seeds)} | {calm:.3f} | "
                f"{1.0 - load.mean / calm:.1%} | {binding} |"
            )
        parts.append("")
    return "\n".join(parts)


def _strict(table: dict[str, Any]) -> str:
    if not table:
        return f"## With 99 % asked for\n\nNot run: `{COMMAND} strict --budget 3600`\n"
    rows: list[str] = []
    for (fleet, mix), cores in _cells(table).items():
        for name, seeds in sorted(cores.items(), key=lambda item: _mean(item[1], "load")):
            load = _interval(seeds)
            rows.append(
                f"| {mix} on {fleet} | {name} | {load.mean:.3f} | {_band(load)} | "
                f"{_gain(cores.get(GOVERNED, {}), seeds)} | {seeds[max(seeds)]['fails_by']} |"
            )
    return "\n".join(
        [
            f"## With 99 % asked for\n\n    {COMMAND} strict --budget 3600\n",
            "Steady load at which 99 % of each class's calls are in time.\n",
            "| cell | core | load | 95 % | governed / it | what fails first above it |\n"
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _struck(table: dict[str, Any]) -> str:
    if not table:
        return f"## Each trouble by itself\n\nNot run: `{COMMAND} struck --budget 3600`\n"
    rows: list[str] = []
    for key, one in table.items():
        trouble, name, _, _ = key.split()
        rows.append(
            f"| {TROUBLES[trouble].title} | {name} | {one['execution_error_usd']:.2f} | "
            f"{one['coherence']:.1%} | {one['in_time']:.1%} | {one['worst_slice']:.1%} | "
            f"{'yes' if one['recovered'] else '**no**'} | {one['retries']:,} | {one['completed']} |"
        )
    return "\n".join(
        [
            f"## Each trouble by itself\n\n    {COMMAND} struck --budget 3600\n",
            "`agents` on `mixed` at a load of 1, one seed. Worst half minute = the least share in "
            "time of any class in any 30 s.\n",
            "| trouble | core | execution error, USD | coherence | in time | worst half minute | "
            "recovered | retries | programs |\n|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _parts(table: dict[str, Any]) -> str:
    if not table:
        return f"## Which parts pay\n\nNot run: `{COMMAND} parts --budget 3600`\n"
    cores: dict[str, dict[int, dict[str, Any]]] = {}
    for key, one in table.items():
        name, seed, _ = key.split("|")
        cores.setdefault(name, {})[int(seed)] = one
    whole = cores.get("all parts", {})
    rows = [
        f"| {name} | {_mean(seeds, 'load'):.3f} | {_band(_interval(seeds))} | "
        f"{_gain(whole, seeds)} | {seeds[max(seeds)]['fails_by']} |"
        for name, seeds in cores.items()
    ]
    return "\n".join(
        [
            f"## Which parts pay\n\n    {COMMAND} parts --budget 3600\n",
            "Steady load of `agents` on `mixed`, the governor's constants not tuned anew.\n",
            "| governor with | load | 95 % | all parts / it | what fails first above it |\n"
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _tuned() -> str:
    file = HERE / "capacity_tuned.json"
    if not file.is_file():
        return f"## The searches\n\nNot run: `{COMMAND} tuned --budget 3600`\n"
    rows: list[str] = []
    for name, one in json.loads(file.read_text()).items():
        best = one["best"]
        constants = best["contestant"].get("tuned") or best["contestant"].get("pricing", {})
        shown = ", ".join(f"{key} {value:g}" for key, value in constants.items()) or "its defaults"
        retry = best["contestant"].get("retry", "")
        rows.append(
            f"| {name} | {best['samples']} of {one['samples_asked']} | "
            f"{best['contestant']['core']}{' with retries ' + retry if retry else ''}: {shown} | "
            f"{1.02 ** best['step']:.3f} |"
        )
    return "\n".join(
        [
            f"## The searches\n\n    {COMMAND} tuned --budget 3600\n",
            "On `agents` on `mixed`, seeds 101 and 102, by a race (`sim/experiments/tune.py`): a "
            "sample is better if it passes, on both seeds, the step above the best so far.\n",
            "| side | samples | best found | load on the tuning seeds |\n|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _views(table: dict[str, Any]) -> str:
    if not table:
        return f"## Old views\n\nNot run: `{COMMAND} views --budget 3600`\n"
    rows: dict[tuple[str, str, str], dict[str, float]] = {}
    for key, value in table.items():
        gateways, age, step, name, _, _ = key.split()
        rows.setdefault((gateways, age, step), {})[name] = value["all"]
    names = sorted({name for row in rows.values() for name in row})
    return "\n".join(
        [
            f"## Old views\n\n    {COMMAND} views --budget 3600\n",
            "Share of all calls in time; `agents` on `mixed`, one seed. Age = between two readings "
            "of an engine; gateways tell each other of work in flight at most every 20 ms.\n",
            f"| gateways | age, ms | load | {' | '.join(names)} |",
            "|---|---|---|" + "---|" * len(names),
            *(
                f"| {gateways} | {age} | {1.02 ** int(step):.2f} | "
                + " | ".join(f"{row[name]:.1%}" if name in row else "" for name in names)
                + " |"
                for (gateways, age, step), row in rows.items()
            ),
            "",
        ]
    )


def _interval(seeds: dict[int, dict[str, Any]]) -> Interval:
    return interval([one["load"] for _, one in sorted(seeds.items())])


def _band(one: Interval) -> str:
    if len(one.values) < 2:
        return "one seed"
    return f"{one.low:.3f}-{one.high:.3f} ({len(one.values)} seeds)"


def _gain(governed: dict[int, dict[str, Any]], other: dict[int, dict[str, Any]]) -> str:
    """Paired by seed: the mean ratio of loads and its 95 % interval."""
    both = sorted(set(governed) & set(other))
    if not both or governed is other:
        return ""
    one = interval([governed[seed]["load"] / other[seed]["load"] for seed in both])
    return f"{one.mean:.2f} [{one.low:.2f}, {one.high:.2f}]" if len(both) > 1 else f"{one.mean:.2f}"


def _mean(seeds: dict[int, dict[str, Any]], name: str) -> float:
    values: Iterable[float] = [one[name] for one in seeds.values()]
    return sum(values) / max(1, len(seeds))


def _draw(table: dict[str, Any]) -> None:
    """Loads with their intervals, cell by cell; needs matplotlib."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "flyball"
    from matplotlib import pyplot

    cells = _cells(table)
    if not cells:
        return
    figure, axes = pyplot.subplots(len(cells), 1, figsize=(8, 1.9 * len(cells)), squeeze=False)
    for axis, ((fleet, mix), cores) in zip(axes[:, 0], cells.items(), strict=True):
        ordered = sorted(cores.items(), key=lambda item: _mean(item[1], "load"))
        for place, (_, seeds) in enumerate(ordered):
            one = _interval(seeds)
            axis.barh(place, one.mean, color="#4477aa", height=0.6)
            axis.plot(one.values, [place] * len(one.values), "k.", markersize=4)
        bound = max(_mean(seeds, "bound_load") for seeds in cores.values())
        axis.axvline(bound, color="#aa3333", linestyle="--", linewidth=1)
        axis.set_yticks(range(len(ordered)), [name for name, _ in ordered], fontsize=8)
        axis.set_title(f"{mix} on {fleet} (dots: seeds; dashed: bound)", fontsize=9)
    axes[-1, 0].set_xlabel("steady load, multiple of the mix")
    figure.tight_layout()
    figure.savefig(HERE / "capacity.svg", metadata={"Date": None})
    pyplot.close(figure)
