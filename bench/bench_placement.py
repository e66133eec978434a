"""How long does a plan take: what fits where, fluid prices, whole replicas, every shadow price?

50 classes x 20 sites x 12 accelerators (all those with a profile of one 8B model), half of the
sites with hardware of their own, two thirds that rent, all with a power limit; a margin of 2
standard deviations. `tight` = so much demand that most of it is served by rented hardware. Times
are CPU times of one core; each step is told by itself, then all together as `flyball plan` does it.
There is no rival row: no public tool known to us prices a placement; the gap is to the fluid bound.
"""

import statistics
import time

import numpy as np

import report
from flyball.dialects.profiles import catalogue
from flyball.model.fleet import Site
from flyball.model.request import Promise, RequestClass
from flyball.pricing import placement_fit
from flyball.pricing.placement import Asset, Flow, Option, Placement
from flyball.pricing.placement_highs import Fluid, whole
from flyball.pricing.placement_prices import cost_usd_per_hour
from flyball.pricing.placement_program import program
from flyball.pricing.placement_report import GAP_RATIO
from flyball.pricing.placement_report import report as placed
from flyball.pricing.work import Sizes

CLASSES, SITES = 50, 20
MODEL = "llama-3.1-8b"
RATES = {"slack": 4.0, "tight": 40.0}
SEEDS = (1, 2, 3)
TIME_MAX_S = 30.0


def draw(seed: int, rate: float) -> Placement:
    """Unlike classes, sites, prices; `rate` = median requests per second of a class."""
    rng = np.random.default_rng(seed)
    profiles = [profile for profile in catalogue().values() if profile.model == MODEL]
    sites = tuple(
        Site(
            name=f"site-{number}",
            jurisdiction=("EU", "US", "NO", "UK")[number % 4],
            power_watts_max=float(rng.uniform(2e4, 2e5)),
            usd_per_kwh=float(rng.uniform(0.05, 0.3)),
        )
        for number in range(SITES)
    )
    assets = tuple(
        Asset(
            site_index=number,
            accelerator=kind,
            owned=int(rng.integers(0, 8)) if number % 2 else 0,
            rent_max=256 if rng.random() < 0.67 else 0,
            usd_per_hour=float(rng.uniform(1.0, 12.0)),
        )
        for number in range(SITES)
        for kind in dict.fromkeys(profile.accelerator for profile in profiles)
    )
    options = tuple(
        Option(asset_index=place, profile=profile)
        for place, asset in enumerate(assets)
        for profile in profiles
        if profile.accelerator == asset.accelerator
    )
    rates = rate * rng.lognormal(0.0, 1.0, CLASSES)
    flows = tuple(
        Flow(
            klass=RequestClass(
                name=f"class-{number}",
                value_usd=float(rng.uniform(0.002, 0.02)),
                promise=Promise(
                    ttft_s=float(rng.uniform(0.3, 3.0)), tpot_s=float(rng.uniform(0.03, 0.12))
                ),
                jurisdictions=() if rng.random() < 0.6 else ("EU", "NO"),
            ),
            origin="all",
            model=MODEL,
            sizes=Sizes(float(rng.uniform(200, 3000)), float(rng.uniform(50, 400))),
            rate_per_s=float(rates[number]),
            rate_sd_per_s=float(0.1 * rates[number]),
            rtt_s=tuple(rng.uniform(0.005, 0.15, SITES).tolist()),
        )
        for number in range(CLASSES)
    )
    return Placement(sites=sites, assets=assets, options=options, flows=flows)


def timed(problem: Placement) -> dict[str, float]:
    """Seconds of each step, and the gap of the whole placement as a share of its cost."""
    forget()
    began = time.process_time()
    one = program(problem)
    fitted = time.process_time()
    fluid = Fluid()
    answer = fluid.solve(one)
    solved = time.process_time()
    if answer is None:
        raise SystemExit("the demand drawn cannot be served: draw less")
    again_from = time.process_time()
    fluid.solve(one)
    again = time.process_time() - again_from
    cost = cost_usd_per_hour(one, answer)
    whole_from = time.process_time()
    best = whole(one, GAP_RATIO * cost, TIME_MAX_S)
    ended = time.process_time()
    forget()
    all_from = time.process_time()
    placed(problem, time_max_s=TIME_MAX_S)
    all_s = time.process_time() - all_from
    return {
        "fits": fitted - began,
        "fluid": solved - fitted,
        "fluid again": again,
        "whole": ended - whole_from,
        "all of it": all_s,
        "gap": 100.0 * (answer.objective_usd_per_hour - best.objective_usd_per_hour) / cost,
    }


def forget() -> None:
    """What was fitted before must not help."""
    for cached in vars(placement_fit).values():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()


def main() -> None:
    """Print and write one row for each step at both demands."""
    rows: list[dict[str, object]] = []
    budgets = {"all of it": 10.0}
    note = f"{CLASSES} classes, {SITES} sites, 12 accelerators; {len(SEEDS)} draws"
    for name, rate in RATES.items():
        found = [timed(draw(seed, rate)) for seed in SEEDS]
        for step in found[0]:
            values = [one[step] for one in found]
            rows.append(
                {
                    "figure": f"placement {name}: {step}",
                    "value": round(statistics.median(values), 3),
                    "unit": "% of cost" if step == "gap" else "s",
                    "spread": f"{min(values):.3f}..{max(values):.3f}",
                    "rival": None,
                    "ratio": None,
                    "budget": budgets.get(step),
                    "note": note,
                }
            )
    report.write("placement", rows)


if __name__ == "__main__":
    main()
