"""Which way does each actuator of an inference fleet move each signal, as far as that never varies?

Signs only: sizes differ from fleet to fleet and come from probes or a loops file. A sign that
depends on the load (the clock on energy per token, the batch on latency) is not in the table.

Sources: batching engines (more replicas or a higher clock drain queues faster and draw more watts;
a smaller share of requests leaves fewer sequences per engine); retries add to the load that made
them (Bronson et al. 2021, "Metastable failures in distributed systems", HotOS); a request for more
CPU per pod lowers measured utilisation while the load stays (why a horizontal and a vertical pod
autoscaler must not share a resource: Kubernetes' documentation of the vertical one).
"""

from flyball.diagnosis.topology.graph import Effect, LoopGraph

_SIGNS = {
    "pool.replicas": {
        "work in flight by pool": -1,
        "sequences by endpoint": -1,
        "watts by site": 1,
        "utilization": -1,
        "queue": -1,
        "latency": -1,
        "cost": 1,
    },
    "pool.active": {"sequences by endpoint": -1, "watts by site": 1, "latency": -1},
    "pool.clock": {
        "work in flight by pool": -1,
        "sequences by endpoint": -1,
        "watts by site": 1,
        "latency": -1,
    },
    "retry.admission": {"demand by class": 1, "queue": 1, "latency": 1},
    "request.copies": {"demand by class": 1, "queue": 1, "cost": 1},
    "pool.requests_cpu": {"utilization": -1},
}
_NEVER = {"pool.requests_cpu": ("demand",)}


def known_effects() -> LoopGraph:
    """The table as a graph without loops."""
    moved = [
        Effect(actuator=actuator, signal=signal, sign=sign, seen=("known of such fleets",))
        for actuator, signs in _SIGNS.items()
        for signal, sign in signs.items()
    ]
    still = [
        Effect(actuator=actuator, signal=signal, gain=0.0, seen=("known of such fleets",))
        for actuator, signals in _NEVER.items()
        for signal in signals
    ]
    return LoopGraph(effects=(*moved, *still))
