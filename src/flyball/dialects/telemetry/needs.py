"""Which signals were not told, and what would each of them unlock?"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from flyball.diagnosis.margins.fluid_fit import NEEDED

# Where a signal may come from, for the reader who lacks it.
SOURCES = {
    "plant.fresh_per_s": "requests and retries of a gateway (flyball_requests_total with "
    "flyball_client_retries_total), or spans with attempt numbers",
    "plant.attempts_per_s": "requests of a gateway or of the engines",
    "plant.spend_per_s": "token counters of the engines, or spans with tokens",
    "queue": "waiting and running requests of the pool's engines",
    "latency_s": "the engines' request latency histogram",
    "replicas": "kube_horizontalpodautoscaler_status_current_replicas, or `signals:` of --map",
    "loop.cost.setpoint": "tokens offered and kept (our records or spans), or `signals:` of --map",
    "loop.router.setpoint": "calls or served requests of both pools, or `signals:` of --map",
    "loop.autoscaler.setpoint": "kube_horizontalpodautoscaler_status_desired_replicas",
    "loop.power.setpoint": "DCGM_FI_DEV_SM_CLOCK; or `signals: {loop.power.setpoint: 1.0}` in "
    "--map where nothing caps power",
}
# Facts of calls -> what they unlock.
FACTS = {
    "pool": "no drift of routes, no paths by pool, no stress between backends",
    "attempt": "no retry ratio: retries look like fresh demand",
    "context": "no drift of truncation, no margin of the cost loop",
    "cached": "no drift of cache hits",
    "ttft": "no attribution of an outcome's drift to the inference layer",
    "propensity": "no effect of a backend on live routes (FB-305): means alone are confounded",
    "models": "no substitution of models in paths",
}


class Lack(Struct, frozen=True):
    """A signal that is not there: what it would unlock, and where it may come from."""

    signal: str
    unlocks: str
    source: str = ""


def of_signals(names: Sequence[str]) -> list[Lack]:
    """What the margins lack; [] = nothing."""
    return [
        Lack(name, f"no margin{_whose(name)}", _source(name))
        for name in NEEDED
        if name not in names
    ]


def of_facts(facts: Mapping[str, int], calls: int) -> list[Lack]:
    """What calls did not tell, none of them."""
    return [
        Lack(f"calls: {name}", without)
        for name, without in FACTS.items()
        if calls and not facts.get(name)
    ]


def _whose(name: str) -> str:
    part, _, rest = name.partition(".")
    if part == "loop":
        return f" of loop {rest.partition('.')[0]}, nor of those it is coupled with"
    if part == "plant":
        return " of the load, nor of any loop"
    return f": pool {part} is not known"


def _source(name: str) -> str:
    return SOURCES.get(name) or SOURCES.get(name.partition(".")[2], "")
