"""Who decides in this world: the governor, the governor watching, or a rival in its place?"""

from collections.abc import Mapping

from msgspec.structs import replace

from flyball.governor.authority import Library
from flyball.governor.governor import Governor
from flyball.governor.policy import Policy
from flyball.model.fleet import Fleet
from flyball.sim.clock import Streams
from flyball.sim.heads import GRAIN
from flyball.sim.loops import Core
from flyball.sim.rivals import RETRIES, ROUTERS, TRUNCATIONS, RivalCore, Setting
from flyball.sim.scenario import LoopsShape

OWN = ("governor", "observe")
NO_LOOPS = LoopsShape()


def core_names() -> list[str]:
    """All that a scenario's `core` may be."""
    return [*OWN, *ROUTERS]


def cores(
    name: str,
    fleet: Fleet,
    policy: Policy,
    gateways: int,
    streams: Streams,
    tuned: Mapping[str, float] | None = None,
    loops: LoopsShape = NO_LOOPS,
    library: Library | None = None,
) -> list[Core]:
    """One core per gateway; several governors are workers and get a control core as the last.

    `tuned` replaces single constants of a rival router; `loops` names the rival loops that stand
    beside it, `library` holds the governors' policies. KeyError for a name that is not known,
    ValueError for such a constant.
    """
    if name not in OWN:
        return [
            _rival(name, fleet, policy, streams, number, tuned, loops) for number in range(gateways)
        ]
    if gateways == 1:
        return [Governor(fleet, policy, library=library)]
    worker = replace(policy, role="worker", workers=gateways)
    governors: list[Core] = [
        Governor(fleet, worker, run=str(i), library=library) for i in range(gateways)
    ]
    control = replace(policy, role="control", workers=gateways)
    governors.append(Governor(fleet, control, run="c", library=library))
    return governors


def _rival(
    name: str,
    fleet: Fleet,
    policy: Policy,
    streams: Streams,
    number: int,
    tuned: Mapping[str, float] | None,
    loops: LoopsShape,
) -> Core:
    chance = streams.named(f"rival {number}").rng
    setting = Setting(fleet=fleet, chance=chance, block_tokens=GRAIN)
    retry, cut = loops.retry, loops.truncation
    return RivalCore(
        fleet,
        policy,
        ROUTERS[name](setting, tuned),
        retry=RETRIES[retry](loops.tuned.get(retry)) if retry else None,
        truncation=TRUNCATIONS[cut](loops.tuned.get(cut)) if cut else None,
    )
