"""Which loops does an operator of a scenario's fleet know of, in the form of a loops file?

Only what a configuration tells: who moves what, on which reading, how fast and how strongly. That
clients try again is in no such file, so it is in none here.
"""

from typing import Any

Loops = dict[str, Any]


def reading(signal: str, when_high: str, **more: Any) -> Loops:
    """One reading of a loop; `more` = further keys of the form."""
    return {"signal": signal, "when_high": when_high, **more}


def loop(actuator: str, read: Loops, **more: Any) -> Loops:
    """One loop that acts on one reading."""
    return {"actuator": actuator, "reads": [read], **more}


def effect(actuator: str, signal: str, **more: Any) -> Loops:
    """What an actuator does to a signal."""
    return {"actuator": actuator, "signal": signal, **more}


def autoscaler(gain: float = 0.3, start_s: float = 90.0) -> Loops:
    """A horizontal autoscaler on use, every 30 s."""
    read = reading("pool.use", "raise", gain=gain, target=0.77)
    return loop("pool.replicas", read, period_s=30, delay_s=start_s)


def pool(loops: Loops | None = None, effects: list[Loops] | None = None) -> Loops:
    """A pool with its autoscaler, and what is added to it."""
    return {
        "version": "v1",
        "loops": {"autoscaler": autoscaler(), **(loops or {})},
        "effects": [effect("pool.replicas", "pool.use", gain=-1.0), *(effects or [])],
    }


def writer(name: str, period_s: float) -> Loops:
    """Another loop that writes the number of replicas."""
    read = reading(f"{name}.wish", "lower")
    return {name: loop("pool.replicas", read, period_s=period_s)}


HEALTH_CHECK = {
    "health-check": loop(
        "balancer.targets", reading("pool.latency_s", "lower"), period_s=10, delay_s=10
    )
}
# Fewer targets: more work for each of the others.
TARGETS = [effect("balancer.targets", "pool.latency_s", moves="down")]
COST = {
    "cost": loop(
        "pool.context", reading("pool.spend", "lower", gain=0.05, target=38.0), period_s=30
    )
}
CONTEXT = [effect("pool.context", "pool.spend", gain=0.55, reference=0.55)]
THREADS = {
    "threads": loop("web.threads", reading("web.waiting", "raise"), period_s=5),
    "autoscaler": loop(
        "pool.replicas",
        reading("web.processor", "raise", gain=0.3, target=0.77, stands_for="web.demand"),
        period_s=30,
        delay_s=90,
    ),
}
THREADS_DO = [
    effect("web.threads", "web.processor", moves="down"),
    effect("web.threads", "web.demand", moves="up"),
]
VERTICAL = {
    "vertical": loop("pool.request", reading("pool.use_of_one", "raise"), period_s=120),
    "autoscaler": loop(
        "pool.replicas",
        reading("pool.use_of_request", "raise", gain=0.3, target=0.8, stands_for="pool.demand"),
        period_s=30,
        delay_s=90,
    ),
}
VERTICAL_DOES = [
    effect("pool.request", "pool.use_of_request", gain=-1.0),
    effect("pool.request", "pool.demand", gain=0.0),
]
ROLLOUT = {
    "rollout": loop(
        "nodes.telemetry",
        reading("control.latency_s", "lower", gain=0.5, target=0.2),
        period_s=60,
        delay_s=1200,
    )
}
ROLLOUT_DOES = [effect("nodes.telemetry", "control.latency_s", gain=0.6)]


def fleet(router_gain: float = 0.01, scale_gain: float = 0.35, budget: float = 38.0) -> Loops:
    """The four loops of the large plant, with relative gains at its rest.

    A move of share by g x (difference in s) / 5 is one of g x latency / (5 x share) relative; the
    plant's answer is that of its published gains.
    """
    latency_s, share = 5.5, 0.75
    return {
        "version": "v1",
        "loops": {
            "cost": loop(
                "fleet.context",
                reading("fleet.spend", "lower", gain=0.06, target=budget),
                period_s=30,
            ),
            "router": loop(
                "fleet.share",
                reading("fast.latency_s", "lower", gain=router_gain * latency_s / (5.0 * share)),
                period_s=5,
                delay_s=7.5,
            ),
            "autoscaler": loop(
                "fast.replicas",
                reading("fast.use", "raise", gain=scale_gain, target=0.72),
                period_s=30,
                delay_s=90,
            ),
            "power": loop(
                "fast.speed", reading("fast.power", "lower", gain=0.1, target=46.0), period_s=10
            ),
        },
        "effects": [
            effect("fleet.context", "fleet.spend", gain=0.53, reference=0.53),
            effect("fast.replicas", "fast.use", gain=-0.55),
            effect("fast.speed", "fast.power", gain=0.6),
        ],
    }
