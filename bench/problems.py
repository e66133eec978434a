"""Which larger and richer problems does the solver's benchmark draw?"""

import msgspec
import numpy as np

from flyball.governor.governor import Governor
from flyball.governor.policy import Policy
from flyball.model.fleet import Endpoint, Fleet, Pool, Site
from flyball.model.profile import EngineLimits, PowerCurve, Profile, StepCost
from flyball.model.request import Promise, RequestClass
from flyball.pricing.arrays import pack
from flyball.pricing.problem import PoolCapacity, Problem, Supply


def made_whole(problem: Problem, groups: int = 10) -> Problem:
    """Half of each pool's time may stop, a quarter more may start, on shared accelerators."""
    sizes = [pool.gpu_s_max for pool in problem.pools]
    supplies = tuple(
        Supply(
            pool_index=p,
            kind=kind,
            replicas_max=size * share,
            gpu_s=gpu_s,
            kv_tokens=problem.pools[p].kv_tokens_max / size,
            usd_per_s=5e-4,
            watts=50.0,
            group_index=p % groups,
            units=1.0,
        )
        for p, size in enumerate(sizes)
        for kind, share, gpu_s in (("run", 0.5, 1.0), ("start", 0.25, 0.6))
    )
    return msgspec.structs.replace(
        problem,
        pools=tuple(
            msgspec.structs.replace(pool, gpu_s_max=0.5 * pool.gpu_s_max, pooling=0.3)
            for pool in problem.pools
        ),
        supplies=supplies,
        group_names=tuple(map(str, range(groups))),
        group_units_max=tuple(0.5 * sum(sizes[g::groups]) for g in range(groups)),
        demand_sd_per_s=tuple(0.2 * rate for rate in problem.demand_per_s),
        risk_z=1.64,
    )


def draw_sparse(seed: int, load: float, is_whole: bool) -> Problem:
    """1,000 classes, each feasible at 10 to 30 of 1,000 pools over 20 sites with links."""
    draw = np.random.default_rng(seed)
    classes = pools = 1000
    each = draw.integers(10, 31, classes)
    own = np.repeat(np.arange(classes), each)
    there = np.concatenate([draw.choice(pools, count, replace=False) for count in each])
    speed, site = draw.uniform(0.5, 2.0, pools), draw.integers(0, 20, pools)
    size = draw.integers(2, 16, pools).astype(float)
    work = 0.5 * draw.lognormal(0.0, 1.0, classes)
    kept = 2000.0 * draw.lognormal(0.0, 1.0, classes)
    gpu_s = work[own] / speed[there] * draw.uniform(0.8, 1.2, len(own))
    value = work * draw.uniform(0.5e-3, 5e-3, classes)
    demand, capacity = draw.lognormal(0.0, 1.0, classes), float((size * speed).sum())
    demand *= load * capacity / float((demand * work).sum())
    plain = Problem(
        made_at=1.0,
        class_names=tuple(map(str, range(classes))),
        demand_per_s=tuple(demand.tolist()),
        pools=tuple(
            PoolCapacity(
                name=str(p),
                site_index=int(site[p]),
                gpu_s_max=float(size[p]),
                kv_tokens_max=float(size[p] * np.median(kept) * 2.0),
                congestion_usd_per_gpu_s=3e-3,
            )
            for p in range(pools)
        ),
        activities=pack(
            class_index=own,
            pool_index=there,
            budget_index=own % 4,
            link_index=site[there],
            value_usd=value[own] * draw.uniform(0.8, 1.0, len(own)),
            usd=1e-4 * gpu_s * speed[there],
            gpu_s=gpu_s,
            kv_token_s=kept[own] * gpu_s,
            joules=300.0 * gpu_s,
            link_bytes=np.full(len(own), 2e4),
        ),
        site_names=tuple(map(str, range(20))),
        site_watts_max=tuple(float(285.0 * size[site == s].sum() + 1.0) for s in range(20)),
        site_usd_per_joule=(3e-8,) * 20,
        budget_names=tuple("abcd"),
        budget_usd_per_s=(2.75e-5 * capacity,) * 4,
        link_names=tuple(map(str, range(20))),
        link_bytes_per_s_max=(2e4 * float(demand.sum()) / 15.0,) * 20,
        link_usd_per_byte=(2e-11,) * 20,
    )
    return made_whole(plain, 50) if is_whole else plain


def governor_with(classes: int, pools: int, per_pool: int) -> Governor:
    """Pools of two products at five sites, and demand of every class (many pools are alike)."""
    cost = StepCost(base_s=6.7e-3, per_seq_s=20e-6, per_kv_token_s=49e-9, per_prefill_token_s=25e-6)
    fast = Profile(
        name="fast",
        accelerator="fast",
        model="m",
        decode=cost,
        mixed=cost,
        limits=EngineLimits(seqs_max=256, step_tokens_max=2048, kv_tokens_max=397_000),
        power=PowerCurve(idle_watts=120.0, full_watts=690.0),
        usd_per_hour=3.0,
    )
    slower = StepCost(
        base_s=23.3e-3, per_seq_s=35e-6, per_kv_token_s=190e-9, per_prefill_token_s=90e-6
    )
    slow = msgspec.structs.replace(fast, name="slow", decode=slower, mixed=slower, usd_per_hour=1.0)
    fleet = Fleet(
        sites=tuple(
            Site(name=f"s{i}", jurisdiction=("EU", "US")[i % 2], rtt_s=0.005 * i) for i in range(5)
        ),
        pools=tuple(
            Pool(
                name=f"p{i}",
                site=f"s{i % 5}",
                models=("m",),
                engine="vllm",
                profile=(fast, slow)[i % 2],
            )
            for i in range(pools)
        ),
        endpoints=tuple(
            Endpoint(name=f"p{i}-{j}", pool=f"p{i}", url=f"http://127.0.0.1:{9000 + i}")
            for i in range(pools)
            for j in range(per_pool)
        ),
    )
    promise = Promise(ttft_s=1.0, tpot_s=0.06)
    policy = Policy(
        classes=tuple(
            RequestClass(
                name=f"c{i}",
                value_usd=0.01 + 0.001 * (i % 7),
                promise=promise if i % 2 else Promise(),
                jurisdictions=("EU",) if i % 3 == 0 else (),
            )
            for i in range(classes)
        )
    )
    made, draw = Governor(fleet, policy), np.random.default_rng(1)
    for tally in made.state.tallies.values():
        tally.rate_per_s = float(draw.lognormal(0.0, 1.0))
        tally.input_tokens = float(draw.uniform(100.0, 4000.0))
        tally.cached_ratio = float(draw.uniform(0.0, 0.5))
    return made
