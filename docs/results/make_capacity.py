"""How much load does a governed fleet carry, beside independent loops? (Writes capacity.md.)

    python docs/results/make_capacity.py TABLE... --budget SECONDS

makes what runs are missing for those tables (all, if none is named), as far as the budget goes, and
then writes capacity.md, capacity.json and capacity.svg from all that is kept. Budget 0 only writes.
JOBS = how many processes. A cell that has not been run says so.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from itertools import product
from typing import Any

import capacity_page
import msgspec
from msgspec.structs import replace
from trials import HERE, KEPT, Budget, code, each, edge_of, played

from flyball.sim.experiments.contestants import (
    ABLATIONS,
    DEFAULTS,
    GOVERNOR_SPACES,
    RETRIES,
    RIVAL_SPACES,
    Contestant,
)
from flyball.sim.experiments.edges import edge
from flyball.sim.experiments.fleets import FLEETS
from flyball.sim.experiments.trial import Trial
from flyball.sim.experiments.troubles import troubles_of
from flyball.sim.experiments.tune import Best, search
from flyball.sim.experiments.verdict import is_recovered, is_steady, passes, worst

SEEDS = (1, 2, 3, 4, 5)
TUNING_SEEDS = (101, 102)
TUNING_CELL = ("mixed", "agents")
SAMPLES = 100
RIVALS = ("least_request", "p2c_ewma", "dynamo_kv", "epp_default")
STEADY_CELLS = (
    ("mixed", "agents"),
    ("uniform", "agents"),
    ("uniform", "chat"),
    ("mixed", "agent-heavy"),
    ("mixed", "chat-heavy"),
    ("mixed", "dialog"),
    ("mixed", "chat"),
    ("feed", "agents"),
    ("tiers", "agents"),
)
STRICT_CELLS = (
    ("mixed", "agents"),
    ("uniform", "agents"),
    ("uniform", "chat"),
    ("tiers", "agents"),
)
STRICT_NAMES = ("epp_default", "tuned_loops", "governor", "tuned_governor")
STRICT_SHARE = 0.99
SAFE_CELLS = (("mixed", "agents"), ("uniform", "agents"), ("tiers", "agents"), ("feed", "agents"))
SAFE_NAMES = (
    "default_stack",
    "epp_default",
    "tuned_loops",
    "governor",
    "tuned_governor",
)
STRUCK_NAMES = ("default_stack", "epp_default", "tuned_loops", "governor")
STRUCK_STEP = 0
VIEW_NAMES = ("governor", "epp_default", "tuned_loops", "pool_split", "least_request")
VIEW_GATEWAYS = (1, 2, 4, 8)
VIEW_AGES_MS = (50.0, 250.0, 1000.0, 5000.0)
VIEW_STEPS = (-20, 0)
TUNED = HERE / "capacity_tuned.json"
# Where a search for an edge begins; only its length depends on it.
STARTS = {"least_request": -60, "p2c_ewma": -55, "dynamo_kv": -18, "governor": 14}


def main() -> None:
    """Make what is asked for and write the page."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("tables", nargs="*", choices=[[], *TABLES], help="of these only")
    ask.add_argument("--budget", type=float, default=0.0, help="seconds in which runs may begin")
    ask.add_argument("--seeds", type=int, default=len(SEEDS))
    ask.add_argument("--only", default="", help="only cells whose key this expression matches")
    ask.add_argument("--samples", type=int, default=SAMPLES, help="of each side's search")
    said = ask.parse_args()
    budget = Budget(said.budget)
    for name in said.tables or TABLES:
        file, found = KEPT / f"table-{name}.json", tables()[name]
        for key, value in TABLES[name](budget, said, found):
            found[key] = value
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(found, indent=1))
            print(f"{name} {key}: {value}", file=sys.stderr, flush=True)
    capacity_page.write(tables())


def tables() -> dict[str, Any]:
    """Everything found so far, table by table: here, or where the published file was made."""
    file = HERE / "capacity.json"
    published = json.loads(file.read_text()) if file.is_file() else {}
    files = {name: KEPT / f"table-{name}.json" for name in TABLES}
    return {
        name: json.loads(file.read_text()) if file.is_file() else published.get(name, {})
        for name, file in files.items()
    }


def contestants() -> dict[str, Contestant]:
    """The defaults, and what the searches have found."""
    if not TUNED.is_file():
        return DEFAULTS
    found = json.loads(TUNED.read_text())
    return DEFAULTS | {
        name: msgspec.convert(one["best"]["contestant"], Contestant) for name, one in found.items()
    }


