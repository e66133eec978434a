"""Which joint problems do the pricing tests draw?"""

import random

from flyball.pricing.problem import Activity, PoolCapacity, Problem


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
