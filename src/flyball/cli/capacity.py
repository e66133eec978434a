"""How much load does this fleet carry? (`flyball capacity SCENARIO --core A --core B`)"""

import sys
from pathlib import Path

import click
import msgspec

from flyball.cli import sim_input, sim_plot, sim_pool
from flyball.sim import tables
from flyball.sim.capacity import Interval, interval, largest, serves_well
from flyball.units import Ratio


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """The largest load of each core, in multiples of the scenario's, and each against the last."""

    scenario: str
    in_time_min: Ratio
    seeds: tuple[int, ...]
    load: dict[str, Interval]
    gain: dict[str, Interval]

    def _repr_html_(self) -> str:
        """Tables for a notebook; they need nothing else."""
        last = list(self.load)[-1]
        caption = (
            f"{self.scenario}: largest load with >= {self.in_time_min:.0%} of every class in time"
        )
        loads = [[name, *_cells(one)] for name, one in self.load.items()]
        parts = [tables.table(caption, ("core", *_HEAD, "seeds"), loads)]
        if self.gain:
            gains = [[name, *_cells(one)[:3]] for name, one in self.gain.items()]
            parts.append(tables.table(f"Load over that of {last}", ("core", *_HEAD), gains))
        return "\n".join(parts)


_HEAD = ("mean", "95 % low", "high")


def _cells(one: Interval) -> list[str]:
    each = ", ".join(f"{value:.3f}" for value in one.values)
    return [f"{one.mean:.3f}", f"{one.low:.3f}", f"{one.high:.3f}", each]


@click.command("capacity")
@click.argument("scenario", type=click.Path(dir_okay=False))
@click.option("--core", "cores", multiple=True, help="Several: the last is what others meet.")
@click.option("--set", "changes", multiple=True, help="Override a key of the scenario.")
@click.option("--seeds", type=click.IntRange(1, 31), default=3, show_default=True)
@click.option(
    "--in-time",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.95,
    show_default=True,
    help="Share of every class's calls that must keep its promise.",
)
@click.option("--tolerance", type=click.FloatRange(0.001, 0.5), default=0.02, show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=None, help="At a time [all cores].")
@sim_plot.option
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(
    scenario: str,
    cores: tuple[str, ...],
    changes: tuple[str, ...],
    seeds: int,
    in_time: float,
    tolerance: float,
    jobs: int | None,
    plot: Path | None,
    output: str,
) -> None:
    """The largest load of SCENARIO at which every class keeps its promise, with confidence.

    Each seed is bisected by itself; the same seeds serve every core, so gains are paired. Exit
    code 1: no load at all could be served.
    """
    plan = sim_input.load(scenario, changes)
    names = cores or (plan.scenario.core,)
    for name in names:
        sim_input.load(scenario, [*changes, f"core={name}"])
    first = plan.scenario.seed
    numbers = tuple(range(first, first + seeds))
    found: dict[tuple[str, int], float] = {}
    with sim_pool.pool(jobs or sim_pool.jobs_default()) as workers:
        tasks = [
            ((name, seed), edge, (scenario, changes, name, seed, in_time, tolerance))
            for name in names
            for seed in numbers
        ]
        for (name, seed), load in sim_pool.each(workers, tasks):
            found[name, seed] = load
            text = f"{len(found)}/{len(tasks)} core {name}, seed {seed}: load {load:.3f}"
            click.echo(text, err=True)
    result = summary(plan.name, names, numbers, in_time, found)
    if plot is not None:
        sim_plot.write(
            plot, plan.name, result, lambda figure: sim_plot.capacity(figure, result.load)
        )
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(result)).decode())
    else:
        click.echo(shown(result))
    sys.exit(0 if any(found.values()) else 1)


def edge(
    scenario: str,
    changes: tuple[str, ...],
    core: str,
    seed: int,
    in_time_min: Ratio,
    tolerance: Ratio,
) -> float:
    """One bisection; runs in a process of the pool."""
    base = sim_input.load(scenario, changes).scenario.workload.load

    def passes(load: float) -> bool:
        said = (*changes, f"core={core}", f"seed={seed}", f"workload.load={load!r}")
        return serves_well(sim_pool.read(sim_pool.run_one(scenario, said)), in_time_min)

    return largest(passes, base, tolerance)


def summary(
    scenario: str,
    names: tuple[str, ...],
    seeds: tuple[int, ...],
    in_time_min: Ratio,
    found: dict[tuple[str, int], float],
) -> Capacity:
    """Intervals of each core, and of its ratio to the last one, seed by seed."""
    last = names[-1]
    gains = {
        name: interval([found[name, s] / found[last, s] for s in seeds])
        for name in names[:-1]
        if all(found[last, s] for s in seeds)
    }
    return Capacity(
        scenario=scenario,
        in_time_min=in_time_min,
        seeds=seeds,
        load={name: interval([found[name, s] for s in seeds]) for name in names},
        gain=gains,
    )


def shown(result: Capacity) -> str:
    """The result for a person."""
    lines = [
        f"{result.scenario}: largest load with >= {result.in_time_min:.0%} of every class in time, "
        f"{len(result.seeds)} seeds (95 % interval)"
    ]
    for name, one in result.load.items():
        each = ", ".join(f"{value:.3f}" for value in one.values)
        lines.append(f"  {name:20} {one.mean:.3f} [{one.low:.3f}, {one.high:.3f}]  ({each})")
    last = list(result.load)[-1]
    for name, one in result.gain.items():
        text = f"{one.mean - 1:+.1%} [{one.low - 1:+.1%}, {one.high - 1:+.1%}]"
        lines.append(f"  {name} against {last}: {text}")
    return "\n".join(lines)
