"""What does live diagnosis cost: one look at each size of fleet, and counting outcomes?

A look closes the row of signals, judges margins and findings, and tells. Its budget is 1 % of a
core at a look every 10 s: 100 ms of CPU. `200 loop signals` = 25 pools, each under four loops (a
set-point and whether it is at a limit: 200 columns) and 60 classes, with a foreign loop; conflicts
are looked through once per change, here in the first look, which is told apart. Counting = 1,000
outcomes, drift streams included. Times are CPU times of one core, interpreted or compiled as
installed. There is no rival row: no public tool known to us looks at a gateway's own loops.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

import report
from flyball.dialects.profiles import catalogue
from flyball.governor.events import Actuated, Tick
from flyball.governor.governor import Governor
from flyball.governor.policy import Diagnosis, Policy
from flyball.model.fleet import Endpoint, Fleet, Pool, Site
from flyball.model.loop import ForeignLoop, LoopPolicy
from flyball.model.request import Promise, RequestClass
from flyball.model.signals import Settled

LOOPS = ("autoscaling", "power", "consolidation", "speculation")
SIZES = {"200 loop signals": (60, 25, 4), "3 pools, 4 classes, 2 loops": (4, 3, 2)}
LARGE = {"300 classes x 100 pools": (300, 100, 0)}
INTERVAL_S, LOOKS = 10.0, 30
BUDGET_S = 0.01 * INTERVAL_S


def main() -> None:
    """Run and report."""
    rows: list[dict[str, object]] = []
    for name, (classes, pools, loops) in (SIZES | LARGE).items():
        rows += _looked(name, classes, pools, loops)
    report.write("live_diagnosis", [*rows, _counted()])


def _looked(name: str, classes: int, pools: int, loops: int) -> list[dict[str, object]]:
    core, demand = _core(classes, pools, loops)
    begun = _spent(lambda: _look(core, demand, 1))
    spent = [_spent(lambda at=at: _look(core, demand, at)) for at in range(2, LOOKS)]
    core_off, demand_off = _core(classes, pools, loops, "off")
    without = [_spent(lambda at=at: _look(core_off, demand_off, at)) for at in range(1, LOOKS)]
    each = [max(0.0, one - statistics.median(without)) for one in spent]
    value = statistics.median(each)
    names = core.state.watching.names
    signals = sum(one.startswith("loop.") for one in names)
    return [
        {
            "figure": f"{name}: CPU of a look",
            "value": 1e3 * value,
            "unit": "ms",
            "spread": [1e3 * min(each), 1e3 * max(each)],
            "budget": 1e3 * BUDGET_S,
            "note": f"{value / INTERVAL_S:.3%} of a core; {len(names):,} signals, {signals} of "
            f"loops; first look, conflicts included: {1e3 * begun:.1f} ms",
        }
    ]


def _spent(act: Callable[[], object]) -> float:
    begun = time.process_time()
    act()
    return time.process_time() - begun


def _look(core: Governor, demand: Callable[[], None], number: int) -> None:
    demand()
    core.state.solving = True  # the plan is not what is measured
    core.handle(Tick(1000.0 + INTERVAL_S * number))


def _core(
    classes: int, pools: int, loops: int, mode: str = "advise"
) -> tuple[Governor, Callable[[], None]]:
    """A core that has been asked a plan, with all set-points standing somewhere."""
    profile = catalogue()["l40s/llama-3.1-8b"]
    fleet = Fleet(
        sites=(Site(name="here", jurisdiction="EU", power_watts_max=1e6),),
        pools=tuple(
            Pool(name=f"p{n}", site="here", models=("m",), engine="vllm", profile=profile)
            for n in range(pools)
        ),
        endpoints=tuple(
            Endpoint(name=f"p{n}-{k}", pool=f"p{n}", url=f"http://h:{n}{k}")
            for n in range(pools)
            for k in range(4)
        ),
    )
    policy = Policy(
        classes=tuple(
            RequestClass(name=f"c{n}", value_usd=0.01, promise=Promise(ttft_s=1.0))
            for n in range(classes)
        ),
        loops=tuple(LoopPolicy(name=name, mode="advise", limit_low=1.0) for name in LOOPS[:loops]),
        foreign_loops=(ForeignLoop(name="sdk", law="sdk-retry", actuator="client.retries"),),
        diagnosis=Diagnosis(mode=mode, interval_s=INTERVAL_S),  # type: ignore[arg-type]
    )
    core = Governor(fleet, policy)
    chance = np.random.default_rng(1)
    rates = chance.uniform(0.1, 2.0, classes)

    def demand() -> None:
        for tally, rate in zip(core.state.tallies.values(), rates, strict=True):
            tally.rate_per_s, tally.updated_at = float(rate), 1e9

    for n in range(pools):
        core.handle(Actuated(1000.0, "pool.replicas", f"p{n}", 4.0))
    demand()
    core.handle(Tick(1000.0))
    return core, demand


def _counted() -> dict[str, object]:
    core, _ = _core(60, 25, 0)
    some = [_outcome(n) for n in range(1000)]
    core.state.watching.take(some)
    assert sum(found[0] for found in core.state.watching.counts.values()) == len(some)
    spent = [_spent(lambda: core.state.watching.take(some)) for _ in range(30)]
    return {
        "figure": "counting an outcome",
        "value": 1e6 * statistics.median(spent) / len(some),
        "unit": "us",
        "spread": [1e6 * min(spent) / len(some), 1e6 * max(spent) / len(some)],
        "note": "once a period, off the path of requests; 1,000 requests/s make it 0.1 % per us",
    }


def _outcome(number: int) -> Settled:
    return Settled(
        at=1000.0,
        class_name=f"c{number % 60}",
        model="m",
        endpoint=number % 100,
        outcome="served",
        is_retry=False,
        prompt_bytes=4000,
        input_tokens=1000,
        cached_tokens=100,
        output_tokens=200,
        ttft_s=0.2,
        e2e_s=2.0,
        ttft_s_predicted=0.25,
        tpot_s_predicted=0.01,
        in_time=True,
        status=200,
    )


if __name__ == "__main__":
    main()