def steady(budget: Budget, said: argparse.Namespace, found: dict[str, Any]) -> Any:
    """Steady capacity, cell by cell: the step, and what failed first above it."""

    def tasks() -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
        for (fleet, mix), (name, one) in product(STEADY_CELLS, contestants().items()):
            for seed in SEEDS[: said.seeds]:
                key = f"{fleet} {mix} {name} {seed} {code(one.core)}"
                trial = Trial(fleet=fleet, mix=mix, contestant=one, step=0, seed=seed)
                if key not in found and re.search(said.only, key):
                    start = _start(found, fleet, mix, name, one)
                    yield key, edge_and_failure, (trial, start)

    return each(budget, tasks())


def strict(budget: Budget, said: argparse.Namespace, found: dict[str, Any]) -> Any:
    """Steady capacity where 99 % of each class's calls must be served in time."""

    def tasks() -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
        for (fleet, mix), name in product(STRICT_CELLS, STRICT_NAMES):
            if name not in contestants():
                continue
            one = contestants()[name]
            for seed in SEEDS[: said.seeds]:
                key = f"{fleet} {mix} {name} {seed} {code(one.core)}"
                trial = Trial(fleet=fleet, mix=mix, contestant=one, step=0, seed=seed)
                if key not in found and re.search(said.only, key):
                    yield key, strict_edge, (trial, _start(found, fleet, mix, name, one) - 4)

    return each(budget, tasks())


def strict_edge(trial: Trial, start: int) -> dict[str, Any]:
    """The last step with 99 % in time, and what fails first above it."""

    def good(step: int) -> bool:
        return is_steady(played(replace(trial, step=step)), STRICT_SHARE)

    step = edge(good, start)
    above = played(replace(trial, step=step + 1))
    return {"step": step, "load": replace(trial, step=step).load, "fails_by": worst(above)}


def _start(found: dict[str, Any], fleet: str, mix: str, name: str, one: Contestant) -> int:
    known = [v["step"] for k, v in found.items() if k.startswith(f"{fleet} {mix} {name} ")]
    return known[-1] if known else STARTS.get(one.core, 5)


def edge_and_failure(trial: Trial, start: int) -> dict[str, Any]:
    """The edge, with the figures of the run there and of the first failing one."""
    step = edge_of(trial, start)
    at, above = (played(replace(trial, step=one)) for one in (step, step + 1))
    return {
        "step": step,
        "load": replace(trial, step=step).load,
        "execution_error_usd": at.report.execution_error_usd,
        "coherence": at.report.coherence.ratio,
        "bound_load": replace(trial, step=step).load * at.report.coherence.headroom,
        "completed": sum(one.completed for one in at.report.programs),
        "fails_by": worst(above),
    }


def safe(budget: Budget, said: argparse.Namespace, found: dict[str, Any]) -> Any:
    """Safe capacity: the largest step, not above the steady one, recovered from every trouble."""
    kept = tables()["steady"]

    def tasks() -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
        for (fleet, mix), name in product(SAFE_CELLS, SAFE_NAMES):
            if name not in contestants():
                continue
            one = contestants()[name]
            for seed in SEEDS[: said.seeds]:
                key = f"{fleet} {mix} {name} {seed} {code(one.core)}"
                trial = Trial(fleet=fleet, mix=mix, contestant=one, step=0, seed=seed)
                if key in kept and key not in found and re.search(said.only, key):
                    yield key, safe_edge, (trial, kept[key]["step"])

    return each(budget, tasks())


def safe_edge(trial: Trial, steady_step: int) -> dict[str, Any]:
    """The step, and by trouble the last step at which it was overcome (from above, so that the
    hardest trouble decides early)."""
    step, binding = steady_step, ""
    for trouble in troubles_of(FLEETS[trial.fleet]):
        if trouble == "budget" and not trial.contestant.truncation:
            continue  # nothing there to be set wrong
        struck = replace(trial, trouble=trouble)
        while step > steady_step - 60 and not _overcome(struck, step):
            step, binding = step - (1 if step > steady_step - 4 else 3), trouble
    return {"step": step, "load": replace(trial, step=step).load, "binding": binding}


def _overcome(trial: Trial, step: int) -> bool:
    at = replace(trial, step=step)
    return passes(at, played(at))


def struck(budget: Budget, said: argparse.Namespace, found: dict[str, Any]) -> Any:
    """Each trouble at one load that all but the crudest carry: who is back, and what was lost."""

    def tasks() -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
        for trouble, name in product(troubles_of(FLEETS["mixed"]), STRUCK_NAMES):
            if name not in contestants():
                continue
            one = contestants()[name]
            key = f"{trouble} {name} {SEEDS[0]} {code(one.core)}"
            trial = Trial(
                fleet="mixed",
                mix="agents",
                contestant=one,
                step=STRUCK_STEP,
                seed=SEEDS[0],
                trouble=trouble,
            )
            if key not in found and re.search(said.only, key):
                yield key, what_was_lost, (trial,)

    return each(budget, tasks())


