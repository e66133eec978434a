"""Which joint problems do the pricing tests draw?"""

import random

import msgspec

from flyball.pricing.problem import Activity, PoolCapacity, Problem, Supply


def problem_of(
    seed: int, classes: int, pools: int, load: float, full_price_share: float = 0.3
) -> Problem:
    """A fleet of unlike pools with every kind of limit, some of them zero or unlimited.

    `load` = demanded GPU time / all there is. `full_price_share` = congestion price of a full pool
    as a share of the largest value of a GPU-second.
    """
    draw = random.Random(seed)
    speed = [draw.uniform(0.5, 2.0) for _ in range(pools)]
    size = [0.0 if draw.random() < 0.05 else float(draw.randint(1, 16)) for _ in range(pools)]
    work = [0.5 * draw.lognormvariate(0.0, 1.0) for _ in range(classes)]
    value = [w * draw.uniform(5e-4, 5e-3) for w in work]
    activities = tuple(
        Activity(
            class_index=c,
            pool_index=p,
            value_usd=value[c] * draw.uniform(0.8, 1.0),
            usd=1e-4 * work[c] * draw.uniform(0.5, 1.5),
            gpu_s=work[c] / speed[p],
            kv_token_s=2000.0 * work[c] / speed[p],
            joules=300.0 * work[c] / speed[p],
            budget_index=draw.randint(-1, 1),
        )
        for c in range(classes)
        for p in range(pools)
        if draw.random() < 0.9
    )
    demand = [0.0 if draw.random() < 0.1 else draw.lognormvariate(0.0, 1.0) for _ in range(classes)]
    offered = sum(d * w for d, w in zip(demand, work, strict=True)) or 1.0
    there = sum(s * g for s, g in zip(speed, size, strict=True))
    full = full_price_share * max((a.value_usd / a.gpu_s for a in activities), default=1.0)
    return Problem(
        made_at=float(seed),
        class_names=tuple(f"class-{c}" for c in range(classes)),
        demand_per_s=tuple(d * load * there / offered for d in demand),
        pools=tuple(
            PoolCapacity(
                name=f"pool-{p}",
                site_index=p % 2,
                gpu_s_max=size[p],
                kv_tokens_max=max(size[p], 0.1) * draw.choice((1500.0, 3000.0, float("inf"))),
                congestion_usd_per_gpu_s=full,
            )
            for p in range(pools)
        ),
        activities=activities,
        site_names=("edge", "central"),
        site_watts_max=(draw.choice((250.0, float("inf"))) * (sum(size) / 2 + 1), 1e9),
        site_usd_per_joule=(3e-8, 5e-8),
        budget_names=("team", "lab"),
        budget_usd_per_s=(5e-5 * there, float("inf")),
    )


def rich_problem_of(
    seed: int, classes: int, pools: int, load: float, full_price_share: float = 0.3
) -> Problem:
    """The same with everything else: modes, links, replicas that may stop or start, power levels,
    hardware that pools share, and demand known only so far."""
    plain = problem_of(seed, classes, pools, load, full_price_share)
    draw = random.Random(seed + 1)
    assert isinstance(plain.activities, tuple)
    activities = [
        msgspec.structs.replace(a, link_index=draw.randint(-1, 1), link_bytes=draw.uniform(0, 2e4))
        for a in plain.activities
    ]
    activities += [  # the same served with less GPU time and more KV, or shorter and worth less
        msgspec.structs.replace(
            a,
            mode=mode,
            gpu_s=a.gpu_s * less,
            joules=a.joules * less,
            kv_token_s=a.kv_token_s * more,
            value_usd=a.value_usd * worth,
        )
        for a in activities
        for mode, less, more, worth in (("keep", 0.6, 4.0, 1.0), ("short", 0.5, 0.5, 0.8))
        if draw.random() < 0.5
    ]
    crossing = sum(a.link_bytes for a in activities) / max(1, len(activities))
    demand = sum(plain.demand_per_s)
    capacities = tuple(
        msgspec.structs.replace(
            pool,
            gpu_s_max=pool.gpu_s_max * draw.choice((0.0, 0.5, 1.0)),
            pooling=draw.uniform(0.3, 1.0),
        )
        for pool in plain.pools
    )
    return msgspec.structs.replace(
        plain,
        activities=tuple(activities),
        pools=capacities,
        link_names=("edge-central", "lab-central"),
        link_bytes_per_s_max=(draw.choice((0.2, 2.0)) * demand * crossing, float("inf")),
        link_usd_per_byte=(2e-11, 0.0),
        group_names=("h100", "l40s"),
        group_units_max=(float(draw.randint(0, 12)), 20.0),
        supplies=tuple(
            Supply(
                pool_index=p,
                kind=kind,
                replicas_max=float(draw.randint(0, 6)),
                gpu_s=gpu_s,
                kv_tokens=draw.choice((0.0, 1500.0)),
                usd_per_s=draw.uniform(0.0, 1.5e-3),
                watts=draw.choice((0.0, 60.0)),
                group_index=draw.randint(-1, 1),
                units=float(draw.randint(0, 2)),
            )
            for p in range(pools)
            for kind, gpu_s in (("running", 1.0), ("starting", 0.4), ("capped", 0.8))
            if draw.random() < 0.6
        ),
        demand_sd_per_s=tuple(d * draw.uniform(0.0, 0.5) for d in plain.demand_per_s),
        risk_z=draw.choice((0.0, 1.0, 2.33)),
    )
