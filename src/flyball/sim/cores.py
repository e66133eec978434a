"""Who decides in this world: the governor, the governor watching, or a rival in its place?"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from msgspec.structs import replace

from flyball.governor.governor import Governor
from flyball.governor.policy import Policy
from flyball.model.fleet import Fleet
from flyball.sim.clock import Streams
from flyball.sim.heads import GRAIN
from flyball.sim.loops import Autoscaler, Core
from flyball.sim.rivals.constants import Kind, rivals
from flyball.sim.rivals.core import RivalCore
from flyball.sim.rivals.router import Setting

OWN = ("governor", "observe")


def core_names() -> list[str]:
    """All that a scenario's `core` may be."""
    return [*OWN, *(rival.name for rival in rivals().values() if rival.kind == "router")]


def autoscaler_names() -> list[str]:
    """All that an autoscaler's `rule` may be."""
    return [rival.name for rival in rivals().values() if rival.kind == "autoscaler"]


def cores(
    name: str,
    fleet: Fleet,
    policy: Policy,
    gateways: int,
    streams: Streams,
    tuned: Mapping[str, float],
) -> list[Core]:
    """One core per gateway; several governors are workers and get a control core as the last.

    `tuned` replaces single constants of a rival. ValueError for a name or constant not known.
    """
    if name not in OWN:
        made: list[Core] = []
        for gateway in range(gateways):
            chance = streams.named(f"rival {gateway}").rng
            setting = Setting(fleet=fleet, chance=chance, block_tokens=GRAIN)
            router = rule(name, "router")(setting, tuned)
            made.append(RivalCore(fleet, policy, router))
        return made
    if gateways == 1:
        return [Governor(fleet, policy)]
    worker = replace(policy, role="worker", workers=gateways)
    governors: list[Core] = [Governor(fleet, worker, run=str(i)) for i in range(gateways)]
    governors.append(Governor(fleet, replace(policy, role="control", workers=gateways), run="c"))
    return governors


def autoscaler(name: str, tuned: Mapping[str, float]) -> Autoscaler:
    """A rival autoscaler with its published constants, but those of `tuned`."""
    return rule(name, "autoscaler")(tuned)


def rule(name: str, kind: Kind) -> Any:
    """The class of a rival: it stands in the file of its name, under that `name`.

    ValueError for a name that is not known, or is of another kind.
    """
    known = rivals().get(name)
    if known is None or known.kind != kind:
        names = [rival.name for rival in rivals().values() if rival.kind == kind]
        raise ValueError(f"no {kind} is named {name!r}: there are {', '.join(names)}")
    module = import_module(f"flyball.sim.rivals.{name}")
    for found in vars(module).values():
        if isinstance(found, type) and getattr(found, "name", "") == name:
            return found
    raise ValueError(f"the rule of {name!r} is not implemented")