def what_was_lost(trial: Trial) -> dict[str, Any]:
    """Of one struck run: good share, the worst half minute, whether it recovered, retries."""
    one = played(trial)
    report, tried = one.report, one.report.retries
    return {
        "load": trial.load,
        "in_time": report.total.in_time_ratio,
        "worst_slice": min(min(shares[2:]) for shares in one.slices.values()),
        "recovered": is_recovered(one),
        "retries": tried.gateway + tried.sdk + tried.agent + tried.step,
        "completed": sum(program.completed for program in report.programs),
        "execution_error_usd": report.execution_error_usd,
        "coherence": report.coherence.ratio,
    }


def parts(budget: Budget, said: argparse.Namespace, found: dict[str, Any]) -> Any:
    """Steady capacity of the governor with single parts taken away."""

    def tasks() -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
        for (name, one), seed in product(ABLATIONS.items(), SEEDS[: min(3, said.seeds)]):
            key = f"{name}|{seed}|{code(one.core)}"
            trial = Trial(fleet="mixed", mix="agents", contestant=one, step=0, seed=seed)
            if key not in found and re.search(said.only, key):
                yield key, edge_and_failure, (trial, STARTS["governor"])

    return each(budget, tasks())


def tuned(budget: Budget, said: argparse.Namespace, found: dict[str, Any]) -> Any:
    """Both searches on the tuning cell and seeds; the same number of samples each."""
    fleet, mix = TUNING_CELL
    sides = {
        "tuned_loops": (RIVAL_SPACES, RETRIES, "epp_default"),
        "tuned_governor": (GOVERNOR_SPACES, ("",), "governor"),
    }
    for name, (spaces, retries, default) in sides.items():
        if budget.is_over:
            return
        base = Trial(fleet=fleet, mix=mix, contestant=DEFAULTS[default], step=0, seed=0)

        def good(one: Contestant, step: int, base: Trial = base) -> bool:
            at = replace(base, contestant=one, step=step)
            return all(is_steady(played(replace(at, seed=seed))) for seed in TUNING_SEEDS)

        def told(best: Best, name: str = name) -> None:
            _keep_tuned(name, best)
            if best.samples % 10 == 0:
                print(f"{name} {best}", file=sys.stderr, flush=True)
            if budget.is_over:
                raise TimeoutError

        first = [edge_of(replace(base, seed=seed), 5) for seed in TUNING_SEEDS]
        begin = Best(contestant=DEFAULTS[default], step=min(first), samples=0)
        try:
            best = search(spaces, retries, begin, said.samples, good, 7, told)
        except TimeoutError:
            continue
        yield name, msgspec.to_builtins(best)


def _keep_tuned(name: str, best: Best) -> None:
    found = json.loads(TUNED.read_text()) if TUNED.is_file() else {}
    found[name] = {
        "cell": TUNING_CELL,
        "seeds": TUNING_SEEDS,
        "samples_asked": SAMPLES,
        "best": msgspec.to_builtins(best),
    }
    TUNED.write_text(json.dumps(found, indent=1) + "\n")


def views(budget: Budget, said: argparse.Namespace, found: dict[str, Any]) -> Any:
    """Share of the calls in time, by gateways and age, at a few loads."""
    names = [name for name in VIEW_NAMES if name in contestants()]

    def tasks() -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
        for gateways, age, step, name in product(VIEW_GATEWAYS, VIEW_AGES_MS, VIEW_STEPS, names):
            one = contestants()[name]
            key = f"{gateways} {age:g} {step} {name} {SEEDS[0]} {code(one.core)}"
            trial = Trial(fleet="mixed", mix="agents", contestant=one, step=step, seed=SEEDS[0])
            if key not in found and re.search(said.only, key):
                yield key, share_in_time, (replace(trial, gateways=gateways, age_ms=age),)

    return each(budget, tasks())


def share_in_time(trial: Trial) -> dict[str, float]:
    """By class and over all."""
    one = played(trial)
    return {**one.in_time(), "all": one.report.total.in_time_ratio}


TABLES = {
    "steady": steady,
    "tuned": tuned,
    "safe": safe,
    "strict": strict,
    "struck": struck,
    "parts": parts,
    "views": views,
}

if __name__ == "__main__":
    main()
